"""Where the settings keep things: the database, and the instrument master beside it."""

from pathlib import Path

from copytrade.instance import beside
from copytrade.instrument_cache import MasterSource
from copytrade.settings import Settings, Storage
from copytrade.store import Database


def open_database(settings: Settings) -> Database:
    """Open the database of the settings. Raises DatabaseUnusable."""
    return Database(settings.store.database, synchronous=settings.store.synchronous)


def folder_to_flush(store: Storage) -> Path | None:
    """Return the folder whose disk every commit waits for, None where none does."""
    waits = store.synchronous == "full" and "://" not in store.database
    return Path(store.database).absolute().parent if waits else None


def master_source_of(settings: Settings) -> MasterSource:
    """Return where the instrument master comes from, and where it is kept."""
    dhan = settings.dhan
    return MasterSource(dhan.instruments_url, beside(settings.store.database, "instruments"), dhan.instruments_at)
