"""How much of its request budget each account has used on a day."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta

import msgspec
import peewee

from copytrade.core.model.orders import IST
from copytrade.reports.snapshot import rows_of
from copytrade.settings import Limits
from copytrade.storage.audit_chain import BOARD


class WindowUse(msgspec.Struct, frozen=True):
    """The most requests in any one window of the day, and when it ended; ``limit`` is what the settings allow now.

    ``window`` is its seconds (``60s``) or ``day``.
    """

    window: str
    most: int
    until: datetime
    limit: int


def requests_on(connection: peewee.Database, day: date) -> Mapping[str, list[float]]:
    """Return the times of each account's requests of a day, by when they were answered: epoch seconds, ascending."""
    begins = datetime.combine(day, time.min, IST)
    ends = begins + timedelta(days=1)
    query = "SELECT account, ts FROM audit_log WHERE ts >= ? AND ts < ? AND account <> ? ORDER BY ts"
    found: defaultdict[str, list[float]] = defaultdict(list)
    for account, ts in rows_of(connection, query, begins.timestamp(), ends.timestamp(), BOARD):
        found[account].append(ts)
    return found


def use_of(times: Sequence[float], limits: Limits) -> list[WindowUse]:
    """Return the use of each window by these requests, none without requests."""
    if not times:
        return []
    windows = ((1, limits.per_second), (60, limits.per_minute), (3600, limits.per_hour))
    in_all = WindowUse("day", len(times), datetime.fromtimestamp(times[-1], IST), limits.per_day)
    return [*(_use(times, seconds, limit) for seconds, limit in windows), in_all]


def _use(times: Sequence[float], seconds: int, limit: int) -> WindowUse:
    first, most, until = 0, 0, times[-1]
    for number, at in enumerate(times):
        while times[first] <= at - seconds:
            first += 1
        if number - first + 1 > most:
            most, until = number - first + 1, at
    return WindowUse(f"{seconds}s", most, datetime.fromtimestamp(until, IST), limit)
