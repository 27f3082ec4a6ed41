"""Tells once a day, after the last session of what is copied, what the day came to."""

from datetime import date, datetime, timedelta

from copytrade.common.logs import alert
from copytrade.core.market.trading_day import TradingDay
from copytrade.core.model.orders import IST
from copytrade.reports.day.evening import evening_line
from copytrade.reports.status import status_of
from copytrade.storage.database import DatabaseUnusable
from copytrade.storage.files.status_file import CopierStatus

#: After so long nothing waits for a read of the positions that began after the close.
PATIENCE = timedelta(minutes=5)


class CloseWatch:
    """Waits for the end of a day on which something traded while it looked."""

    def __init__(self, database: str, day: TradingDay) -> None:
        self._database = database
        self._day = day
        self._traded_on: date | None = None
        self._over_since: datetime | None = None

    def look(self, copier: CopierStatus) -> None:
        """Tell what each follower made of the day, once its positions have been read after the close."""
        today = copier.at.astimezone(IST).date()
        if self._day.is_on(copier.at):
            self._traded_on, self._over_since = today, None
        elif self._traded_on == today and self._day.is_over(copier.at):
            since = self._over_since = self._over_since or copier.at
            if copier.at - since >= PATIENCE or all(_is_read(copier, name, since) for name in copier.followers):
                self._traded_on = None
                self._tell(copier)

    def _tell(self, copier: CopierStatus) -> None:
        try:
            followers = status_of(copier, self._database, copier.followers, {}).followers
        except DatabaseUnusable as error:
            alert("closed", copier.leader, "Day over, its result is not known: {}", error, level="WARNING")
            return
        is_well = all(follower.in_sync for follower in followers)
        said = "; ".join(evening_line(follower, copier.at) for follower in followers)
        alert("closed", copier.leader, "Day over: {}", said, level="INFO" if is_well else "WARNING")


def _is_read(copier: CopierStatus, name: str, since: datetime) -> bool:
    actor = copier.actor(name)
    read = actor.details.get("positions_read") if actor else None
    return read is not None and datetime.fromisoformat(read) >= since
