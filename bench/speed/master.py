"""How long reading the instrument master takes, how much memory it needs, and how long other threads wait meanwhile.

python -m bench.speed.master            200,000 rows, from a paper broker's URL and then from the cache file
"""

import argparse
import gc
import resource
import sys
import tempfile
import threading
import time
from datetime import time as time_of_day
from pathlib import Path

from actors.system.session import SWITCH_INTERVAL
from copytrade.brokers.dhan.instruments.cache import MasterSource
from copytrade.paper.process import PaperConfig, start_paper_process

#: Seconds for which the other thread sleeps between two turns.
TURN = 0.001


def main() -> None:
    """Read a master as the program does, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed.master", description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000, help="rows of the master")
    rows = parser.parse_args().rows
    sys.setswitchinterval(SWITCH_INTERVAL)
    broker = start_paper_process(PaperConfig((), "", scripted=False, tick_interval=None, master_rows=rows))
    try:
        with tempfile.TemporaryDirectory() as folder:
            kept = Path(folder) / "instruments"
            source = MasterSource(broker.instruments_url, kept, time_of_day(8, 30))
            _measure("downloaded, read and kept", source)
            print(f"kept: {kept.stat().st_size / 1e6:.1f} MB")
            _measure("read from what was kept", source)
    finally:
        broker.stop()
    print(f"resident memory at its highest: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def _measure(what: str, source: MasterSource) -> None:
    gc.collect()
    before, ended = _resident(), threading.Event()
    waits: list[float] = []

    def take_turns() -> None:
        while not ended.is_set():
            asked = time.perf_counter()
            time.sleep(TURN)
            waits.append(time.perf_counter() - asked - TURN)

    other = threading.Thread(target=take_turns)
    other.start()
    began, worked = time.perf_counter(), time.process_time()
    master = source.read()
    took, worked = time.perf_counter() - began, time.process_time() - worked
    ended.set()
    other.join()
    gc.collect()
    waits.sort()
    print(
        f"{what}: {len(master.instruments):,} instruments in {took:.2f} s, {worked:.2f} s of them work;"
        f" {_resident() - before:.0f} MB more resident;"
        f" another thread waited p50 {waits[len(waits) // 2] * 1e3:.2f},"
        f" p99 {waits[int(len(waits) * 0.99)] * 1e3:.2f}, at most {waits[-1] * 1e3:.1f} ms"
    )


def _resident() -> float:
    """Return the resident megabytes of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


if __name__ == "__main__":
    main()
