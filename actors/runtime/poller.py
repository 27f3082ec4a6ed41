"""The sockets of many accounts, watched by a thread that has nothing more urgent to do.

A thread for each socket would have them all wake at once, and compete for the interpreter with whoever still sends.
"""

import os
import selectors
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from loguru import logger

#: Looks at a socket at a monotonic time; returns when to look again though nothing has come, None: never again.
OnReadable = Callable[[float], float | None]

#: Seconds after which sockets are looked at although there is something else to do.
NEGLECTED_AFTER = 0.05

#: Seconds that anybody waits at the latest, though nothing that is known of is due.
LONGEST_WAIT = 1.0


class _Watch:
    """A socket that is watched. Only who holds the token changes anything of it."""

    __slots__ = ("due", "fileno", "is_out", "is_over", "is_registered", "is_urgent", "on_readable")

    def __init__(self, fileno: int, on_readable: OnReadable, *, is_urgent: bool) -> None:
        self.fileno = fileno
        self.on_readable = on_readable
        self.is_urgent = is_urgent
        self.due = 0.0
        #: From when it is found until it is back from whoever looked at it.
        self.is_out = False
        self.is_registered = False
        self.is_over = False


class Sockets:
    """Which sockets are watched, and which of them have something to be read; urgent ones go first.

    Any thread may call, and none waits for another. The selectors and the table of watches belong to whoever holds the
    one token, which nobody does while anything of others is run. A watch is in one place at a time: with the selectors,
    among what was found, with the thread that looks at it, or among what comes, be it back or for the first time. It
    passes from each to the next in one atomic step, so that no two threads ever look at the same socket at once.
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
        self._token: deque[None] = deque([None])
        self._is_asleep = False
        self._watches: dict[int, _Watch] = {}
        self._next_due = 0.0
        #: What is to be watched from now on, and when it is due; None: no longer.
        self._coming: deque[tuple[_Watch, float | None]] = deque()
        #: What was found to have something, and when.
        self._pressing: deque[tuple[_Watch, float]] = deque()
        self._waiting: deque[tuple[_Watch, float]] = deque()
        self._looked_at = 0.0

    def watch(self, fileno: int, on_readable: OnReadable, due: float, *, urgent: bool = False) -> None:
        """Have ``on_readable`` called whenever the socket has something to be read, and when ``due`` has come.

        Raises ValueError for the number of a socket that is closed. The one that is watched is closed in its look.
        """
        if fileno < 0:
            raise ValueError("a socket that is closed cannot be watched")
        self._coming.append((_Watch(fileno, on_readable, is_urgent=urgent), due))
        self.wake()

    def wake(self) -> bool:
        """Wake whoever waits, who sees then what has been added to before; False if nobody waits."""
        if not self._is_asleep:
            return False
        with suppress(BlockingIOError):  # it rings already
            os.write(self._button, b"!")
        return True

    def wait(self, has_work: Callable[[], object]) -> bool:
        """Wait until there is something to look at, or somebody wakes us, unless there is work to do before.

        False, at once, if another thread waits, or is about to see what there is.
        """
        try:
            self._token.pop()
        except IndexError:
            return False
        try:
            self._is_asleep = True  # before we see that there is nothing: who brings something afterwards wakes us
            self._take_in()
            if not (self._pressing or self._waiting or has_work()):
                self._find(max(0.0, self._next_due - time.monotonic()))
        finally:
            self._is_asleep = False  # before the next can be
            self._token.append(None)
        return True

    def see(self) -> None:
        """See what has something to be read by now, unless another thread is at it; wait for nothing."""
        try:
            self._token.pop()
        except IndexError:
            return
        try:
            self._take_in()
            self._find(0.0)
        finally:
            self._token.append(None)

    def poll_urgent(self, now: float) -> None:
        """Read what is urgent, and the others too if they have waited for long; wait for nothing."""
        if not self._pressing:
            self.see()
        while self._look_at_next(self._pressing):
            pass
        if now - self._looked_at > NEGLECTED_AFTER:
            for _ in range(len(self._waiting)):
                self.on_readable()

    def on_readable(self) -> bool:
        """Read the next socket that has something; False if none is known to have."""
        if self._look_at_next(self._pressing):
            return True
        self._looked_at = time.monotonic()
        return self._look_at_next(self._waiting)

    def _look_at_next(self, found: deque[tuple[_Watch, float]]) -> bool:
        try:
            watch, found_at = found.popleft()
        except IndexError:
            return False
        if watch.is_over:  # its number is another's
            return True
        try:
            due = watch.on_readable(found_at)
        except Exception as error:  # the thread is not this socket's to end
            logger.opt(exception=error).error("Looking at a socket failed unexpectedly")
            due = None
        self._coming.append((watch, due))
        self.wake()
        return True

    def _take_in(self) -> None:
        """Watch what has come, for the first time or again."""
        while self._coming:
            watch, due = self._coming.popleft()
            if watch.is_over:  # meanwhile its number was watched anew
                continue
            if due is None:
                self._drop(watch)
                continue
            if (stale := self._watches.get(watch.fileno)) is not watch:
                if stale is not None:  # not dropped yet, and its number in use again
                    self._drop(stale)
                self._watches[watch.fileno] = watch
            watch.due = due
            watch.is_out = False
            self._next_due = min(due, self._next_due)
            if not watch.is_registered:
                self._register(watch)

    def _find(self, seconds: float) -> None:
        events = self._urgent.select(seconds)
        now = time.monotonic()
        for key, _ in events:
            if key.data is not None:
                self._found(key.data, now)
            elif key.fd == self._bell:
                with suppress(BlockingIOError):
                    os.read(self._bell, 64)
            elif not self._waiting:
                for ordinary, _ in self._ordinary.select(0.0):
                    self._found(ordinary.data, now)
        if not self._waiting:
            self._looked_at = now
        if now >= self._next_due:
            self._next_due = now + LONGEST_WAIT
            for watch in self._watches.values():
                if watch.is_out:  # it comes back with when it is due
                    continue
                if watch.due <= now:
                    self._found(watch, now)
                else:
                    self._next_due = min(watch.due, self._next_due)

    def _found(self, watch: _Watch, now: float) -> None:
        if watch.is_out:  # somebody takes long over it: it would be found again and again until then
            self._unregister(watch)
            return
        watch.is_out = True
        (self._pressing if watch.is_urgent else self._waiting).append((watch, now))

    def _drop(self, watch: _Watch) -> None:
        watch.is_over = True
        del self._watches[watch.fileno]
        self._unregister(watch)

    def _register(self, watch: _Watch) -> None:
        watch.is_registered = True
        try:
            self._selector_of(watch).register(watch.fileno, selectors.EVENT_READ, watch)
        except OSError:  # closed meanwhile: who looks finds out
            self._found(watch, time.monotonic())

    def _unregister(self, watch: _Watch) -> None:
        watch.is_registered = False
        with suppress(KeyError):
            self._selector_of(watch).unregister(watch.fileno)

    def _selector_of(self, watch: _Watch) -> selectors.BaseSelector:
        return self._urgent if watch.is_urgent else self._ordinary
