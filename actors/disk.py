"""Keeps the disk under the database awake, because what an idle one is told first it writes late."""

import os
import threading
from contextlib import suppress
from pathlib import Path


class WakefulDisk:
    """Flushes a folder's disk every ``every`` seconds, until closed.

    Nothing is written by that: a flush of a folder that has not changed is a word to the device alone. A commit after
    50 ms of silence took 1.6 ms on the virtual disk of a cloud machine, and 0.25 ms when it had been spoken to within
    20 ms; that is most of what a lone order takes on its way.
    """

    def __init__(self, folder: Path, every: float) -> None:
        self._every = every
        self._closed = threading.Event()
        self._folder = os.open(folder, os.O_RDONLY)
        threading.Thread(target=self._run, name="disk", daemon=True).start()

    def close(self) -> None:
        """Let the disk go to sleep."""
        self._closed.set()

    def _run(self) -> None:
        with suppress(OSError):  # a disk that cannot be flushed is found out by who writes to it
            while not self._closed.wait(self._every):
                os.fsync(self._folder)
        os.close(self._folder)
