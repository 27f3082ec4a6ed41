"""Whether the files that SQLite has open are still where their names say.

A file that is deleted, moved or replaced stays open. Commits to it are lost, and SQLite does not report that.
"""

import os
from collections.abc import Sequence
from pathlib import Path

#: What SQLite has open beside the database, with a write-ahead log.
LOG_SUFFIXES = ("-wal", "-shm")


class OpenFiles:
    """The name and inode of a database's file and of its companions, as they were when this was created."""

    def __init__(self, file: str, suffixes: Sequence[str] = LOG_SUFFIXES) -> None:
        """Note what is there now. Paths are absolute, so that a later change of the working folder has no effect."""
        real = os.path.realpath(file)
        self._names = (str(Path(file).absolute()), *(f"{real}{suffix}" for suffix in suffixes))
        self._known = tuple(map(_identity, self._names))

    def missing(self) -> str:
        """Return the path of the first file that is missing or replaced; "" if there is none.

        It takes some microseconds. It only calls stat: opening and closing a file would drop SQLite's locks.
        """
        for name, known in zip(self._names, self._known, strict=True):
            if _identity(name) != known:
                return name
        return ""


def _identity(name: str) -> tuple[int, int] | None:
    """Return the device and inode of a path, None if it cannot be reached."""
    try:
        found = os.stat(name)  # noqa: PTH116 (before every commit, and a Path takes as long again)
    except OSError:
        return None
    return found.st_dev, found.st_ino
