"""The request budget of one account: how many order requests the broker takes in which time.

The broker counts place, modify and cancel together, per account: 10 a second, 250 a minute, 1,000 an hour, 7,000 a
day. What counts is its clock, not ours, and a request can reach it at any moment between being written and being
answered. So a permit occupies its place in every window from the moment it is granted until the answer is in, plus the
window's length: whatever the network does, no sliding second at the broker can then hold more than the limit.
"""

from bisect import bisect_right, insort
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from copytrade.common import wall_clock
from copytrade.core.model.lane import Lane
from copytrade.core.model.orders import IST

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Window:
    """At most ``limit`` requests in any ``seconds``, of which entries may not use the last ``reserve``.

    A ``daily`` one is of the calendar day in India instead: it begins anew at midnight.
    """

    limit: int
    seconds: float
    reserve: int = 0
    daily: bool = False


def midnight() -> float:
    """Return when the day in India began, in monotonic seconds of our clock."""
    now = wall_clock.now().astimezone(IST)
    return wall_clock.monotonic_of(now.replace(hour=0, minute=0, second=0, microsecond=0))


class Budget:
    """The permits of one account. Times are monotonic seconds, given by the caller."""

    def __init__(self, windows: Sequence[Window], day_began: float = 0.0) -> None:
        self._windows = tuple(windows)
        self._longest = max(window.seconds for window in windows)
        self._day_began = day_began
        self._settled: list[float] = []
        self._open: set[Hashable] = set()

    def delay(self, now: float, lane: Lane = Lane.CANCEL) -> float:
        """Return how many seconds until a permit can be granted: 0 for at once.

        While the windows are full of permits that have not come back yet, the answer is the shortest that could be
        true; ask again then, or when one comes back.
        """
        while now >= self._day_began + DAY:
            self._day_began += DAY
        del self._settled[: bisect_right(self._settled, now - self._longest)]
        return max(self._delay_in(window, now, lane) for window in self._windows)

    def grant(self, permit: Hashable) -> None:
        """Hand out a permit; the caller has seen that ``delay`` is 0."""
        self._open.add(permit)

    def is_open(self, permit: Hashable) -> bool:
        """Whether a permit has been granted and has not come back."""
        return permit in self._open

    def settle(self, permit: Hashable, at: float) -> None:
        """Take note that a permit's request was answered at ``at``; one of an earlier budget counts too."""
        self._open.discard(permit)
        insort(self._settled, at)

    def remember(self, answered: Iterable[float]) -> None:
        """Count requests of an earlier life: the broker has not forgotten them."""
        self._settled = sorted([*self._settled, *answered])

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

    def _delay_in(self, window: Window, now: float, lane: Lane) -> float:
        limit = window.limit if lane.may_use_reserve else window.limit - window.reserve
        begins = self._day_began if window.daily else now - window.seconds
        first = bisect_right(self._settled, begins)
        inside = len(self._settled) - first
        over = inside + len(self._open) + 1 - limit
        if over <= 0:
            return 0.0
        if window.daily:
            return self._day_began + DAY - now
        if over > inside:
            return window.seconds
        return self._settled[first + over - 1] + window.seconds - now
