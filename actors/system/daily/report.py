"""The day's report: what is kept for it while the copier runs, and its page, written after the session's end."""

import subprocess
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from time import monotonic

from loguru import logger

from copytrade.common import wall_clock
from copytrade.common.logs import fields
from copytrade.core.market.trading_day import TradingDay
from copytrade.core.model.orders import IST
from copytrade.reports.day.file import page_file
from copytrade.reports.day.kept import KeptDay, kept_of, renewed
from copytrade.reports.day.task import start_task
from copytrade.reports.snapshot import open_to_read
from copytrade.settings import Limits
from copytrade.storage.database import DatabaseUnusable
from copytrade.storage.files.status_file import CopierStatus
from copytrade.storage.records import ConfigSet

#: Seconds between two looks at the status. A feed shows its latest gaps for longer, however often it is lost.
KEEP_EVERY = 30.0

#: How long after the session's end the page is written: late fills and the last result are in it.
WRITTEN_AFTER = timedelta(minutes=10)

#: When the page is written at the latest: on its own day.
AT_THE_LATEST = time(23, 58)


class DayReport:
    """Keeps what no table tells of the day, and has the day's page written. Used by the main thread."""

    def __init__(
        self,
        database: str,
        limits: Limits,
        day: TradingDay,
        status: Callable[[], CopierStatus | None],
        write: Callable[[ConfigSet], object],
        now: Callable[[], datetime] = wall_clock.now,
    ) -> None:
        """``status`` is what the copier shows now, ``write`` has a record stored."""
        self._database = database
        self._limits = limits
        self._day = day
        self._status = status
        self._write = write
        self._now = now
        self._kept: tuple[date, KeptDay] | None = None
        self._keeps_at = 0.0
        self._written: date | None = None
        self._writing: tuple[date, subprocess.Popen[bytes]] | None = None

    def look(self) -> None:
        """Keep what has changed, and begin to write the page if it is time; called about once a second."""
        if monotonic() >= self._keeps_at:
            self._keeps_at = monotonic() + KEEP_EVERY
            self.keep()
        if self._writing is not None:
            self._end_writing(0.0)
        self._write_if_over(WRITTEN_AFTER)

    def keep(self) -> None:
        """Have what the copier shows now stored."""
        status = self._status()
        if status is None:
            return
        day = status.at.astimezone(IST).date()
        kept = self._kept_of(day)
        if kept is not None:
            self._kept = day, renewed(kept, status)
            self._write(self._kept[1].record(day))

    def finish(self, seconds: float) -> bool:
        """Write the page now if the session is over, and wait so long for it; return whether none is being written."""
        self._write_if_over(timedelta(0))
        if self._writing is not None:
            self._end_writing(max(0.0, seconds))
        return self._writing is None

    def _kept_of(self, day: date) -> KeptDay | None:
        """Return what is kept of a day so far, an earlier run's part included; None while that cannot be read."""
        if self._kept is not None and self._kept[0] == day:
            return self._kept[1]
        try:
            with open_to_read(self._database) as connection:
                return kept_of(connection, day) or KeptDay()
        except DatabaseUnusable as error:
            logger.debug("What is kept of the day cannot be read {}", fields(error=error))
            return None

    def _write_if_over(self, since: timedelta) -> None:
        """Begin to write the page of today, once, if its session has been over for so long."""
        now = self._now().astimezone(IST)
        if self._written == now.date():
            return
        ends = self._day.end(now.date())
        if ends is not None and now >= min(ends + since, datetime.combine(now.date(), AT_THE_LATEST, IST)):
            self._begin_writing(now.date())

    def _begin_writing(self, day: date) -> None:
        self._written = day
        try:
            if page_file(self._database, day).exists():  # an earlier run's
                return
            self._writing = day, start_task(self._database, day, self._limits)
        except OSError as error:
            logger.warning("Report of the day not written {}", fields(error=error))

    def _end_writing(self, seconds: float) -> None:
        """Log the outcome of a page that has been written within ``seconds``."""
        if self._writing is None:
            return
        day, process = self._writing
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        self._writing = None
        if process.returncode == 0:
            logger.info("Report of the day written {}", fields(file=page_file(self._database, day)))
        else:
            said = process.stderr.read() if process.stderr is not None else b""
            why = said.decode(errors="replace").strip().rpartition("\n")[2]
            logger.warning("Report of the day not written {}", fields(exit_code=process.returncode, error=why))
