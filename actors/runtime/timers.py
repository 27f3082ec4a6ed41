"""One thread for all timers. A timer is a message told later; no actor sleeps in a handler."""

import heapq
import itertools
import math
import queue
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Any, NamedTuple
from zlib import crc32

from actors.runtime.address import M, Recipient

#: Seconds that the thread sleeps at most: the system refuses very long waits.
LONGEST_SLEEP = 86_400.0

#: Turns in each interval of a task that every account does once in it.
TURNS = 40


class _Timer(NamedTuple):
    """Sorted by ``due``. Numbers are unique, so that addresses and messages are never compared."""

    due: float
    number: int
    address: Recipient[Any]
    message: object


def phase_of(name: str) -> float:
    """Return a fraction (0 to 1) of an interval, fixed for each name, so that accounts do not act all at once."""
    return crc32(name.encode()) % 1000 / 1000


def until_turn(name: str, interval: float) -> float:
    """Return the seconds until a name's next turn; there is one in each ``interval`` of seconds.

    Names are spread over :data:`TURNS` turns. Those that share a turn wake the program together.
    """
    turn = crc32(name.encode()) % TURNS * interval / TURNS
    left = (turn - time.monotonic()) % interval
    return left if left > interval / TURNS / 2 else left + interval


class Clock(threading.Thread):
    """Tells messages when they are due.

    It is no pykka actor, because an actor's loop cannot wait with a time limit. A timer cannot be cancelled: its
    receiver ignores it. There are no locks. A thread that adds a timer looks afterwards until when the clock sleeps,
    and wakes it if the timer is due earlier. The clock says until when it sleeps before it looks for new timers. So one
    of the two sees the other.
    """

    def __init__(self) -> None:
        super().__init__(name="Clock", daemon=True)
        self._coming: deque[_Timer] = deque()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._sleeps_until = math.inf
        self._is_stopping = False
        self._numbers = itertools.count()

    def tell_later(self, delay: float, address: Recipient[M], message: M) -> None:
        """Tell ``message`` to ``address`` in ``delay`` seconds, whichever incarnation is there then."""
        timer = _Timer(time.monotonic() + delay, next(self._numbers), address, message)
        self._coming.append(timer)
        if timer.due < self._sleeps_until:
            self._bell.put(None)

    def stop(self) -> None:
        """End the thread; timers that are not due yet are dropped."""
        self._is_stopping = True
        self._bell.put(None)

    def run(self) -> None:
        """Tell each message when it is due."""
        timers: list[_Timer] = []
        while not self._is_stopping:
            while self._coming:
                heapq.heappush(timers, self._coming.popleft())
            self._sleeps_until = timers[0].due if timers else math.inf
            if self._coming:
                continue
            wait = min(timers[0].due - time.monotonic(), LONGEST_SLEEP) if timers else None
            if wait is None or wait > 0:
                with suppress(queue.Empty):
                    self._bell.get(timeout=wait)
                continue
            due = heapq.heappop(timers)
            with suppress(RuntimeError):  # no thread could be started; the next message tries again
                due.address.tell(due.message)
