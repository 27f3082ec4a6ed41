"""One running copier a database, by a lock that the kernel releases however the process ends."""

import fcntl
import re
from pathlib import Path
from typing import IO


def without_password(database: str) -> str:
    """Return a database's name or URL as it may be shown."""
    return re.sub(r"://[^@/]*@", "://***@", database)


def beside(database: str, suffix: str) -> Path:
    """Return the path of a file that belongs to a database; one that is elsewhere has it in the working folder."""
    return Path(f"copy_trading.{suffix}" if "://" in database else f"{database}.{suffix}")


class AlreadyRunning(Exception):
    """Another process is copying with this database."""


def hold_lock(database: str) -> IO[str]:
    """Take the lock beside the database and return the open file that holds it: keep it for life.

    flock and not lockf: a POSIX lock is lost when any other descriptor of the file is closed. Raises AlreadyRunning.
    """
    path = beside(database, "lock")
    lock = path.open("a+", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise AlreadyRunning(
            f"another process is already copying with {without_password(database)} (lock file {path})"
        ) from None
    return lock


def is_running(database: str) -> bool:
    """Whether a process is copying with this database. The lock is held for no longer than it takes to see."""
    path = beside(database, "lock")
    if not path.exists():
        return False
    try:
        hold_lock(database).close()
    except AlreadyRunning:
        return True
    return False
