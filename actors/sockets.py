"""The sockets of many accounts, watched by a thread that has nothing more urgent to do.

A thread for each socket would have them all wake at once, and compete for the interpreter with whoever still sends.
"""

import os
import selectors
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from loguru import logger

#: Looks at a socket at a monotonic time; returns when to look again though nothing has come, None: never again.
Look = Callable[[float], float | None]

#: Seconds after which sockets are looked at although there is something else to do.
NEGLECTED_AFTER = 0.05

#: Seconds after which it is seen at the latest what is due: two threads may have told of it at the same moment.
LONGEST_WAIT = 1.0


class _Watch:
    __slots__ = ("due", "fileno", "free", "is_over", "is_urgent", "look")

    def __init__(self, fileno: int, look: Look, due: float, *, is_urgent: bool) -> None:
        self.fileno = fileno
        self.look = look
        self.due = due
        self.is_urgent = is_urgent
        self.is_over = False
        #: Holds its one token while nobody looks: two threads never look at the same socket.
        self.free: deque[None] = deque([None])


class Sockets:
    """Which sockets are watched, and which of them have something to be read; urgent ones go first.

    Any thread may call. Who is watched, and when the next is due, is changed under the one lock there is among the
    actors: two selectors and a table cannot be changed in one atomic step. Nobody looks at a socket while holding it.
    """

    def __init__(self) -> None:
        self._ordinary = selectors.DefaultSelector()
        self._urgent = selectors.DefaultSelector()
        self._bell, self._button = os.pipe()
        for end in (self._bell, self._button):
            os.set_blocking(end, False)
            weakref.finalize(self, os.close, end)
        self._urgent.register(self._bell, selectors.EVENT_READ)
        self._urgent.register(self._ordinary, selectors.EVENT_READ)  # epoll and kqueue have a number of their own
        self._changing = threading.Lock()
        self._watches: dict[int, _Watch] = {}
        #: What was found to have something, and when.
        self._pressing: deque[tuple[_Watch, float]] = deque()
        self._waiting: deque[tuple[_Watch, float]] = deque()
        self._next_due = 0.0
        self._looked_at = 0.0

    def watch(self, fileno: int, look: Look, due: float, *, urgent: bool = False) -> None:
        """Have ``look`` called whenever the socket has something to be read, and when ``due`` has come."""
        with self._changing:
            if (stale := self._watches.get(fileno)) is not None:  # not dropped yet, and its number in use again
                self._drop(stale)
            self._watches[fileno] = watch = _Watch(fileno, look, due, is_urgent=urgent)
            self._selector_of(watch).register(fileno, selectors.EVENT_READ, watch)
            is_next = due < self._next_due
            self._next_due = min(due, self._next_due)
        if is_next:
            self.ring()

    def ring(self) -> None:
        """Wake whoever waits."""
        with suppress(BlockingIOError):  # it rings already
            os.write(self._button, b"!")

    def wait(self) -> None:
        """Wait until there is something to look at, or until somebody rings."""
        self._find(max(0.0, self._next_due - time.monotonic()))

    def see(self) -> None:
        """See what has something to be read by now; wait for nothing."""
        self._find(0.0)

    def glance(self, now: float) -> None:
        """Look at what is urgent, and at one of the others if all have been neglected for long; wait for nothing."""
        if not self._pressing:
            self._find(0.0)
        while self._pressing:
            self._take(self._pressing)
        if now - self._looked_at > NEGLECTED_AFTER:
            for _ in range(len(self._waiting)):
                self.look()

    def look(self) -> bool:
        """Look at the next socket that has something; False if none is known to have."""
        if self._pressing:
            return self._take(self._pressing)
        self._looked_at = time.monotonic()
        return self._take(self._waiting)

    def _take(self, found: deque[tuple[_Watch, float]]) -> bool:
        try:
            watch, found_at = found.popleft()
        except IndexError:
            return False
        self._look_at(watch, found_at)
        return True

    def _find(self, seconds: float) -> None:
        events = self._urgent.select(seconds)
        now = time.monotonic()
        for key, _ in events:
            if key.data is not None:
                self._pressing.append((key.data, now))
            elif key.fd == self._bell:
                with suppress(BlockingIOError):
                    os.read(self._bell, 64)
            elif not self._waiting:
                self._waiting.extend((ordinary.data, now) for ordinary, _ in self._ordinary.select(0.0))
        if not self._waiting:
            self._looked_at = now
        if now >= self._next_due:
            with self._changing:
                watches = list(self._watches.values())
                self._next_due = min([now + LONGEST_WAIT, *(watch.due for watch in watches if watch.due > now)])
            self._waiting.extend((watch, now) for watch in watches if watch.due <= now)

    def _look_at(self, watch: _Watch, now: float) -> None:
        try:
            watch.free.pop()
        except IndexError:  # another thread is at it
            return
        if watch.is_over:
            return
        try:
            due = watch.look(now)
        except Exception as error:  # the thread is not this socket's to end
            logger.opt(exception=error).error("Looking at a socket failed unexpectedly")
            due = None
        with self._changing:
            if due is None:
                self._drop(watch)
            else:
                watch.due = due
                self._next_due = min(self._next_due, due)
        watch.free.append(None)

    def _drop(self, watch: _Watch) -> None:
        watch.is_over = True
        if self._watches.get(watch.fileno) is watch:
            del self._watches[watch.fileno]
            with suppress(KeyError):
                self._selector_of(watch).unregister(watch.fileno)

    def _selector_of(self, watch: _Watch) -> selectors.BaseSelector:
        return self._urgent if watch.is_urgent else self._ordinary
