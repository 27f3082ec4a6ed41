"""Copies of the database, one each time that the program stops in order."""

import os
import time
from contextlib import closing, suppress
from pathlib import Path

import apsw

from copytrade.common import wall_clock
from copytrade.core.model.orders import IST
from copytrade.storage import sqlite
from copytrade.storage.files.lock_file import beside

#: Bytes a second that are counted on: SQLite itself copied 480 MB in one (measured), a slow disk is the limit.
RATE = 50_000_000

#: After so many steps of SQLite's machine it is seen whether there is time left: some 0.1 ms.
STEPS = 1000

_NAMES = "????-??-??T??????.db"


class BackupFailed(Exception):
    """There is no copy of the database: the message says why."""


def back_up(database: str, keep: int, seconds: float) -> Path:
    """Copy a database of SQLite's to a folder beside it within so many seconds, and keep the latest ``keep`` copies.

    The copy is whole, and for its owner alone. Raises BackupFailed; the earlier copies are then as they were.
    """
    deadline = time.monotonic() + seconds
    folder = beside(database, "backups")
    copy = folder / f"{wall_clock.now().astimezone(IST):%Y-%m-%dT%H%M%S}.db"
    part = copy.with_suffix(".part")
    try:
        size = Path(database).stat().st_size
        if size > seconds * RATE:
            raise BackupFailed(f"{size / 1e6:.0f} MB cannot be copied in {seconds:.1f}s")
        folder.mkdir(mode=0o700, exist_ok=True)
        for left_over in folder.glob("*.part"):
            left_over.unlink()
        part.touch(mode=0o600)
        _copy(database, part, deadline)
        part.replace(copy)
        for old in sorted(folder.glob(_NAMES))[:-keep]:
            old.unlink()
    except (OSError, sqlite.SqliteUnsound, apsw.Error) as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise BackupFailed(f"{type(error).__name__}: {error}") from None
    return copy


def _copy(database: str, part: Path, deadline: float) -> None:
    with closing(sqlite.opened_to_read(database)) as connection:
        connection.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
        connection.execute("VACUUM INTO ?", (str(part),))
    with part.open("rb") as file:
        os.fsync(file.fileno())
