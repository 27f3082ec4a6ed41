"""Tells of leaders' feeds that are down while the market is open."""

from collections.abc import Callable
from datetime import datetime, timedelta

from copytrade.common.logs import alert, fields, over
from copytrade.core.market.trading_day import TradingDay
from copytrade.storage.files.status_file import CopierStatus

#: How long it has to be down for somebody to be told.
DOWN_AFTER = timedelta(seconds=60)

#: Added to the time between two alerts, so that the notifier does not hold the second one back.
MARGIN = timedelta(seconds=1)


class FeedWatch:
    """Looks at the feed of each leader and its gate; ``again`` returns the seconds between two alerts of one."""

    def __init__(self, again: Callable[[], float], day: TradingDay) -> None:
        self._again = again
        self._day = day
        self._feeds: dict[str, _Feed] = {}

    def look(self, copier: CopierStatus) -> None:
        """Tell that one is down, has been down for another while, or is back."""
        for leader in copier.all_leaders:
            if leader not in self._feeds:
                self._feeds[leader] = _Feed(leader, self._again, self._day)
            self._feeds[leader].look(copier)


class _Feed:
    """Looks at the feed of one leader."""

    def __init__(self, leader: str, again: Callable[[], float], day: TradingDay) -> None:
        self._leader = leader
        self._again = again
        self._day = day
        self._down_since: datetime | None = None
        self._told_at: datetime | None = None

    def look(self, copier: CopierStatus) -> None:
        """Tell that it is down, has been down for another while, or is back."""
        state, gate = _feed_of(copier, self._leader)
        if state in ("live", "busy") and gate == "open":
            self._is_back(copier)
            return
        if self._down_since is None:
            self._down_since = copier.at
        since = copier.at - self._down_since
        is_due = self._told_at is None or copier.at - self._told_at >= timedelta(seconds=self._again()) + MARGIN
        if since >= DOWN_AFTER and is_due and self._day.is_on(copier.at):
            self._told_at = copier.at
            what = fields(account=self._leader, state=state, gate=gate)
            alert("feed_down", self._leader, "Leader's feed down for {}, entries wait {}", _lasted(since), what)

    def _is_back(self, copier: CopierStatus) -> None:
        if self._down_since is not None and self._told_at is not None:
            lasted, what = _lasted(copier.at - self._down_since), fields(account=self._leader)
            over("feed_down", self._leader, "Leader's feed works again, it was down for {} {}", lasted, what)
        self._down_since = self._told_at = None


def _feed_of(copier: CopierStatus, leader: str) -> tuple[str, str]:
    feed = copier.actor(f"feed-{leader}")
    return (feed.state, str(feed.figures.get("gate", "closed"))) if feed else ("", "closed")


def _lasted(time: timedelta) -> str:
    """Return a time in words, by the minute once it is longer than two."""
    whole = round(time.total_seconds())
    return f"{whole} s" if whole < 120 else f"{whole // 60} min"
