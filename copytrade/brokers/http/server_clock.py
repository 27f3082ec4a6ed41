"""How far our clock is from the broker's, by the Date header of its replies (1 s resolution)."""

from collections import deque
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from statistics import median

from copytrade.common import wall_clock

#: Replies over which the median is taken: one that was slow says little.
REPLIES = 9


class ServerClock:
    """The broker's clock beside ours. May be used from any thread."""

    def __init__(self) -> None:
        self._skews: deque[float] = deque(maxlen=REPLIES)

    def replied(self, date: str | None, duration: float) -> None:
        """Take in a reply's Date header, just received, ``duration`` seconds after its request was begun."""
        if date is None:
            return
        theirs = _read(date)
        if theirs is None:
            return
        ours: datetime = wall_clock.now() - timedelta(seconds=duration / 2)
        self._skews.append((theirs - ours).total_seconds() + 0.5)  # they cut the second off

    @property
    def is_known(self) -> bool:
        """Whether any reply has told."""
        return bool(self._skews)

    @property
    def skew(self) -> float:
        """Seconds to add to our time to have theirs, 0 while nothing is known; right to about a second."""
        skews = list(self._skews)
        return median(skews) if skews else 0.0


@lru_cache(maxsize=8)
def _read(date: str) -> datetime | None:
    """Return the moment that a Date header names; kept, as many replies come in the same second."""
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
