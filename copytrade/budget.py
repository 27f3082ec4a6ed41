"""The request budget of one account: how many order requests the broker takes in which time.

The broker counts place, modify and cancel together, per account: 10 a second, 250 a minute, 1,000 an hour, 7,000 a
day. What counts is its clock, not ours, and a request can reach it at any moment between being written and being
answered. So a permit occupies its place in every window from the moment it is granted until the answer is in, plus the
window's length: whatever the network does, no sliding second at the broker can then hold more than the limit.
"""

from bisect import bisect_right, insort
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import IntEnum


class Lane(IntEnum):
    """How urgent a request is; the lower is served first."""

    CANCEL = 0
    EXIT = 1
    MODIFY = 2
    ENTRY = 3


@dataclass(frozen=True, slots=True)
class Window:
    """At most ``limit`` requests in any ``seconds``."""

    limit: int
    seconds: float


class Budget:
    """The permits of one account. Times are monotonic seconds, given by the caller."""

    def __init__(self, windows: Sequence[Window]) -> None:
        self._windows = tuple(windows)
        self._longest = max(window.seconds for window in windows)
        self._settled: list[float] = []
        self._open: set[Hashable] = set()

    def delay(self, now: float) -> float:
        """Return how many seconds until a permit can be granted: 0 for at once.

        While the windows are full of permits that have not come back yet, the answer is the shortest that could be
        true; ask again then, or when one comes back.
        """
        self._forget(now)
        return max(self._delay_in(window, now) for window in self._windows)

    def grant(self, permit: Hashable) -> None:
        """Hand out a permit; the caller has seen that ``delay`` is 0."""
        self._open.add(permit)

    def is_open(self, permit: Hashable) -> bool:
        """Whether a permit has been granted and has not come back."""
        return permit in self._open

    def settle(self, permit: Hashable, at: float) -> None:
        """Take note that a permit's request was answered at ``at``."""
        if permit in self._open:
            self._open.remove(permit)
            insort(self._settled, at)

    def assume_full(self, now: float) -> None:
        """Take the shortest window as full: what was sent just before is not known."""
        shortest = min(self._windows, key=lambda window: window.seconds)
        for _ in range(shortest.limit):
            insort(self._settled, now)

    def release(self, permit: Hashable) -> None:
        """Take back a permit with which nothing was sent."""
        self._open.discard(permit)

    def settle_all(self, at: float) -> None:
        """Take every open permit as used at ``at``: their holder is gone and cannot say."""
        for _ in self._open:
            insort(self._settled, at)
        self._open.clear()

    @property
    def used(self) -> int:
        """How many requests the longest window holds."""
        return len(self._settled) + len(self._open)

    def _delay_in(self, window: Window, now: float) -> float:
        first = bisect_right(self._settled, now - window.seconds)
        inside = len(self._settled) - first
        over = inside + len(self._open) + 1 - window.limit
        if over <= 0:
            return 0.0
        if over > inside:
            return window.seconds
        return self._settled[first + over - 1] + window.seconds - now

    def _forget(self, now: float) -> None:
        del self._settled[: bisect_right(self._settled, now - self._longest)]
