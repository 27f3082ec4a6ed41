"""Crash every actor again and again while the leader trades: nothing may be wrong in the end, and nothing may grow.

python -m bench.reliability.restarts --crashes 1000
"""

import argparse
import gc
import os
import random
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from loguru import logger

import actors.system.system
from actors.supervisor.restarts import RestartPolicy
from actors.system.system import CopySystem
from bench.reliability.rig import Rig, judge, start_broker
from bench.reliability.storm import Plan, steps
from copytrade.settings import load_settings

#: As many restarts as there are crashes: their limit is not tested here.
_UNLIMITED = RestartPolicy(10**9, 60.0, 0.01, 0.02)

#: Restarts before the first measurement, after which everything that is created once exists.
WARM_UP = 100


class Bomb:
    """A message that raises an exception when an actor's handler looks at its class."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        if any(frame.name == "receive" for frame in traceback.extract_stack(limit=4)):
            raise RuntimeError("on purpose")
        return Bomb


def measured() -> dict[str, float]:
    """Return the number of threads, of open files and sockets, and the resident megabytes."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return {
        "threads": threading.active_count(),
        "files": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 (a count needs no path objects)
        "megabytes": resident / 1024,
    }


def main() -> int:
    """Run the trial; return 0 if everything is right in the end and neither threads nor files have grown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crashes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logger.remove()
    actors.system.system._CORE = _UNLIMITED
    chance = random.Random(options.seed)
    broker = start_broker()
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(broker, Path(folder))
        rig.configure(window=0.5)
        os.chdir(folder)
        settings = load_settings(Path("settings.toml"))
        unlimited = settings.supervision.model_copy(
            update={"max_restarts": 10**9, "backoff": 0.01, "backoff_max": 0.02}
        )
        settings = settings.model_copy(update={"supervision": unlimited})
        ended: SimpleQueue[int] = SimpleQueue()
        system = CopySystem(settings, None, ended.put)
        system.start()
        _wait(system.is_ready)
        todo, ids = iter(steps(Plan(options.seed, max(20, options.crashes // 8)))), list[str]()
        addresses = {child.address.name: child.address for child in system.children}
        counts = dict.fromkeys(addresses, 0)
        before = measured()
        for number in range(options.crashes):
            if number == WARM_UP:
                before = measured()
            name = chance.choice(list(addresses))
            epoch = addresses[name].epoch
            addresses[name].tell(Bomb())
            _wait(lambda name=name, epoch=epoch: addresses[name].epoch > epoch and addresses[name].is_taken)
            counts[name] += 1
            if number % 4 == 0 and (step := next(todo, None)):
                step(rig, ids)
        _wait(lambda: system.is_ready() and judge(rig).is_right, 60.0)
        after, verdict = measured(), judge(rig)
        system.stop()
        ended.get(timeout=20)
        system.close()
        broker.stop()
    print("crashes: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    print(f"in the end: {verdict}")
    for name, value in before.items():
        print(f"{name}: {value:.0f} after {min(WARM_UP, options.crashes)} crashes, {after[name]:.0f} after all")
    grown = after["threads"] > before["threads"] + 10 or after["files"] > before["files"] + 20
    return 0 if verdict.is_right and not grown else 1


def _wait(condition: Any, patience: float = 20.0) -> None:
    deadline = time.monotonic() + patience
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.002)


if __name__ == "__main__":
    sys.exit(main())
