"""The copy of the database that is made once a day while the program runs, beside the one at each stop."""

import threading
from collections.abc import Callable
from datetime import datetime, time, timedelta

from loguru import logger

from copytrade.common import wall_clock
from copytrade.common.logs import fields
from copytrade.core.model.orders import IST
from copytrade.settings import Storage
from copytrade.storage.files.backup import BackupFailed, back_up

#: When it is made, in India: no market is open.
AT = time(6)

#: Seconds that it may take.
PATIENCE = 120.0


def copy_database(store: Storage, seconds: float) -> None:
    """Copy the database within ``seconds``, if copies are wanted, and log the outcome."""
    if not store.backups or "://" in store.database:
        return
    try:
        copy = back_up(store.database, store.backups, seconds)
    except BackupFailed as error:
        logger.warning("Database not copied {}", fields(error=error))
    else:
        logger.info("Database copied {}", fields(file=copy))


class DailyBackup:
    """Copies the database in a thread of its own at :data:`AT` of each day. Used by the main thread."""

    def __init__(self, store: Storage, now: Callable[[], datetime] = wall_clock.now) -> None:
        self._store = store
        self._now = now
        self._due = self._next()
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Begin to copy if it is time; called about once a second."""
        if self._now() < self._due:
            return
        self._due = self._next()
        self._thread = threading.Thread(target=copy_database, args=(self._store, PATIENCE), daemon=True)
        self._thread.start()

    def finish(self, seconds: float) -> bool:
        """Wait so long for a copy that is under way; return whether none is any more."""
        if self._thread is not None:
            self._thread.join(max(0.0, seconds))
        return self._thread is None or not self._thread.is_alive()

    def _next(self) -> datetime:
        now = self._now().astimezone(IST)
        today = datetime.combine(now.date(), AT, IST)
        return today if now < today else today + timedelta(days=1)
