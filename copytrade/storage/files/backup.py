"""Copies of the database: one at each orderly stop of the program, and one a day."""

import os
import time
from contextlib import closing, suppress
from pathlib import Path

import apsw

from copytrade.common import wall_clock
from copytrade.core.model.orders import IST
from copytrade.storage import sqlite
from copytrade.storage.files.lock_file import beside

#: Bytes per second that a slow disk is expected to take. SQLite itself copied 480 MB per second (measured).
RATE = 50_000_000

#: Steps of SQLite's virtual machine between two looks at the clock: some 0.1 ms.
STEPS = 1000

_NAMES = "????-??-??T??????.db"


class BackupFailed(Exception):
    """The database could not be copied: the message says why."""


def back_up(database: str, keep: int, seconds: float) -> Path:
    """Copy an SQLite database to a folder beside it within ``seconds``, and keep the latest ``keep`` copies.

    The copy is complete, and readable by its owner only. Raises BackupFailed, which leaves earlier copies unchanged.
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
