"""The time of day for the whole program: read once, then carried on by the monotonic clock, so that it never jumps.

Setting the machine's clock while orders are copied would make new orders look old. The error of this clock is measured
against the broker's (``copytrade.brokers.http.server_clock``).
"""

import time
from datetime import UTC, datetime, timedelta

_READ_AT = datetime.now(UTC), time.monotonic()


def now() -> datetime:
    """Return the time of day, in UTC."""
    return at(time.monotonic())


def at(moment: float) -> datetime:
    """Return the time of day of a monotonic time, in UTC."""
    then, monotonic = _READ_AT
    return then + timedelta(seconds=moment - monotonic)


def monotonic_of(moment: datetime) -> float:
    """Return the monotonic time of a time of day."""
    then, monotonic = _READ_AT
    return monotonic + (moment - then).total_seconds()
