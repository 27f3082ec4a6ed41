"""One running copier per database, by locks that the kernel releases however the process ends.

There are two: on a file beside the database, and on the database's own file, which has one inode whatever its name (a
link, another mount). SQLite uses another kind of lock. On Linux the two kinds are independent; elsewhere they may
exclude each other, so only the first lock is taken there.
"""

import fcntl
import os
import re
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from copytrade.storage.postgres import holder_of, is_server
from copytrade.storage.sqlite import file_of


def without_password(database: str) -> str:
    """Return a database's name or URL without its password."""
    return re.sub(r"://[^@/]*@", "://***@", database)


def beside(database: str, suffix: str) -> Path:
    """Return the path of a file that belongs to a database; in the working folder if the database is a URL.

    A symbolic link is resolved first, so that every name of the database leads to the same file.
    """
    if "://" in database:
        return Path(f"copy_trading.{suffix}")
    real = os.path.realpath(database) if Path(database).is_symlink() else database
    return Path(f"{real}.{suffix}")


#: Seconds within which a command that looks at a lock releases it.
PATIENCE = 0.1

#: Whether a lock on the database's own file does not interfere with SQLite's locks.
_LOCKS_ITSELF = sys.platform == "linux"


class AlreadyRunning(Exception):
    """Another process is copying with this database."""


class Lock:
    """Both locks, held until ``close`` or the end of the ``with`` block.

    Closing a file drops the locks that SQLite has on it in the same process. So take the lock before the database is
    opened, and close it after the database is closed.
    """

    def __init__(self, database: str) -> None:
        """Take the locks. Raises AlreadyRunning, and OSError where no file can be opened."""
        shown = without_password(database)
        path = beside(database, "lock")
        with ExitStack() as held:
            named = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            held.callback(os.close, named)
            if not _locked(named):
                raise AlreadyRunning(
                    f"another process is already copying with {shown}: {_holder(named)} (lock file {path})"
                )
            os.ftruncate(named, 0)
            os.write(named, f"{os.getpid()}\n".encode())
            file = _file_to_lock(database)
            if is_server(database) and (other := holder_of(database)):
                raise AlreadyRunning(f"another process is already copying with {shown}: {other}")
            if file is not None and (itself := _locked_itself(file, held)) is not None:
                raise AlreadyRunning(f"another process is already copying with {shown} ({itself})")
            self._held = held.pop_all()

    def close(self) -> None:
        """Release the locks."""
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _holder(descriptor: int) -> str:
    """Return which process has written itself down in a lock file."""
    number = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
    return f"pid {number}" if number.isdigit() else "pid unknown"


def _file_to_lock(database: str) -> str | None:
    return file_of(database) if _LOCKS_ITSELF else None


def _locked_itself(file: str, held: ExitStack) -> str | None:
    """Lock the database's own file, created if missing; return what is wrong if another process holds the lock."""
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        if not _locked(descriptor):
            os.close(descriptor)
            return f"which may have another name there: {os.path.realpath(file)}"
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(file)):  # noqa: PTH116 (as the call before it)
                held.callback(os.close, descriptor)
                return None
        os.close(descriptor)  # the file was replaced meanwhile


def _locked(descriptor: int) -> bool:
    """Take an exclusive lock, waiting a moment for a command that only looks at it."""
    ends = time.monotonic() + PATIENCE
    while not _take(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > ends:
            return False
        time.sleep(PATIENCE / 10)
    return True


def _take(descriptor: int, how: int) -> bool:
    """Take a lock by flock and not by lockf: a POSIX lock is lost when any other descriptor of the file is closed."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def hold_lock(database: str) -> Lock:
    """Take the locks of a database that is not open in this process. Raises AlreadyRunning."""
    return Lock(database)


def is_running(database: str) -> bool:
    """Whether a process is copying with this database, which must not be open in this process.

    The locks are tried for a moment only, and no file is created.
    """
    return _is_locked(beside(database, "lock")) or _is_locked(_file_to_lock(database))


def is_lock_held(database: str) -> bool:
    """Whether a process holds the lock beside this database. Unlike ``is_running`` it may be open in this process."""
    return _is_locked(beside(database, "lock"))


def mismatch(database: str) -> str:
    """Return why a database, not open in this process, is not the one that the running copier uses; "" if it is.

    The copier would never see what is written to another file, or under another name than that of SQLite's log.
    """
    if (file := _file_to_lock(database)) is None:
        return ""
    for _ in range(2):  # a copier that is just starting has the first lock before the second
        is_named, is_itself = _is_locked(beside(database, "lock")), _is_locked(file)
        if is_named == is_itself:
            return ""
        time.sleep(PATIENCE)
    if is_named and not is_itself:
        return "was deleted, moved or replaced while a copier is using it: put it back, or start the copier again"
    if is_itself and not is_named:
        return "is in use by a copier under another name: use that one"
    return ""


def _is_locked(path: str | Path | None) -> bool:
    if path is None or not Path(path).exists():
        return False
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return not _take(descriptor, fcntl.LOCK_SH)  # shared: two commands may look at once
    finally:
        os.close(descriptor)
