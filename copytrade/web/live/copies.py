"""The copies of a day, of which only those that changed are read again."""

import time
from collections.abc import Sequence
from datetime import date, timedelta

import peewee

from copytrade.reports.queries import RecordedCopy, copies_changed, copies_on

#: A row may be written later than it says: rows that changed so shortly before the last one are read again.
OVERLAP = timedelta(seconds=10)

#: Seconds after which all are read again.
ALL_AFTER = 300.0


class CopiesOfDay:
    """Keeps a day's copies by leader order, follower and number."""

    def __init__(self) -> None:
        self._day: date | None = None
        self._read_at = 0.0
        self._kept: dict[tuple[str, str, int], RecordedCopy] = {}

    def read(self, connection: peewee.Database, day: date) -> Sequence[RecordedCopy]:
        """Return all copies of a day, in the order in which they were first seen."""
        now = time.monotonic()
        if day != self._day or now - self._read_at > ALL_AFTER or not self._kept:
            self._day, self._read_at, self._kept = day, now, {}
            found = copies_on(connection, day)
        else:
            found = copies_changed(connection, day, max(one.updated_at for one in self._kept.values()) - OVERLAP)
        for copy in found:
            if copy.n:  # an order that is sent replaces why it was not
                self._kept.pop((copy.leader_order_id, copy.follower, 0), None)
            self._kept[copy.leader_order_id, copy.follower, copy.n] = copy
        return list(self._kept.values())
