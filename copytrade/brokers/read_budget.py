"""The budget of reads of an account. Reads are few: it is not known whether the broker counts them as orders.

All reads of an account share its windows: order book, searches, positions, holdings, results, funds. One read is under
way at a time. After a rate-limit refusal nothing is read for a minute, and for twice as long after each further one.
"""

import math
from collections.abc import Sequence
from enum import IntEnum

from copytrade.brokers.budget import Budget, Window
from copytrade.core.model.lane import Lane

#: Seconds without reads after a rate-limit refusal: at first, and at most after doubling.
PAUSE_FIRST, PAUSE_LONGEST = 60.0, 960.0


class ReadLane(IntEnum):
    """The purpose of a read; the lower value goes first."""

    URGENT = 0  #: after a gap or an unreadable frame, or for an exit: no window holds it back
    AWAITED = 1  #: somebody can do nothing without it: an order in doubt, capital to size by
    AUDIT = 2  #: nothing seems wrong
    RESULT = 3  #: what the account has made of the day
    NEWS = 4  #: something was heard of an order of the leader's: a frame about another may have been lost
    LAG = 5  #: how late the broker shows orders


#: Percent of the longest window that a lane may use: evenly over the window, and in a burst after a pause. NEWS is for
#: the leader, the other lanes for followers: with three audits a minute (order book, positions, holdings) neither uses
#: up an hour, so that a result never waits long.
SHARES = {ReadLane.RESULT: (50, 5), ReadLane.NEWS: (25, 40), ReadLane.LAG: (5, 2)}

#: Percent of the longest window that these lanes may never use.
RESERVE = 5


class _Pace:
    """An even pace with a burst after a pause. Times are monotonic seconds."""

    def __init__(self, window: Window, evenly: int, at_once: int) -> None:
        """The last two are percentages of the window's limit."""
        self._apart = window.seconds * 100 / evenly / window.limit
        self._ahead = window.seconds * at_once / evenly
        self._even_until = -math.inf

    def delay(self, now: float) -> float:
        return self._even_until - self._ahead - now

    def begin(self, now: float) -> None:
        self._even_until = max(self._even_until, now) + self._apart


class ReadBudget:
    """The reads of one account, one at a time. Times are monotonic seconds, given by the caller."""

    def __init__(self, windows: Sequence[Window]) -> None:
        """``windows`` are sorted by length."""
        *shorter, longest = windows
        kept = Window(longest.limit, longest.seconds, longest.limit * RESERVE // 100)
        self._budget = Budget([*shorter, kept])
        self._paces = {lane: _Pace(longest, *share) for lane, share in SHARES.items()}
        self._pauses = 0
        self._resumes = 0.0

    def delay(self, now: float, lane: ReadLane) -> float:
        """Return the seconds until a read of a lane may begin: 0 for at once."""
        paused = max(0.0, self._resumes - now)
        if lane is ReadLane.URGENT:
            return paused
        if pace := self._paces.get(lane):
            return max(paused, pace.delay(now), self._budget.delay(now, Lane.ENTRY))
        return max(paused, self._budget.delay(now))

    def begin(self, now: float, lane: ReadLane) -> None:
        """Note that a read began."""
        self._budget.grant(None)
        if pace := self._paces.get(lane):
            pace.begin(now)

    def end(self, at: float) -> None:
        """Note that the read ended, with or without a reply."""
        self._budget.settle(None, at)

    def accepted(self) -> None:
        """Reset the rate-limit backoff: a read was accepted."""
        self._pauses = 0

    def refused(self, now: float) -> float:
        """Back off after a rate-limit refusal; return the seconds without reads."""
        pause = min(PAUSE_LONGEST, PAUSE_FIRST * 2.0**self._pauses)
        self._pauses = min(self._pauses + 1, 10)
        self._resumes = now + pause
        return pause

    def is_paused(self, now: float) -> bool:
        """Whether reads are stopped by a rate-limit refusal."""
        return now < self._resumes

    def assume_full(self, now: float) -> None:
        """Count the shortest window as full: what was read just before is not known."""
        self._budget.assume_full(now)
