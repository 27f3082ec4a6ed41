"""Whether the files that SQLite has open are still where their names say.

A file that is deleted, moved or replaced stays open: what is committed to it is found again by nobody, and SQLite does
not say so.
"""

import os
from collections.abc import Sequence
from pathlib import Path

#: What SQLite has open beside the database, with a write-ahead log.
LOG_SUFFIXES = ("-wal", "-shm")


class OpenFiles:
    """A database's file and its companions, by name and by what was there when they were taken note of."""

    def __init__(self, file: str, suffixes: Sequence[str] = LOG_SUFFIXES) -> None:
        """Take note of what is there now; whoever changes the working folder later does not mislead it."""
        real = os.path.realpath(file)
        self._names = (str(Path(file).absolute()), *(f"{real}{suffix}" for suffix in suffixes))
        self._known = tuple(map(_identity, self._names))

    def missing(self) -> str:
        """Return the path of the first that is not there any more, or is another; "" if all are as they were.

        It takes some microseconds: stat alone, and nothing is opened, which would drop SQLite's locks.
        """
        for name, known in zip(self._names, self._known, strict=True):
            if _identity(name) != known:
                return name
        return ""


def _identity(name: str) -> tuple[int, int] | None:
    """Return the device and inode that a name leads to, None where there is nothing that can be reached."""
    try:
        found = os.stat(name)  # noqa: PTH116 (before every commit, and a Path takes as long again)
    except OSError:
        return None
    return found.st_dev, found.st_ino
