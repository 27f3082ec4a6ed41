"""One thread for all timers. A timer is a message told later; nobody sleeps in a handler."""

import heapq
import itertools
import queue
import threading
import time
from contextlib import suppress
from typing import Any, NamedTuple
from zlib import crc32

from actors.base import Address, M


class _Timer(NamedTuple):
    """Sorted by when it is due; no two have one number, so that what follows it is never compared."""

    due: float
    number: int
    address: Address[Any]
    message: object


def phase_of(name: str) -> float:
    """Return which part of an interval passes before somebody's first time (0 to 1): not all accounts at once."""
    return crc32(name.encode()) % 1000 / 1000


class Clock(threading.Thread):
    """Tells messages when they are due.

    Not a pykka actor, because an actor's loop waits for its next message without a limit; in all else it is one: a
    queue, a thread, and nothing shared. A cancelled timer is one whose receiver no longer cares.
    """

    def __init__(self) -> None:
        super().__init__(name="Clock", daemon=True)
        self._inbox: queue.SimpleQueue[_Timer | None] = queue.SimpleQueue()
        self._numbers = itertools.count()

    def tell_later(self, delay: float, address: Address[M], message: M) -> None:
        """Tell ``message`` to ``address`` in ``delay`` seconds, whoever sits there then."""
        self._inbox.put(_Timer(time.monotonic() + delay, next(self._numbers), address, message))

    def stop(self) -> None:
        """End the thread; timers that are not due yet are forgotten."""
        self._inbox.put(None)

    def run(self) -> None:
        """Wait for the next timer or the next request, whichever comes first."""
        timers: list[_Timer] = []
        while True:
            wait = max(0.0, timers[0].due - time.monotonic()) if timers else None
            try:
                timer = self._inbox.get(timeout=wait)
            except queue.Empty:
                due = heapq.heappop(timers)
                with suppress(RuntimeError):  # no thread to run whoever it is for: that is seen to elsewhere
                    due.address.tell(due.message)
                continue
            if timer is None:
                return
            heapq.heappush(timers, timer)
