"""Reads of one account's positions, compared with what its orders come to, line by line.

Orders, positions and the feed are never of one instant: the broker shows a fill in the positions some time before or
after the feed does. So one read proves nothing about a line that moves. A difference counts when two reads, begun at
least the longest lag apart, show the same position, nothing was filled on the line from that lag before the first read
until the second, and a complete read of the order book that began after both explains it no better.

All times are by our clock; the broker's times of fills are converted.
"""

from collections import defaultdict, deque
from collections.abc import Container, Mapping
from datetime import date, datetime, timedelta

import msgspec

from copytrade.core.model.ledger import LineKey
from copytrade.core.model.orders import IST

#: The least assumed lag of positions.
LEAST_LAG = timedelta(seconds=2)

#: The longest lag that is accepted: waiting longer would hold every correction back.
LONGEST_LAG = timedelta(seconds=30)

#: The broker's times of fills have whole seconds.
RESOLUTION = timedelta(seconds=1)


class _Streak(msgspec.Struct, gc=False):
    """Consecutive reads of the same ``net`` position, with no fill between them nor shortly before the first."""

    net: int
    first: datetime
    last: datetime


class PositionReads:
    """The reads of one account. A *difference* is the position that was read less the one by orders, signed."""

    def __init__(self) -> None:
        self._fills: defaultdict[LineKey, deque[tuple[datetime, int]]] = defaultdict(deque)
        self._filled_at: dict[LineKey, datetime] = {}
        self._streaks: dict[LineKey, _Streak] = {}
        self._confirmed: dict[LineKey, tuple[int, datetime]] = {}
        #: The differences of the last read that no recent fill explains.
        self.suspected: dict[LineKey, int] = {}
        #: How late positions may be: the longest lag seen of book or positions, never less than two seconds.
        self.lag = LEAST_LAG
        #: When the last read began, None before the first.
        self.last_read: datetime | None = None

    def saw_lag(self, seconds: float) -> None:
        """Note that the broker showed something so late."""
        self.lag = min(max(self.lag, timedelta(seconds=seconds)), LONGEST_LAG)

    def filled(self, key: LineKey, units: int, at: datetime, *, by_others: bool = False) -> None:
        """Note a fill (signed units) on a line at about this time: reads before and after it are not comparable.

        Fills ``by_others`` may explain a difference that the positions showed before the order did.
        """
        fills = self._fills[key]
        while fills and fills[0][0] <= at - LONGEST_LAG:
            fills.popleft()
        fills.append((at, units))
        self._filled_at[key] = max(at, self._filled_at.get(key, at))
        self._streaks.pop(key, None)
        self._confirmed.pop(key, None)
        suspected = self.suspected.get(key, 0)
        if by_others and suspected * units > 0:
            left = suspected - units
            if left * suspected > 0:
                self.suspected[key] = left
            else:
                del self.suspected[key]

    def read(self, net: Mapping[LineKey, int], at: datetime, expected: Mapping[LineKey, int]) -> None:
        """Take in a read of all positions, begun at ``at``; ``expected`` is what the orders come to."""
        if self.last_read is not None and at <= self.last_read:
            return
        self.last_read = at
        differences = {key: net.get(key, 0) - expected.get(key, 0) for key in {*net, *expected}}
        unexplained = {key: self._beyond_recent_fills(key, units, at) for key, units in differences.items() if units}
        for key, difference in differences.items():
            streak = self._streaks.get(key)
            if streak is None or streak.net != net.get(key, 0) or self._moved_before(key, streak.first):
                self._streaks[key] = streak = _Streak(net.get(key, 0), at, at)
            streak.last = at
            confirmed = self._confirmed.get(key)
            self.settle(key)
            if not difference:
                self._fills.pop(key, None)
            elif suspected := unexplained[key] or self._appeared(key, difference, unexplained):
                self.suspected[key] = suspected
                if confirmed is not None and confirmed[0] == difference:
                    self._confirmed[key] = confirmed
                elif self._is_steady(key, streak):
                    self._confirmed[key] = difference, at
            else:
                self._lacks(key, difference, at)

    def _appeared(self, key: LineKey, difference: int, unexplained: Mapping[LineKey, int]) -> int:
        """Return the difference if the same units appeared in another product, and no recent fill explains that."""
        is_there = any(
            other.key == key.key and other != key and units == -difference for other, units in unexplained.items()
        )
        return difference if is_there else 0

    def _beyond_recent_fills(self, key: LineKey, difference: int, at: datetime) -> int:
        """Return the part of a difference that cannot be explained by missing recent fills of the line."""
        if key not in self._fills:
            return difference
        since = at - self.lag - RESOLUTION
        recent = self._fills[key] = deque(fill for fill in self._fills[key] if fill[0] > since)
        if not recent:
            del self._fills[key]
        least = -sum(units for _, units in recent if units > 0)
        most = -sum(units for _, units in recent if units < 0)
        return min(0, difference - least) or max(0, difference - most)

    def _lacks(self, key: LineKey, difference: int, at: datetime) -> None:
        """Learn the lag from positions that lack exactly the last fills of a line."""
        lacking = 0
        for filled_at, units in reversed(self._fills[key]):
            lacking -= units
            if lacking == difference:
                self.saw_lag((at - filled_at).total_seconds())

    def _moved_before(self, key: LineKey, moment: datetime) -> bool:
        """Whether a line had a fill so shortly before a moment that a read at that moment may lack it."""
        filled_at = self._filled_at.get(key)
        return filled_at is not None and moment < filled_at + self.lag

    def _is_steady(self, key: LineKey, streak: _Streak) -> bool:
        """Whether reads far enough apart agree about a line on which nothing was filled for long enough."""
        return not self._moved_before(key, streak.first) and streak.last - streak.first >= self.lag

    def confirmed(self, book_read: datetime | None) -> dict[LineKey, int]:
        """Return the confirmed differences, given when the last complete read of the order book began."""
        if book_read is None:
            return {}
        return {key: difference for key, (difference, at) in self._confirmed.items() if at < book_read}

    def may_be_moving(self, key: LineKey, difference: int, confirmed: Container[LineKey]) -> bool:
        """Whether a difference may have moved from or to another product, which is not among those ``confirmed``."""
        return any(other not in confirmed for other in self._other_ends(key, difference))

    def _other_ends(self, key: LineKey, difference: int) -> list[LineKey]:
        """Return the lines to which, or from which, a difference may have moved."""
        return [
            other
            for other, units in self.suspected.items()
            if other.key == key.key and other != key and units * difference < 0
        ]

    def was_filled_on(self, key: LineKey, day: date) -> bool:
        """Whether something was filled on a line on a day in India."""
        filled_at = self._filled_at.get(key)
        return filled_at is not None and filled_at.astimezone(IST).date() == day

    def is_newer(self, key: LineKey, other: "PositionReads") -> bool:
        """Whether a line's position was first read after the last read of ``other``."""
        streak = self._streaks.get(key)
        return streak is not None and (other.last_read is None or other.last_read < streak.first)

    def settle(self, key: LineKey) -> None:
        """Drop a difference: it was accepted."""
        self._confirmed.pop(key, None)
        self.suspected.pop(key, None)

    def shows(self, filled_at: datetime) -> bool:
        """Whether the last read began so long after a fill that it shows it."""
        return self.last_read is not None and filled_at + self.lag + RESOLUTION < self.last_read

    def needs_another(self) -> bool:
        """Whether a difference of the last read waits for another read to confirm it."""
        return bool(self.suspected) and any(key not in self._confirmed for key in self.suspected)

    def agrees_since(self, key: LineKey, moment: datetime) -> bool:
        """Whether reads after a moment, far enough apart, agree about a line, and nothing may have been converted."""
        streak = self._streaks.get(key)
        if streak is None or self._other_ends(key, self.suspected.get(key, 0)):
            return False
        if streak.first < moment:
            if streak.last <= moment:
                return False
            streak.first = streak.last  # the earlier ones say nothing about what was wanted later
        return streak.last - streak.first >= self.lag
