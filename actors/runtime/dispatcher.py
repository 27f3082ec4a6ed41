"""One thread for many actors: it runs one message of one actor at a time, in the order in which they were told.

If a hundred actors had threads, all would wake at once for every order and compete for the interpreter. The thread also
reads their sockets when no message waits, and the leader's in between, so that answers about one order do not delay the
next. If an actor keeps the thread for too long, another thread serves the others.
"""

import heapq
import itertools
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from loguru import logger

from actors.runtime.poller import OnReadable, Sockets

#: Seconds between reads of urgent sockets while there are messages to run.
POLL_URGENT_EVERY = 0.002

#: Seconds after which an actor with more messages lets others have their turn.
TURN = 0.001

#: Seconds that an actor may keep the thread before the others are given another one.
PATIENCE = 0.02


class Dispatcher:
    """Runs mailboxes. Only the table of sockets has a lock; all else that threads share is taken in one atomic step.

    A thread that adds work looks afterwards whether another one waits, and wakes it. A thread that is going to wait
    says so before it looks for work. So one of the two sees the other.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._ready: deque[Mailbox] = deque()
        self._sockets = Sockets()
        self._workers: list[_Worker] = []
        #: Calls for when there is nothing else to do: a heap by the time at which each has to be made.
        self._afterwards: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._is_stopping = False

    def schedule(self, mailbox: "Mailbox") -> None:
        """Run a mailbox when its turn comes."""
        self._ready.append(mailbox)
        self._rouse()

    def watch(self, fileno: int, on_readable: OnReadable, due: float, *, urgent: bool = False) -> None:
        """Have ``on_readable`` called whenever a socket has something to be read, and when ``due`` has come."""
        self._sockets.watch(fileno, on_readable, due, urgent=urgent)

    def call_when_idle(self, call: Callable[[], object], by: float) -> None:
        """Call something when there is nothing left to run or to read, at a monotonic time at the latest.

        Such calls are made in the order of their times. What comes of one is done before the next.
        """
        heapq.heappush(self._afterwards, (by, next(self._numbers), call))
        self._rouse()

    def relieve(self) -> None:
        """Start a thread if there is none, or all of them are stuck."""
        now = time.monotonic()
        workers = list(self._workers)
        if workers and not workers[-1].is_stuck(now):  # as a rule
            return
        if all(worker.is_stuck(now) for worker in workers):
            worker = _Worker(self._name, self._work)
            self._workers.append(worker)
            try:
                worker.start()
            except RuntimeError as error:  # the system allows no more threads: the next call tries again
                self._workers.remove(worker)
                logger.error("No thread for {}: {}", self._name, error)

    def _rouse(self) -> None:
        if not self._sockets.wake():
            self.relieve()

    def stop(self) -> None:
        """End every thread once it has run what waits."""
        self._is_stopping = True
        self._sockets.wake()

    def _work(self, worker: "_Worker") -> None:
        poll_urgent_at = 0.0
        try:
            while True:
                worker.busy_since = began = time.monotonic()
                if began >= poll_urgent_at:
                    self._sockets.poll_urgent(began)
                    poll_urgent_at = began + POLL_URGENT_EVERY
                if self._afterwards:
                    while self._call_next_afterwards(began):
                        pass
                try:
                    mailbox = self._ready.popleft()
                except IndexError:
                    if self._is_stopping and not self._afterwards:
                        break
                    if self._sockets.read_next():
                        pass
                    elif self._afterwards:
                        self._sockets.poll()
                        if not self._sockets.read_next():
                            self._call_next_afterwards()
                    else:
                        worker.busy_since = None
                        if not self._sockets.wait(self._has_work) and self._leaves(worker):
                            break
                        continue
                else:
                    mailbox.run()
                if time.monotonic() - began > PATIENCE and self._leaves(worker):
                    break
        finally:
            if worker in self._workers:
                self._workers.remove(worker)
            if self._ready or self._afterwards or not self._is_stopping:  # told while this thread was still counted
                self._rouse()

    def _has_work(self) -> bool:
        return bool(self._ready or self._afterwards or self._is_stopping)

    def _call_next_afterwards(self, due_by: float = math.inf) -> bool:
        """Make the first of the idle calls, if its time is not after ``due_by``; return whether one was made."""
        try:
            if self._afterwards[0][0] > due_by:
                return False
            _, _, call = heapq.heappop(self._afterwards)
        except IndexError:  # another thread has taken it
            return False
        call()
        return True

    def _leaves(self, worker: "_Worker") -> bool:
        """Take a thread out of the list if others do the work; return whether it is out."""
        self._workers.remove(worker)  # before we look who is left: of two that would leave at once, one stays
        now = time.monotonic()
        if any(other.is_alive() and not other.is_stuck(now) for other in list(self._workers)):
            return True
        self._workers.append(worker)
        return False


class _Worker(threading.Thread):
    def __init__(self, name: str, work: "Callable[[_Worker], None]") -> None:
        super().__init__(name=name, daemon=True)
        self._work = work
        self.busy_since: float | None = None

    def is_stuck(self, now: float) -> bool:
        """Whether it has been busy with one message for more than :data:`PATIENCE`."""
        since = self.busy_since
        return since is not None and now - since > PATIENCE

    def run(self) -> None:
        """Work until it is not needed any more."""
        self._work(self)


class TurnOver(Exception):
    """The turn of an actor is over."""


class Mailbox:
    """The inbox of an actor without a thread of its own. A message has the dispatcher run the actor."""

    def __init__(self, dispatcher: Dispatcher, step: Callable[[], None]) -> None:
        self._dispatcher = dispatcher
        self._step = step
        self._envelopes: deque[Any] = deque()
        self._has_ended = False
        self._left = 0
        self._turn_ends = 0.0
        #: Holds one item while the actor is idle, neither running nor scheduled; none before it has begun.
        self._idle: deque[None] = deque()

    def begin(self) -> None:
        """Run the actor for the first time."""
        self._dispatcher.schedule(self)

    def put(self, envelope: Any) -> None:
        """Add a message."""
        self._envelopes.append(envelope)
        self._wake()

    def run(self) -> None:
        """Let the actor handle the messages that wait now, for 1 ms at most."""
        self._left = len(self._envelopes)
        self._turn_ends = time.monotonic() + TURN
        self._step()
        self._idle.append(None)
        if self._envelopes:
            self._wake()

    def open(self) -> None:
        """Hand out all messages that are left, because the actor has ended."""
        self._has_ended = True

    def close(self) -> None:
        """Drop the reference to the actor, and every later message."""
        self._step = self._envelopes.clear

    def _wake(self) -> None:
        """Schedule the actor, unless it runs or is scheduled already."""
        try:
            self._idle.pop()
        except IndexError:
            self._dispatcher.relieve()
        else:
            self._dispatcher.schedule(self)

    def get(self) -> Any:
        """Return the next message, to the actor's loop. Raises TurnOver when the turn is over."""
        if not self._has_ended:
            if not self._left or time.monotonic() > self._turn_ends:
                raise TurnOver
            self._left -= 1
        return self._envelopes.popleft()

    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._envelopes

    def qsize(self) -> int:
        """Return how many messages wait."""
        return len(self._envelopes)
