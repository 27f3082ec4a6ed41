"""SQLite as bundled with apsw: which versions are sound, and how a file is opened.

Versions from 3.7.0 to 3.51.2 can lose a commit or damage the file when one connection commits while another begins the
write-ahead log anew (https://sqlite.org/wal.html, "The WAL-Reset Bug"), and every command beside a running copier is
another connection. So no process of this program uses Python's ``sqlite3``. Nor may one process
open a file with two libraries: when either closes it, the kernel drops the locks of both.
"""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import apsw
import peewee
from playhouse.apsw_ext import APSWDatabase

#: The first version without the fault, and those of earlier branches in which it was mended as well.
SOUND_SINCE = (3, 51, 3)
MENDED = ((3, 44, 6), (3, 50, 7))

#: Seconds that a statement waits for the lock of another connection, to write and to read.
WRITER_WAITS, READER_WAITS = 1.0, 5.0

#: The two bytes at offset 18 of a file that keeps a write-ahead log.
_WAL_FORMAT = b"\x02\x02"

#: Files of this format. They stay so and are looked into once: to close one drops the locks that other connections of
#: this process have on it.
_keep_log: set[Path] = set()

#: How peewee's URLs name a file of SQLite's.
_SCHEMES = ("sqlite", "sqliteext", "sqlitepool", "sqliteextpool", "apsw")


class SqliteUnsound(peewee.NotSupportedError):
    """The SQLite library of this installation can lose commits: the message says which version, and what to do."""


def version() -> str:
    """Return the version of the SQLite library that this program uses."""
    return apsw.sqlite_lib_version()


def is_sound(text: str) -> bool:
    """Whether a version of SQLite does not have the fault, e.g. ``3.51.3`` or ``3.50.7``."""
    found = tuple(int(number) for number in re.findall(r"\d+", text)[:3])
    return found >= SOUND_SINCE or any(found[:2] == mended[:2] and found >= mended for mended in MENDED)


def file_of(database: str) -> str | None:
    """Return the path of a database that is a file, by its path or its ``sqlite:///`` URL; None for another server."""
    if "://" not in database:
        return database
    url = urlsplit(database)
    return unquote(url.path.removeprefix("/")) if url.scheme in _SCHEMES else None


def connected_to_write(file: str, synchronous: str) -> peewee.SqliteDatabase:
    """Return a database, not open yet, with a write-ahead log; a new file is readable by its owner only.

    Raises SqliteUnsound.
    """
    see_that_it_is_sound()
    Path(file).touch(mode=0o600)
    return _database(
        file,
        WRITER_WAITS,
        pragmas={"journal_mode": "wal", "synchronous": synchronous, "foreign_keys": 1},
        flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE,
    )


def connected_to_read(file: str) -> peewee.SqliteDatabase:
    """Return a database, not open yet, for reading only; no file is changed or created.

    Raises SqliteUnsound, and FileNotFoundError if there is no file.
    """
    see_that_it_is_sound()
    path = Path(file).absolute()
    if not path.is_file():
        raise FileNotFoundError("there is no such file")
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    return _database(f"{path.as_uri()}?{_access(path)}", READER_WAITS, flags=flags)


def opened_to_read(file: str) -> apsw.Connection:
    """Return a read-only connection to a file that may be in use. Raises SqliteUnsound and apsw.Error."""
    see_that_it_is_sound()
    connection = apsw.Connection(file, flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(int(READER_WAITS * 1000))
    return connection


def see_that_it_is_sound() -> None:
    """Raise SqliteUnsound if the library can lose commits."""
    if not is_sound(version()):
        raise SqliteUnsound(
            f"SQLite {version()} can lose what was written when two processes use the database: install apsw"
            f" {'.'.join(map(str, SOUND_SINCE))} or later, which brings its own"
        )


def _database(file: str, waits: float, **options: object) -> peewee.SqliteDatabase:
    """Return a database for one thread at a time, not always the same thread."""
    database: peewee.SqliteDatabase = APSWDatabase(file, autoconnect=False, thread_safe=False, timeout=waits, **options)
    return database


def _access(path: Path) -> str:
    """Return the URI option with which SQLite opens a file to read.

    Even to read, SQLite creates a missing write-ahead log and leaves it behind. If the log is missing nobody is
    writing, so the file can be read as immutable.
    """
    if path not in _keep_log:
        with path.open("rb") as file:
            if file.read(20)[18:] == _WAL_FORMAT:
                _keep_log.add(path)
    return "immutable=1" if path in _keep_log and not Path(f"{path}-wal").exists() else "mode=ro"
