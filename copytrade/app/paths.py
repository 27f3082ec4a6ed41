"""Paths from the settings: the database, and the instrument master beside it."""

from collections.abc import Callable
from pathlib import Path

from copytrade.app.changes.leaders import note_leaders
from copytrade.brokers.dhan.instruments.cache import MasterSource
from copytrade.reports.queries import remembered
from copytrade.reports.snapshot import open_to_read, shown
from copytrade.settings import Settings, Storage
from copytrade.storage.database import Database, DatabaseUnusable
from copytrade.storage.files.lock_file import beside, mismatch, without_password
from copytrade.storage.files.open_files import OpenFiles
from copytrade.storage.leader_names import CLIENT_IDS, is_shared, joined
from copytrade.storage.sqlite import file_of


def open_database(settings: Settings) -> Database:
    """Open the database of the settings. Raises DatabaseUnusable."""
    return Database(settings.store.database, synchronous=settings.store.synchronous)


def open_to_write(settings: Settings) -> Database:
    """Open the database for the store: its rows have the names that leaders have now. Raises DatabaseUnusable."""
    database = open_database(settings)
    try:
        note_leaders(database, settings.leader_ids)
    except DatabaseUnusable:
        database.close()
        raise
    return database


def open_for_command(settings: Settings) -> Database:
    """Open the leader's database for a command. None is created, checked as a whole or migrated: a copier may run.

    Raises DatabaseUnusable, also if a running copier has another file.
    """
    store = settings.store
    if why := mismatch(store.database):
        raise DatabaseUnusable(f"{without_password(store.database)}: {why}")
    database = Database(store.database, synchronous=store.synchronous, exists=True)
    try:
        database.recognise(settings.mode, joined(settings.leader_ids.values()))
    except DatabaseUnusable:
        database.close()
        raise
    return database


def recognise(settings: Settings) -> None:
    """Raise DatabaseUnusable if there is no database of this leader. Nothing is created or changed."""
    with open_to_read(settings.store.database) as connection:
        for key, ours in (("mode", settings.mode), (CLIENT_IDS, joined(settings.leader_ids.values()))):
            theirs = remembered(connection, key)
            if theirs is None or not is_shared(theirs, ours):
                raise DatabaseUnusable(
                    f"{shown(settings.store.database)}: belongs to {key} {theirs or 'unknown'}, the settings say {ours}"
                )


def left_elsewhere(settings: Settings, path: Path) -> str:
    """Return why another database may be meant: ours is missing, and the working directory has one of its name.

    ``path`` is the settings file; "" if there is no doubt.
    """
    file, folder = file_of(settings.store.database), path.parent.absolute()
    if file is None or Path(file).exists() or not Path(file).is_relative_to(folder):
        return ""
    other = Path.cwd() / Path(file).relative_to(folder)
    if not other.is_file():
        return ""
    return (
        f"There is no database {file}, and there is {other}. Relative paths start at the folder of the settings file:"
        " move the database and its companions there, or give [store] database its whole path."
    )


class SameDatabase:
    """Opens a database again and again, as long as it is the same file.

    A file that was deleted while in use is not created again, empty: entries would go on without any history.
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
    """Return the database's file as it is now, None if the database is a URL."""
    file = file_of(store.database)
    return None if file is None else OpenFiles(file, suffixes=())


def folder_to_flush(store: Storage) -> Path | None:
    """Return the folder on whose disk every commit waits, None if commits do not wait for a disk."""
    waits = store.synchronous == "full" and "://" not in store.database
    return Path(store.database).absolute().parent if waits else None


def master_source_of(settings: Settings) -> MasterSource:
    """Return the source of the instrument master, with its cache file."""
    dhan = settings.dhan
    return MasterSource(dhan.instruments_url, beside(settings.store.database, "instruments"), dhan.instruments_at)
