"""Looks at each status of the copier for what an operator is told."""

import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from loguru import logger

from copytrade.storage.files.status_file import CopierStatus

#: Seconds that the thread gets to end.
ENDS_WITHIN = 1.0


class Watch(Protocol):
    """Tells of one kind of trouble or news."""

    def look(self, copier: CopierStatus) -> None:
        """Look at a status, about once a second."""
        ...


class Watching:
    """Hands each status to every watch, in a thread of its own: a watch may read the database."""

    def __init__(self, watches: Sequence[Watch]) -> None:
        self._watches = list(watches)
        self._waiting: queue.SimpleQueue[CopierStatus | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._look_at_all, name="watches", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def put(self, status: CopierStatus) -> None:
        """Have a status looked at; returns at once."""
        self._waiting.put(status)

    def close(self) -> None:
        """End the thread."""
        self._waiting.put(None)
        with suppress(RuntimeError):  # it was never started
            self._thread.join(ENDS_WITHIN)

    def _look_at_all(self) -> None:
        while (status := self._waiting.get()) is not None:
            for watch in list(self._watches):
                try:
                    watch.look(status)
                except Exception as error:  # the others go on
                    self._watches.remove(watch)
                    logger.opt(exception=error).error("Watch ended {}", type(watch).__name__)
