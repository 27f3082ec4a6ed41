"""Reads what the copier and its database tell, again and again, in a thread of its own."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from loguru import logger

from copytrade.app.commands.status import STALE_AFTER, market_now
from copytrade.common import wall_clock
from copytrade.core.ledger.drift.causes import Drift
from copytrade.core.model.orders import IST
from copytrade.reports.snapshot import open_to_read
from copytrade.reports.status import drifts_with, everyone_of, status_with
from copytrade.settings import Settings
from copytrade.storage.database import DATABASE_ERRORS
from copytrade.storage.files.lock_file import is_lock_held
from copytrade.storage.files.status_file import CopierStatus, read_status, status_path
from copytrade.storage.sqlite import file_of
from copytrade.web.live.copies import CopiesOfDay
from copytrade.web.live.paced import Paced
from copytrade.web.live.view import Day, View, read_day

#: Seconds between two looks: at most five views a second.
LOOK_EVERY = 0.2

#: Alerts that are remembered.
ALERTS_KEPT = 100


class Reader(threading.Thread):
    """Publishes a view whenever something has changed. The copier is never asked: it writes its status by itself."""

    def __init__(self, settings: Settings, reads: threading.Semaphore, publish: Callable[[View], object]) -> None:
        """``reads`` is held during each read of the database; ``publish`` is called in this thread."""
        super().__init__(name="reader", daemon=True)
        self._settings = settings
        self._names = [follower.name for follower in settings.followers]
        self._reads = reads
        self._publish = publish
        self._ends = threading.Event()
        self._view = View()
        self._written = 0
        self._copier: CopierStatus | None = None
        self._copies = CopiesOfDay()
        self._drifts: Paced[Mapping[str, Sequence[Drift]]] = Paced()
        self._day: Paced[Day] = Paced()
        self._alerts: list[dict[str, str]] = []

    def stop(self) -> None:
        """End the thread."""
        self._ends.set()

    def run(self) -> None:
        """Look until stopped."""
        while not self._ends.is_set():
            try:
                self._look()
            except Exception as error:  # a board that shows old figures as new ones would be worse than none
                logger.opt(exception=True).warning("The board cannot read")
                self._show(View(why=f"the board cannot read: {type(error).__name__}"))
            self._ends.wait(LOOK_EVERY)

    def _look(self) -> None:
        is_new = self._read_status()
        if why := self._why_not():
            self._show(View(None, self._view.day, why, self._view.alerts, self._view.shown))
            return
        copier = self._copier
        if copier is None:
            return
        day = self._read_day(copier)
        if day is None or not (is_new or day is not self._view.day or self._view.status is None):
            return
        self._remember_alerts(copier)
        status = status_with(copier, day.stored, market_now(self._settings))
        self._show(View(status, day, "", tuple(self._alerts)))

    def _show(self, view: View) -> None:
        if view != self._view:
            self._view = view
            self._publish(view)

    def _read_status(self) -> bool:
        """Read the copier's status if it has been written again; return whether it has."""
        try:
            written = status_path(self._settings.store.database).stat().st_mtime_ns
        except OSError:
            self._copier, self._written = None, 0
            return False
        if written == self._written:
            return False
        self._copier, self._written = read_status(self._settings.store.database), written
        return True

    def _why_not(self) -> str:
        """Return why there is nothing to be shown, "" if there is."""
        if not is_lock_held(self._settings.store.database):
            return "no copier is running"
        if self._copier is None:
            return "the copier has not told its status yet"
        age = (wall_clock.now() - self._copier.at).total_seconds()
        return f"the copier last told its status {age:.0f} s ago" if age > STALE_AFTER else ""

    def _read_day(self, copier: CopierStatus) -> Day | None:
        """Return the day, read again if the database or what accounts hold has changed, and it is time."""
        database, day = self._settings.store.database, copier.at.astimezone(IST).date()
        written, apart = _signature(database), _apart(copier)
        try:
            drifts = self._drifts.get((written, apart), lambda: self._read_drifts(copier))
            with_drifts = (written, self._drifts.read_at)
            return self._day.get(with_drifts, lambda: self._read_rest(day, drifts))
        except DATABASE_ERRORS as error:
            self._show(View(why=str(error)))
            return None

    def _read_drifts(self, copier: CopierStatus) -> Mapping[str, Sequence[Drift]]:
        with self._reads, open_to_read(self._settings.store.database) as connection:
            return drifts_with(connection, copier, everyone_of(copier, self._names))

    def _read_rest(self, day: date, drifts: Mapping[str, Sequence[Drift]]) -> Day:
        with self._reads, open_to_read(self._settings.store.database) as connection:
            return read_day(connection, day, drifts, self._copies.read(connection, day))

    def _remember_alerts(self, copier: CopierStatus) -> None:
        notifier = copier.actor("notifier")
        last: dict[str, dict[str, str]] = notifier.details.get("last", {}) if notifier else {}
        found = [{"who": who, **alert} for who, alert in last.items()]
        new = [alert for alert in found if alert not in self._alerts]
        if new:
            kept = sorted([*self._alerts, *new], key=lambda alert: alert["at"])
            self._alerts = kept[-ALERTS_KEPT:]


def _signature(database: str) -> Sequence[tuple[int, int]]:
    """Return what changes with each commit of a file; of another database, the time."""
    file = file_of(database)
    if file is None:
        return [(time.monotonic_ns(), 0)]
    found = []
    for path in (Path(file), Path(f"{file}-wal")):
        try:
            stat = path.stat()
            found.append((stat.st_mtime_ns, stat.st_size))
        except OSError:
            found.append((0, 0))
    return found


def _apart(copier: CopierStatus) -> Sequence[Any]:
    return [actor.details.get("apart") for actor in copier.actors if "apart" in actor.details]
