"""When an order is read again because it is not known whether the broker has done what was asked.

The outcome of a request is unknown, or it was accepted and nothing shows that it was carried out. The first read is
soon, each later one after a longer pause, and there is one at the end of each window over which absence is proven.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from copytrade.core.engine.copies.holds import FIRST, LAST
from copytrade.core.model.copies import CopyId

#: Seconds within which feed or book should show what the broker has accepted.
SHOWN_WITHIN = 3.0

#: The fewest seconds between two reads, and the fewest reads in one window.
AT_MOST_EVERY, IN_A_WINDOW = 0.1, 4

#: How many windows absence is proven over at most.
_WINDOWS = (1, 2)


@dataclass(slots=True)
class _Look:
    since: datetime
    due: datetime


class Looks:
    """The repeated reads of one account's orders. A ``window`` is in seconds."""

    def __init__(self) -> None:
        self._looks: dict[CopyId, _Look] = {}

    def take(self, copy_id: CopyId, now: datetime, window: float, wait: float) -> bool:
        """Whether to read an order now; the first read is ``wait`` seconds after this was first asked."""
        look = self._looks.get(copy_id)
        if look is None or now < look.since:  # the clock was set back
            look = self._looks[copy_id] = _Look(now, now + timedelta(seconds=wait))
        if now < look.due:
            return False
        look.due = now + timedelta(seconds=_pause((now - look.since).total_seconds(), window))
        return True

    def due(self, copy_id: CopyId) -> datetime:
        """Return when an order that was asked about is read next."""
        return self._looks[copy_id].due

    def end(self, copy_id: CopyId) -> None:
        """Stop reading an order; the next doubt begins anew."""
        self._looks.pop(copy_id, None)


def _pause(elapsed: float, window: float) -> float:
    """Return the seconds until the next read, ``elapsed`` seconds after the doubt began."""
    step = max(AT_MOST_EVERY, window / IN_A_WINDOW)
    pause = min(LAST, max(min(FIRST, step), elapsed / 2))
    ends = [times * window for times in _WINDOWS if times * window > elapsed]
    return max(AT_MOST_EVERY, min(pause, step, ends[0] - elapsed)) if ends else pause
