"""How often an account is read: nobody knows whether the broker counts reads as orders, so they are few.

All readers of an account share its windows: order book, searches, positions, holdings, results, funds. One read is
under way at a time. When the broker calls for less, nothing is read for a minute, and for twice as long each time that
it says so again.
"""

import math
from collections.abc import Sequence
from enum import IntEnum

from copytrade.budget import Budget, Lane, Window

#: Seconds without a read after the broker has called for less, doubling up to so many.
PAUSE_FIRST, PAUSE_LONGEST = 60.0, 960.0

#: Percent of the longest window that glances may use evenly over it, and all at once when there were none for long.
GLANCES_EVENLY, GLANCES_AT_ONCE = 50, 25


class ReadLane(IntEnum):
    """Why something is read; the lower goes first."""

    URGENT = 0  #: after a gap or an unreadable frame, or for an exit: no window holds it back
    AWAITED = 1  #: somebody can do nothing without it: an order in doubt, capital to size by
    AUDIT = 2  #: nothing seems wrong
    RESULT = 3  #: what the account has made of the day
    GLANCE = 4  #: what a frame may have lost, how late orders are shown: useful and no more


class ReadBudget:
    """The reads of one account, one at a time. Times are monotonic seconds, given by the caller."""

    def __init__(self, windows: Sequence[Window]) -> None:
        """``windows`` are in the order of their length."""
        *shorter, longest = windows
        reserve = longest.limit * (100 - GLANCES_EVENLY - GLANCES_AT_ONCE) // 100
        self._budget = Budget([*shorter, Window(longest.limit, longest.seconds, reserve)])
        self._between_glances = longest.seconds * 100 / GLANCES_EVENLY / longest.limit
        self._ahead = longest.seconds * GLANCES_AT_ONCE / GLANCES_EVENLY
        self._glanced_until = -math.inf
        self._pauses = 0
        self._resumes = 0.0

    def delay(self, now: float, lane: ReadLane) -> float:
        """Return how many seconds until a read of a lane may begin: 0 for at once."""
        paused = max(0.0, self._resumes - now)
        if lane is ReadLane.URGENT:
            return paused
        if lane is not ReadLane.GLANCE:
            return max(paused, self._budget.delay(now))
        return max(paused, self._budget.delay(now, Lane.ENTRY), self._glanced_until - self._ahead - now)

    def begin(self, now: float, lane: ReadLane) -> None:
        """A read is on its way."""
        self._budget.grant(None)
        if lane is ReadLane.GLANCE:
            self._glanced_until = max(self._glanced_until, now) + self._between_glances

    def end(self, at: float) -> None:
        """The read was answered, or will not be."""
        self._budget.settle(None, at)

    def accepted(self) -> None:
        """The broker does not mind being read."""
        self._pauses = 0

    def refused(self, now: float) -> float:
        """The broker calls for less: read nothing for so many seconds, which are returned."""
        pause = min(PAUSE_LONGEST, PAUSE_FIRST * 2.0**self._pauses)
        self._pauses = min(self._pauses + 1, 10)
        self._resumes = now + pause
        return pause

    def is_paused(self, now: float) -> bool:
        """Whether nothing is read, because the broker has called for less."""
        return now < self._resumes

    def assume_full(self, now: float) -> None:
        """Take the shortest window as full: what was read just before is not known."""
        self._budget.assume_full(now)
