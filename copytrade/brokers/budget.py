"""The request budget of one account: when its next order request may be sent.

The limits are settings (``copytrade/settings/request_limits.py``). The broker counts place, modify and cancel together,
per account. It counts by its own clock, and a request can reach it at any moment between being written and being
answered. So a permit occupies its place in every window from the grant until the answer, plus the window's length.
Whatever the network does, no sliding second at the broker can then hold more than the limit.
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
    """At most ``limit`` requests in any ``seconds``; entries may not use the last ``reserve`` of them.

    A ``daily`` window is the calendar day in India instead: it starts over at midnight.
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
        """Return the seconds until a permit can be granted: 0 for at once.

        If the windows are full of permits that are still open, this is a lower bound: ask again then, or when one of
        them is settled.
        """
        while now >= self._day_began + DAY:
            self._day_began += DAY
        del self._settled[: bisect_right(self._settled, now - self._longest)]
        return max(self._delay_in(window, now, lane) for window in self._windows)

    def grant(self, permit: Hashable) -> None:
        """Grant a permit. ``delay`` must be 0."""
        self._open.add(permit)

    def is_open(self, permit: Hashable) -> bool:
        """Whether a permit is granted and not settled."""
        return permit in self._open

    def settle(self, permit: Hashable, at: float) -> None:
        """Note that a permit's request was answered at ``at``. A permit of an earlier budget counts too."""
        self._open.discard(permit)
        insort(self._settled, at)

    def remember(self, answered: Iterable[float]) -> None:
        """Count requests of an earlier run: the broker counts them too."""
        self._settled = sorted([*self._settled, *answered])

    def restate(self, answered: Iterable[float], now: float) -> None:
        """Count these requests and no others: another node has sent them, and some of them only may have been sent.

        They leave what is reserved in each window, so that the follower can always get out.
        """
        counted: list[float] = []
        for at in sorted(answered, reverse=True):
            windows = [one for one in self._windows if at > (self._day_began if one.daily else now - one.seconds)]
            if all(len(counted) < one.limit - one.reserve for one in windows):
                counted.append(at)
        self._settled = counted[::-1]

    @property
    def answered(self) -> tuple[float, ...]:
        """When the requests of the longest window were answered; those that are open count as now to nobody yet."""
        return tuple(self._settled)

    def assume_full(self, now: float) -> None:
        """Count the shortest window as full: what was sent just before is not known."""
        shortest = min(self._windows, key=lambda window: window.seconds)
        for _ in range(shortest.limit):
            insort(self._settled, now)

    def release(self, permit: Hashable) -> None:
        """Return a permit with which nothing was sent."""
        self._open.discard(permit)

    def settle_all(self, at: float) -> None:
        """Count every open permit as used at ``at``: their holder has died."""
        for _ in self._open:
            insort(self._settled, at)
        self._open.clear()

    def left(self, now: float) -> dict[str, int]:
        """Return how many more requests each window would take, by its seconds or ``day``."""
        return {
            "day" if window.daily else f"{window.seconds:g}s": max(0, window.limit - self._used(window, now))
            for window in self._windows
        }

    def _used(self, window: Window, now: float) -> int:
        begins = self._day_began if window.daily else now - window.seconds
        return len(self._settled) - bisect_right(self._settled, begins) + len(self._open)

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
