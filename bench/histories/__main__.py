"""Random histories, judged from the broker's books.

python -m bench.histories --seeds 1..300
python -m bench.histories --seeds 17 --shrink
python -m bench.histories --replay history.json
"""

import argparse
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.histories.generator.generate import history_of
from bench.histories.history import History
from bench.histories.oracle.judge import COLUMNS
from bench.histories.runner.run import PATIENCE, Outcome, run
from bench.histories.shrinking import shrunk


def main() -> int:
    """Run the histories; return 0 if nothing is wrong, 1 if something is, 2 if a history could not be run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1..20", help="A..B, or one, or several of those with commas")
    parser.add_argument("--jobs", type=int, default=2, help="histories at once")
    parser.add_argument("--shrink", action="store_true", help="shrink what fails to a short history that fails alike")
    parser.add_argument("--replay", type=Path, help="a saved history instead")
    parser.add_argument("--keep", type=Path, help="a folder for the histories that fail, with their evidence and log")
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds of calm until all has to be right")
    parser.add_argument("--until", choices=list(COLUMNS), help="count this column alone, and stop once it is not zero")
    parser.add_argument("--show", action="store_true", help="print the histories, and run none")
    options = parser.parse_args()
    if options.replay:
        histories = [History.from_json(options.replay.read_text())]
    else:
        histories = [history_of(seed) for seed in _seeds(options.seeds)]
    if options.show:
        print("\n\n".join(map(str, histories)))
        return 0

    is_over, unable = threading.Event(), list[int]()

    def attempt(history: History) -> Outcome | None:
        if is_over.is_set():
            return None
        folder = None
        if options.keep:
            folder = options.keep / str(history.seed)
            folder.mkdir(parents=True, exist_ok=True)
            for old in folder.iterdir():
                old.unlink() if old.is_file() else None
        try:
            outcome = run(history, folder, options.patience)
        except Exception:
            traceback.print_exc()
            unable.append(history.seed)
            return None
        print(f"{history.seed:>6}  {'right' if outcome.is_right else 'WRONG'}  {outcome.seconds:5.1f} s", flush=True)
        if not outcome.is_right:
            print(str(outcome), flush=True)
            if options.until and outcome.wrong[options.until]:
                is_over.set()
        return outcome

    with ThreadPoolExecutor(options.jobs) as pool:
        outcomes = list(pool.map(attempt, histories))
    ran = [outcome for outcome in outcomes if outcome is not None]
    counted = [options.until] if options.until else list(COLUMNS)
    failed = [outcome for outcome in ran if any(outcome.wrong[column] for column in counted)]
    kills = sum(step.what == "kill" for outcome in ran for step in outcome.history.steps)
    totals = Counter({column: sum(len(outcome.wrong[column]) for outcome in ran) for column in COLUMNS})
    for column, meaning in COLUMNS.items():
        print(f"{totals[column]:>6}  {column:<15} {meaning}")
    print(f"{len(ran)} trials with {kills} kills, {len(failed)} wrong, {len(unable)} that could not be run")
    if options.shrink:
        for outcome in failed:
            print(f"\n{shrunk(outcome, options.patience)}", flush=True)
    return 1 if failed else 2 if unable else 0


def _seeds(text: str) -> Iterator[int]:
    for part in text.split(","):
        first, _, last = part.partition("..")
        yield from range(int(first), int(last or first) + 1)


if __name__ == "__main__":
    sys.exit(main())
