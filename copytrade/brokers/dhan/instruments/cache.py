"""The day's instrument master: read once, and kept beside the database."""

import csv
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path

from loguru import logger

from copytrade.brokers.dhan.instruments.download import paced, read_instruments
from copytrade.brokers.instrument_source import Master, MasterUnreadable
from copytrade.common import wall_clock
from copytrade.common.logs import fields
from copytrade.core.model.instruments import MasterUnusable, master_rows, read_master
from copytrade.core.model.orders import IST

_EVER = datetime.min.replace(tzinfo=UTC)


class MasterSource:
    """The broker's instrument master at ``location``, a URL or a file, and its ``cache`` file.

    A new one is published each trading morning: one read before ``renewed_at``, in India's time, is not today's.
    """

    def __init__(self, location: str, cache: Path, renewed_at: time_of_day) -> None:
        self._location = location
        self._cache = cache
        self._renewed_at = renewed_at

    def seconds_until_renewed(self, now: datetime) -> float:
        """Return the seconds until the master has to be read again."""
        return (self._last_renewal(now) + timedelta(days=1) - now).total_seconds()

    def read(self) -> Master:
        """Return today's master, from the cache file if that is today's and of this location; keep it there.

        Raises MasterUnreadable.
        """
        now = wall_clock.now()
        if self._is_remote and (kept := self.kept(since=self._last_renewal(now))):
            return kept
        try:
            master = Master(read_instruments(self._location)[0], now)
        except (OSError, ValueError, MasterUnusable) as error:
            raise MasterUnreadable(str(error) or type(error).__name__) from None
        try:
            self._keep(master)
        except OSError as error:
            logger.warning("Instrument master not kept for another day {}", fields(file=self._cache, error=error))
        return master

    def _keep(self, master: Master) -> None:
        fresh = self._cache.with_name(f"{self._cache.name}.new")
        fresh.touch(mode=0o600)
        with fresh.open("w", encoding="utf-8") as file:
            file.write(f"{self._mark} {master.read_at.isoformat()}\n")
            csv.writer(file, lineterminator="\n").writerows(paced(master_rows(master.instruments)))
        fresh.replace(self._cache)

    def kept(self, since: datetime = _EVER) -> Master | None:
        """Return the cached master of this location, None if there is none of ``since`` or later."""
        try:
            with self._cache.open(encoding="utf-8", newline="") as file:
                mark, _, written = file.readline().rstrip("\n").rpartition(" ")
                read_at = datetime.fromisoformat(written)
                if mark != self._mark or read_at < since:
                    return None
                return Master(read_master(paced(file)), read_at)
        except (OSError, ValueError, TypeError, MasterUnusable):
            return None

    @property
    def _mark(self) -> str:
        return f"# {self._location}"

    @property
    def _is_remote(self) -> bool:
        return self._location.startswith(("http://", "https://"))

    def _last_renewal(self, now: datetime) -> datetime:
        today = datetime.combine(now.astimezone(IST).date(), self._renewed_at, IST)
        return today if today <= now else today - timedelta(days=1)
