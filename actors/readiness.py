"""Keeps the machine ready for the first order after a pause."""

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from actors.dispatcher import Dispatcher
from actors.rehearsal import Rehearsal

#: Seconds after which the way of an order is gone through because nothing else has gone it.
REHEARSE_AFTER = 0.03

#: What part of one processor that may take.
REHEARSING_SHARE = 0.005


class Readiness:
    """A thread that touches the disk and the way of an order every ``every`` seconds; 0: never.

    Nothing is written by flushing a folder that has not changed: it is a word to the device alone. A commit after 50 ms
    of silence took 1.6 ms on the virtual disk of a cloud machine, and 0.25 ms when it had been spoken to within 20 ms.
    Of what a lone order takes on its way, that and what the processor's caches have forgotten are the larger part. The
    way of an order is gone through as often as a small part of one processor allows: where that takes a fifth of a
    millisecond, each time, and on a virtual machine whose host takes memory and processor away from who does not use
    them, where it was seen to take 2 to 10 ms, once in a while.
    """

    def __init__(self, folder: Path | None, every: float, dispatcher: Dispatcher) -> None:
        """``folder`` is where commits wait for the disk, None if they do not; orders go through ``dispatcher``."""
        self._folder = folder
        self._every = every
        self._dispatcher = dispatcher
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
        rehearsal, not_before = Rehearsal(), 0.0
        folder = os.open(self._folder, os.O_RDONLY) if self._folder else None
        while not self._stopped.wait(self._every):
            self._dispatcher.relieve()
            if folder is not None:
                with suppress(OSError):  # whoever writes to a disk that cannot be flushed finds out, and says so
                    os.fsync(folder)
            now = time.monotonic()
            if now > max(not_before, self._dispatcher.ran_at + REHEARSE_AFTER):
                began = time.thread_time()
                rehearsal.go_through()
                not_before = now + (time.thread_time() - began) / REHEARSING_SHARE
        if folder is not None:
            os.close(folder)
