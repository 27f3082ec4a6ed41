"""Keeps the machine ready for the first order after a pause."""

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from actors.dispatcher import Dispatcher
from actors.rehearsal import Rehearsal

#: The way of an order is gone through where nothing has gone it for so many times as long as the disk is left alone.
REHEARSE_AFTER = 20.0


class Readiness:
    """A thread that touches the disk and the way of an order every ``every`` seconds; 0: never.

    Nothing is written by flushing a folder that has not changed: it is a word to the device alone. A commit after 50 ms
    of silence took 1.6 ms on the virtual disk of a cloud machine, and 0.25 ms when it had been spoken to within 20 ms.
    Of what a lone order takes on its way, that and what the processor's caches have forgotten are the larger part. The
    way of an order is gone through every twentieth time, and only while nothing has gone that way for as long.
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
        rehearsal, rehearsed = Rehearsal(), 0.0
        folder = os.open(self._folder, os.O_RDONLY) if self._folder else None
        while not self._stopped.wait(self._every):
            self._dispatcher.relieve()
            if folder is not None:
                with suppress(OSError):  # whoever writes to a disk that cannot be flushed finds out, and says so
                    os.fsync(folder)
            now = time.monotonic()
            if now - max(rehearsed, self._dispatcher.ran_at) > REHEARSE_AFTER * self._every:
                rehearsal.go_through()
                rehearsed = now
        if folder is not None:
            os.close(folder)
