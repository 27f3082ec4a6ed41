"""How often execution changes from one source file to another while one order is copied, and one fill is recorded.

python -m bench.speed.file_changes

The copier runs in this process with three followers, the paper broker in its own. Two spans are counted: from the
leader's frame until the last follower's request has arrived, and from the frame of a follower's fill until the row of
the copy shows it. A call from one file of the project into another is a change, also through a library; its return is
not counted again. Each figure is the median of several orders, over all threads of the copier.
"""

import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import Any

from loguru import logger

from actors.system.system import CopySystem
from bench.reliability.rig import CLIENTS, KEPT, LEADER, LOT, ROOT, Rig, start_broker
from copytrade.settings import load_settings

#: Orders that are counted, after those that are not.
ORDERS, WARM_UP = 5, 1

#: Seconds to wait at most, and seconds between an order, its fill and the next order.
PATIENCE, PAUSE = 10.0, 0.5

#: Settings with which nothing runs beside an order.
_QUIET = """
[speed]
ready_every = 0
[log]
status_interval = 600
"""

_FOLDERS = (f"{ROOT / 'actors'}{os.sep}", f"{ROOT / 'copytrade'}{os.sep}")


class Recorder:
    """Notes every call from one file of the project into another: when, and into which file."""

    def __init__(self) -> None:
        self.is_on = False
        self._calls: list[tuple[float, str]] = []

    def note(self, frame: FrameType, event: str, _: object) -> None:
        """Note a call, if it is one: a profile function of ``threading``."""
        if not self.is_on or event != "call" or not _is_ours(frame):
            return
        caller = frame.f_back
        while caller is not None and not _is_ours(caller):
            caller = caller.f_back
        file = frame.f_code.co_filename
        if caller is None or caller.f_code.co_filename != file:
            self._calls.append((time.monotonic(), file))

    def begin(self) -> None:
        """Note from now on."""
        self._calls = []
        self.is_on = True

    def count(self, began: float, ended: float, last: str = "") -> tuple[int, int]:
        """Stop; return how many files ran between two times, and the number of changes.

        The span ends with the last call into a file whose path contains ``last``.
        """
        self.is_on = False
        ended = max(at for at, file in self._calls if last in file and at <= ended)
        files = [file for at, file in self._calls if began <= at <= ended]
        return len(set(files)), len(files)


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_FOLDERS)


def order_to_request(rig: Rig, recorder: Recorder) -> tuple[int, int]:
    """Have the leader place an order that rests; return the files and changes until all requests have arrived."""
    due = rig.writes() + len(CLIENTS)
    recorder.begin()
    order_id = rig.broker.control("place", client_id=LEADER, side="BUY", security_id=KEPT, quantity=2 * LOT, price=90)
    _wait(lambda: rig.writes() >= due)
    arrived = [write["at"] for client in CLIENTS.values() for write in _writes(rig, client)[-1:]]
    return recorder.count(_frame_of(rig, LEADER, order_id), max(arrived))


def fill_to_row(rig: Rig, recorder: Recorder) -> tuple[int, int]:
    """Have the last copy of the first follower fill; return the files and changes until its row shows that."""
    name, client = next(iter(CLIENTS.items()))
    copy = rig.orders(client)[-1]
    leader_order_id = str(copy["correlationId"]).split("-")[1]
    query = (
        f"SELECT 1 FROM copy_mappings WHERE leader_order_id = '{leader_order_id}' AND follower = '{name}'"  # noqa: S608
        f" AND follower_filled = {copy['quantity']}"
    )
    frames = len(rig.broker.control("sent_frames", client_id=client))
    recorder.begin()
    rig.broker.control("fill", client_id=client, order_id=copy["orderId"], quantity=copy["quantity"])
    _wait(lambda: bool(rig.rows(query)))
    ended = time.monotonic()
    sent = rig.broker.control("sent_frames", client_id=client)[frames:]
    return recorder.count(sent[0]["at"], ended, f"{os.sep}storage{os.sep}")


def _frame_of(rig: Rig, client: str, order_id: str) -> float:
    """Return when the first frame about an order had left the broker, in monotonic seconds."""
    frames = rig.broker.control("sent_frames", client_id=client)
    return float(next(frame["at"] for frame in frames if order_id in str(frame["message"])))


def _writes(rig: Rig, client: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = rig.broker.control("writes", client_id=client)
    return found


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"nothing came of an order within {PATIENCE:g} s")
        time.sleep(0.002)


def main() -> None:
    """Run the copier, and print both figures."""
    logger.remove()
    recorder = Recorder()
    threading.setprofile(recorder.note)  # of the threads that start from now on, not of this one
    orders, fills = [], []
    broker = start_broker()
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(broker, Path(folder))
        rig.configure(window=3.0, audit=600.0)
        with (rig.folder / "settings.toml").open("a") as settings:
            settings.write(_QUIET)
        os.chdir(folder)
        ended: SimpleQueue[int] = SimpleQueue()
        system = CopySystem(load_settings(Path("settings.toml")), None, ended.put)
        for client in (LEADER, *CLIENTS.values()):
            broker.control("watch", client_id=client)
        try:
            system.start()
            _wait(system.is_ready)
            for number in range(WARM_UP + ORDERS):
                time.sleep(PAUSE)
                order = order_to_request(rig, recorder)
                time.sleep(PAUSE)
                fill = fill_to_row(rig, recorder)
                if number >= WARM_UP:
                    orders.append(order)
                    fills.append(fill)
        finally:
            system.stop()
            ended.get(timeout=20)
            system.close()
            broker.stop()
            os.chdir(ROOT)
    for what, counts in (("leader's frame to the last request", orders), ("a fill to its row", fills)):
        files, changes = (statistics.median(one) for one in zip(*counts, strict=True))
        print(f"{what}, {len(CLIENTS)} followers: {files:.0f} files, {changes:.0f} changes of file")


if __name__ == "__main__":
    main()
