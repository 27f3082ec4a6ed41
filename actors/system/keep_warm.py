"""Keeps the machine ready for the first order after a pause."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from actors.runtime.dispatcher import Dispatcher
from actors.system.warm_up import Rehearsal

#: Seconds after which the way of an order is gone through because nothing else has gone it.
REHEARSE_AFTER = 0.03

#: Seconds after an order of the leader's for which the next is expected at any moment.
LIVELY_FOR = 60.0

#: Seconds between touches when none is expected, at least.
QUIET_EVERY = 0.1

#: What part of one processor the rehearsal may take while an order is expected, and while none is.
LIVELY_SHARE, QUIET_SHARE = 0.05, 0.001


class Pace(NamedTuple):
    """Seconds between touches, what part of one processor the rehearsal may take, and whether the disk is touched."""

    every: float
    share: float
    wakes_disk: bool


def pace_after(every: float, since_order: float) -> Pace:
    """Return the pace where it is to be ``every`` seconds while the leader trades, so long after his last order."""
    if since_order < LIVELY_FOR:
        return Pace(every, LIVELY_SHARE, wakes_disk=True)
    return Pace(max(every, QUIET_EVERY), QUIET_SHARE, wakes_disk=False)


class Readiness:
    """A thread that touches the disk and the way of an order: while the leader trades each ``every`` seconds; 0: never.

    Nothing is written by flushing a folder that has not changed: it is a word to the device alone. A commit after 50 ms
    of silence took 1.6 ms on the virtual disk of a cloud machine, and 0.25 ms when it had been spoken to within 20 ms.
    Of what a lone order takes on its way, that and what the processor's caches have forgotten are the larger part. The
    way of an order is gone through as often as a part of one processor allows: where that takes a fifth of a
    millisecond, each time, and on a virtual machine whose host takes memory and processor away from who does not use
    them, where it was seen to take 2 to 10 ms, less often. A minute after the leader's last order the disk is left
    alone, and the rest done seldom: it is most of what waiting costs, and an order was then seen to take half a
    millisecond more.
    """

    def __init__(
        self, folder: Path | None, every: float, dispatcher: Dispatcher, last_order: Callable[[], float]
    ) -> None:
        """``folder`` is where commits wait for the disk, None if they do not; orders go through ``dispatcher``.

        ``last_order`` tells when the leader's last one came, in monotonic seconds.
        """
        self._folder = folder
        self._every = every
        self._dispatcher = dispatcher
        self._last_order = last_order
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="readiness", daemon=True)

    def start(self) -> None:
        """Begin, unless there is nothing to do."""
        if self._every:
            self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopped.set()

    def _run(self) -> None:
        rehearsal, rehearsed_at, took = Rehearsal(), 0.0, 0.0
        folder = os.open(self._folder, os.O_RDONLY) if self._folder else None
        pace = self._pace(time.monotonic())
        while not self._stopped.wait(pace.every):
            self._dispatcher.relieve()
            if folder is not None and pace.wakes_disk:
                with suppress(OSError):  # whoever writes to a disk that cannot be flushed finds out, and says so
                    os.fsync(folder)
            now = time.monotonic()
            pace = self._pace(now)
            if now > max(rehearsed_at + took / pace.share, self._dispatcher.ran_at + REHEARSE_AFTER):
                began = time.thread_time()
                rehearsal.go_through()
                rehearsed_at, took = now, time.thread_time() - began
        if folder is not None:
            os.close(folder)

    def _pace(self, now: float) -> Pace:
        return pace_after(self._every, now - self._last_order())
