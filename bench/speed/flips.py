"""A leader who goes long and short once a second while his limits rest on the same line.

python -m bench.speed.flips --resting 80 --followers 5 --seconds 30
"""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from bench.speed.contestants import LEADER, accounts_of
from bench.speed.measures import first_frames
from bench.speed.trials import trial
from copytrade.paper.process import PaperProcess
from copytrade.reports.percentiles import percentile

CONTRACT, LOT, PRICE = "45674", 65, 120

#: Seconds between two flips.
PACE = 1.0

#: Seconds without a request after which every resting order is taken as copied.
QUIET = 1.5


def flips(resting: int, followers: int, seconds: int, lots: int) -> dict[str, Any]:
    """Have the leader flip a position of ``lots`` once a second beside ``resting`` limits of one lot each.

    Half of the limits buy below the market, half sell above it. All are copied by every follower first.
    """
    with trial("ours", followers) as (broker, running):
        for number in range(resting):
            side = ("BUY", "SELL")[number % 2]
            price = PRICE + (-1, 1)[number % 2] * (10 + number % 40)
            _place(broker, side=side, quantity=LOT, price=price)
        _until_copied(broker, followers, resting)
        cpu, began = running.cpu, time.monotonic()
        flipped, sizes = [], [lots, *[2 * lots] * (seconds - 1)]
        for number, size in enumerate(sizes):
            flipped.append(_place(broker, side=("BUY", "SELL")[number % 2], quantity=size * LOT, order_type="MARKET"))
            time.sleep(max(0.0, began + (number + 1) * PACE - time.monotonic()))
        took = time.monotonic() - began
        cpu = running.cpu - cpu
        time.sleep(2 * PACE)  # a request that comes later counts as missed
        writes = [broker.control("writes", client_id=client_id) for client_id, _ in accounts_of(followers)]
        since = [[write for write in account if began <= write["at"] <= began + took] for account in writes]
        frames = first_frames(broker.control("sent_frames", client_id=LEADER[0]))
        first, last, missed = _reactions(flipped, frames, writes)
        return {
            "resting": resting,
            "followers": followers,
            "flips": len(flipped),
            "missed": missed,
            "first_p50": percentile(first, 50),
            "first_p90": percentile(first, 90),
            "last_p50": percentile(last, 50),
            "last_p90": percentile(last, 90),
            "cpu_percent": 100 * cpu / took,
            "requests_a_flip": statistics.mean(map(len, since)) / len(flipped),
            "refused": sum(write["status"] not in (200, 202) for account in writes for write in account),
        }


def _place(broker: PaperProcess, **terms: object) -> str:
    return str(broker.control("place", client_id=LEADER[0], security_id=CONTRACT, **terms))


def _until_copied(broker: PaperProcess, followers: int, orders: int, patience: float = 120.0) -> None:
    """Wait until every follower has sent a request for each order, and none for a while since."""
    deadline, before = time.monotonic() + patience, -1
    while time.monotonic() < deadline:
        counts = [len(broker.control("writes", client_id=client_id)) for client_id, _ in accounts_of(followers)]
        if min(counts) >= orders and sum(counts) == before:
            return
        before = sum(counts)
        time.sleep(QUIET)
    raise SystemExit(f"only {before} requests for {orders} orders in {patience:.0f} s")


def _reactions(
    flipped: Sequence[str], frames: dict[str, float], writes: Sequence[Sequence[dict[str, Any]]]
) -> tuple[list[float], list[float], int]:
    """Return the milliseconds from each flip's frame to the first order of every follower, and to its last; and misses.

    A flip for which a follower has sent too few orders is a miss, and counts as two seconds.
    """
    sent: list[dict[str, list[float]]] = []
    for account in writes:
        times: dict[str, list[float]] = defaultdict(list)
        for write in account:
            if write["kind"] == "place":
                times[write["payload"]["correlationId"].split("-")[1]].append(write["at"])
        sent.append(times)
    first, last, missed = [], [], 0
    for number, order_id in enumerate(flipped):
        due = 2 if number else 1  # an exit and an entry, once a position is open
        of_all = [sorted(times[order_id]) for times in sent]
        if any(len(times) < due for times in of_all):
            missed += 1
            first.append(2000 * PACE)
            last.append(2000 * PACE)
            continue
        first.append(1000 * (max(times[0] for times in of_all) - frames[order_id]))
        last.append(1000 * (max(times[due - 1] for times in of_all) - frames[order_id]))
    return first, last, missed


def main() -> None:
    """Print the figures for each number of resting orders."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed.flips", description=__doc__)
    parser.add_argument("--resting", type=int, nargs="+", default=[5, 80, 200], help="limits that rest, a trial each")
    parser.add_argument("--followers", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=30, help="flips, one a second")
    parser.add_argument("--lots", type=int, default=1, help="the position, in lots")
    options = parser.parse_args()
    for resting in options.resting:
        found = flips(resting, options.followers, options.seconds, options.lots)
        shown = {name: round(value, 1) if isinstance(value, float) else value for name, value in found.items()}
        print(", ".join(f"{name} {value}" for name, value in shown.items()), flush=True)


if __name__ == "__main__":
    main()
