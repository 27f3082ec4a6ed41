"""The sockets of many accounts, watched by one thread that has nothing more urgent to do.

If each socket had a thread, all would wake at once and compete for the interpreter with threads that still send.
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

#: Reads a socket at a monotonic time; returns when to be called again though nothing has come, None: never again.
OnReadable = Callable[[float], float | None]

#: Seconds after which ready sockets are read although there is something else to do.
NEGLECTED_AFTER = 0.05

#: Seconds that a thread waits at most, though nothing is known to be due.
LONGEST_WAIT = 1.0


class _Watch:
    """A socket that is watched, and what is called when it can be read."""

    __slots__ = ("due", "fileno", "is_out", "is_over", "is_registered", "is_urgent", "on_readable")

    def __init__(self, fileno: int, on_readable: OnReadable, due: float, *, is_urgent: bool) -> None:
        self.fileno = fileno
        self.on_readable = on_readable
        self.due = due
        self.is_urgent = is_urgent
        #: Whether it is ready or being read. No second thread reads it then.
        self.is_out = False
        #: Whether the selector has it.
        self.is_registered = False
        #: Whether it is watched no more.
        self.is_over = False


class Sockets:
    """Which sockets are watched, and which of them can be read; urgent ones are read first.

    Any thread may call. One lock guards the table and the selectors. It is not held while a socket is read or while a
    thread waits, so a slow reader holds up nobody. One thread waits at a time.
    """

    def __init__(self) -> None:
        self._ordinary = selectors.DefaultSelector()
        self._urgent = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = os.pipe()
        for end in (self._wake_reader, self._wake_writer):
            os.set_blocking(end, False)
            weakref.finalize(self, os.close, end)
        self._urgent.register(self._wake_reader, selectors.EVENT_READ)
        self._urgent.register(self._ordinary, selectors.EVENT_READ)  # epoll and kqueue have a number of their own
        self._lock = threading.Lock()
        self._is_asleep = False
        self._watches: dict[int, _Watch] = {}
        self._next_due = 0.0
        #: Sockets that can be read, and since when that is known.
        self._ready_urgent: deque[tuple[_Watch, float]] = deque()
        self._ready: deque[tuple[_Watch, float]] = deque()
        self._read_at = 0.0

    def watch(self, fileno: int, on_readable: OnReadable, due: float, *, urgent: bool = False) -> None:
        """Have ``on_readable`` called whenever the socket has something to be read, and when ``due`` has come.

        It replaces an earlier watch of the same number. Raises ValueError for the number of a socket that is closed.
        """
        if fileno < 0:
            raise ValueError("a socket that is closed cannot be watched")
        watch = _Watch(fileno, on_readable, due, is_urgent=urgent)
        with self._lock:
            if (stale := self._watches.get(fileno)) is not None:
                self._drop(stale)
            self._watches[fileno] = watch
            self._register(watch)
        self.wake()

    def wake(self) -> bool:
        """Wake the thread that waits; False if none does. It sees then what was added before the call."""
        if not self._is_asleep:
            return False
        with suppress(BlockingIOError):  # the pipe is full: it wakes already
            os.write(self._wake_writer, b"!")
        return True

    def wait(self, has_work: Callable[[], object]) -> bool:
        """Wait until a socket can be read, one is due, or somebody wakes us; not at all if there is work to do.

        False, at once, if another thread waits.
        """
        with self._lock:
            if self._is_asleep:
                return False
            self._is_asleep = True  # before we see that there is nothing: whoever adds something afterwards wakes us
        try:
            if not (self._ready_urgent or self._ready or has_work()):
                events = self._urgent.select(max(0.0, self._next_due - time.monotonic()))
                with self._lock:
                    self._take(events)
        finally:
            self._is_asleep = False
        return True

    def poll(self) -> None:
        """See which sockets can be read by now, unless a thread waits for them anyway."""
        with self._lock:
            if not self._is_asleep:
                self._take(self._urgent.select(0.0))

    def poll_urgent(self, now: float) -> None:
        """Read the urgent sockets that can be read; the others too if they have waited for long."""
        if not self._ready_urgent:
            self.poll()
        while self._read_next_of(self._ready_urgent):
            pass
        if now - self._read_at > NEGLECTED_AFTER:
            for _ in range(len(self._ready)):
                self.read_next()

    def read_next(self) -> bool:
        """Read the next socket that is known to be ready; False if there is none."""
        if self._read_next_of(self._ready_urgent):
            return True
        self._read_at = time.monotonic()
        return self._read_next_of(self._ready)

    def _read_next_of(self, ready: deque[tuple[_Watch, float]]) -> bool:
        try:
            watch, found_at = ready.popleft()
        except IndexError:
            return False
        if watch.is_over:  # its number is another's
            return True
        try:
            due = watch.on_readable(found_at)
        except Exception as error:  # the thread is not this socket's to end
            logger.opt(exception=error).error("Reading a socket failed unexpectedly")
            due = None
        with self._lock:
            self._put_back(watch, due)
        self.wake()
        return True

    def _put_back(self, watch: _Watch, due: float | None) -> None:
        """Watch a socket again that has been read, or no more."""
        if watch.is_over:  # its number was watched anew meanwhile
            return
        if due is None:
            self._drop(watch)
            return
        watch.due = due
        watch.is_out = False
        self._register(watch)

    def _take(self, events: list[tuple[selectors.SelectorKey, int]]) -> None:
        """Queue what can be read, and what is due."""
        now = time.monotonic()
        for key, _ in events:
            if key.data is not None:
                self._found(key.data, now)
            elif key.fd == self._wake_reader:
                with suppress(BlockingIOError):
                    os.read(self._wake_reader, 64)
            elif not self._ready:
                for ordinary, _ in self._ordinary.select(0.0):
                    self._found(ordinary.data, now)
        if not self._ready:
            self._read_at = now
        if now >= self._next_due:
            self._next_due = now + LONGEST_WAIT
            for watch in self._watches.values():
                if watch.is_out:  # it is put back with when it is due
                    continue
                if watch.due <= now:
                    self._found(watch, now)
                else:
                    self._next_due = min(watch.due, self._next_due)

    def _found(self, watch: _Watch, now: float) -> None:
        if watch.is_over:  # dropped after the selector had returned it
            return
        if watch.is_out:  # a thread takes long over it: the selector would return it again and again until then
            self._unregister(watch)
            return
        watch.is_out = True
        (self._ready_urgent if watch.is_urgent else self._ready).append((watch, now))

    def _drop(self, watch: _Watch) -> None:
        watch.is_over = True
        del self._watches[watch.fileno]
        self._unregister(watch)

    def _register(self, watch: _Watch) -> None:
        self._next_due = min(watch.due, self._next_due)
        if watch.is_registered:
            return
        watch.is_registered = True
        try:
            self._selector_of(watch).register(watch.fileno, selectors.EVENT_READ, watch)
        except OSError:  # closed meanwhile: its reader finds out
            self._found(watch, time.monotonic())

    def _unregister(self, watch: _Watch) -> None:
        if watch.is_registered:
            watch.is_registered = False
            with suppress(KeyError):
                self._selector_of(watch).unregister(watch.fileno)

    def _selector_of(self, watch: _Watch) -> selectors.BaseSelector:
        return self._urgent if watch.is_urgent else self._ordinary
