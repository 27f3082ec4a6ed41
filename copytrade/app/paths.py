"""Where the settings keep things: the database, and the instrument master beside it."""

from collections.abc import Callable
from pathlib import Path

from copytrade.brokers.dhan.instruments.cache import MasterSource
from copytrade.settings import Settings, Storage
from copytrade.storage.database import Database, DatabaseUnusable
from copytrade.storage.files.lock_file import beside, mismatch, without_password
from copytrade.storage.files.open_files import OpenFiles
from copytrade.storage.sqlite import file_of


def open_database(settings: Settings) -> Database:
    """Open the database of the settings. Raises DatabaseUnusable."""
    return Database(settings.store.database, synchronous=settings.store.synchronous)


def open_for_command(settings: Settings) -> Database:
    """Open the database for a command. Raises DatabaseUnusable, also where a copier that runs has another file."""
    if why := mismatch(settings.store.database):
        raise DatabaseUnusable(f"{without_password(settings.store.database)}: {why}")
    return open_database(settings)


class SameDatabase:
    """Has a database opened, again and again, as long as it is the one that it was at first.

    One that was deleted while in use is not made anew then, empty: entries would go on as if nothing had been.
    """

    def __init__(self, store: Storage, open_it: Callable[[], Database]) -> None:
        self._store = store
        self._open = open_it
        self._file: OpenFiles | None = None

    def open(self) -> Database:
        """Open it. Raises DatabaseUnusable."""
        if self._file is not None and (missing := self._file.missing()):
            raise DatabaseUnusable(f"{missing}: was deleted, moved or replaced while in use")
        database = self._open()
        self._file = self._file or file_to_watch(self._store)
        return database


def file_to_watch(store: Storage) -> OpenFiles | None:
    """Return the database's own file as it is now, None where it is elsewhere."""
    file = file_of(store.database)
    return None if file is None else OpenFiles(file, suffixes=())


def folder_to_flush(store: Storage) -> Path | None:
    """Return the folder whose disk every commit waits for, None where none does."""
    waits = store.synchronous == "full" and "://" not in store.database
    return Path(store.database).absolute().parent if waits else None


def master_source_of(settings: Settings) -> MasterSource:
    """Return where the instrument master comes from, and where it is kept."""
    dhan = settings.dhan
    return MasterSource(dhan.instruments_url, beside(settings.store.database, "instruments"), dhan.instruments_at)
