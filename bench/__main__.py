"""How fast this program is with everything on, beside two bare loops that only send, at the same broker.

python -m bench            about sixteen minutes
python -m bench --quick    under a minute
"""

import argparse
import json
import platform
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.speed.plots import draw_and_say
from bench.speed.table import table_of
from bench.speed.trials import CONTESTANTS, QUIET, SHORT_QUIET, burst, idle, lone, steady, storm
from copytrade.core.model.orders import IST

#: Requests a second of one account in a trial of the processor, in which the budget must not count.
LIFTED = 1000

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run the trials, print their figures, and write them to files."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer followers and orders")
    parser.add_argument("--followers", type=int, nargs="+", help="how many followers, one trial each")
    parser.add_argument("--orders", type=int, help="orders in each steady trial")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=(*CONTESTANTS, "watched"),
        default=CONTESTANTS,
        help="which contestants; watched has the board open",
    )
    parser.add_argument("--steady", action="store_true", help="the steady trials alone")
    options = parser.parse_args()
    sizes = options.followers or ([1, 10, 50] if options.quick else [1, 10, 50, 200])
    orders = options.orders or (10 if options.quick else 100)
    quiet = SHORT_QUIET if options.quick else QUIET
    results: dict[str, Any] = {
        "date": f"{datetime.now(IST):%Y-%m-%d}",
        "machine": f"{platform.system()} {platform.machine()}, {_cores()} cores, Python {platform.python_version()}",
        "steady": [],
    }
    print(results["machine"])
    print(_HEADER)
    for followers in sizes:
        of_size = []
        for contestant in options.only:
            of_size.append(steady(contestant, followers, orders, quiet=quiet))
            print(_line(of_size[-1], of_size[0]), flush=True)
        results["steady"] += of_size
    if not options.steady:
        for name, figures in _others(quick=options.quick):
            results[name] = figures
            shown = {key: value for key, value in figures.items() if key != "course"}
            print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in shown.items()), flush=True)
    if not options.quick and not options.steady:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{results['date']}.md"
        path.write_text(table_of(results))
        path.with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n")
        print(f"written to {path}, with every measurement in the .json beside it")
        draw_and_say(results)


def _others(*, quick: bool) -> Any:
    yield "burst", burst(3 if quick else 10)
    yield "storm", storm(3 if quick else 10)
    if not quick:
        yield "lone", lone(15, pace=2.0)
        yield "idle", idle(200, 30.0)
        # Ten orders a second for minutes are more than the broker's limits allow: the one a second is lifted.
        yield "sustained", steady("ours", 50, 3000, pace=0.1, per_second=LIFTED)


_HEADER = (
    f"{'followers':>9} {'':5} {'p50':>8} {'p99':>8} {'max':>8} {'spread':>8}"
    f" {'CPU/copy':>9} {'memory':>7} {'ready':>6} {'missed':>6}  ms to the last follower's request; theirs over ours"
)


def _line(one: dict[str, Any], ours: dict[str, Any]) -> str:
    last = one["last_ms"]
    ratio = f"{last['p50'] / ours['last_ms']['p50']:.2f}x" if ours["contestant"] == "ours" and one is not ours else ""
    return (
        f"{one['followers']:9} {one['contestant']:5} {last['p50']:8.1f} {last['p99']:8.1f} {last['max']:8.1f}"
        f" {one['spread_ms']['p50']:8.1f} {one['cpu_ms_per_copy']:6.2f} ms {one['memory_mb']:4} MB"
        f" {one['ready_s']:4.1f} s {one['missed']:6}  {ratio}"
    )


def _cores() -> int:
    import os  # noqa: PLC0415

    return len(os.sched_getaffinity(0))


if __name__ == "__main__":
    main()
