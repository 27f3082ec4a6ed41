"""The difference between our clock and the broker's, from the Date header of its replies (1 s resolution)."""

from collections import deque
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from statistics import median

from copytrade.common import wall_clock

#: Number of replies for the median: a single slow one says little.
REPLIES = 9


class ServerClock:
    """The broker's clock relative to ours. May be used from any thread."""

    def __init__(self) -> None:
        self._skews: deque[float] = deque(maxlen=REPLIES)

    def replied(self, date: str | None, duration: float) -> None:
        """Note a reply's Date header, just received, ``duration`` seconds after its request was begun."""
        if date is None:
            return
        theirs = _read(date)
        if theirs is None:
            return
        ours: datetime = wall_clock.now() - timedelta(seconds=duration / 2)
        self._skews.append((theirs - ours).total_seconds() + 0.5)  # they cut the second off

    @property
    def is_known(self) -> bool:
        """Whether any reply had a Date header."""
        return bool(self._skews)

    @property
    def skew(self) -> float:
        """Seconds to add to our time to get the broker's, 0 before the first reply; right to about a second."""
        skews = list(self._skews)
        return median(skews) if skews else 0.0


@lru_cache(maxsize=8)
def _read(date: str) -> datetime | None:
    """Return the time of a Date header. Cached: many replies come in the same second."""
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
