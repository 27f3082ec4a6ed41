"""A look into the database beside whoever has it open, by the library that the program uses itself.

Python's ``sqlite3`` is another one: closing a file, it would drop the locks that the program has on it in this process.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw


@contextmanager
def opened(database: str | Path) -> Iterator[apsw.Connection]:
    """Open a database, and close it in the end. Each statement commits by itself, unless it is told to begin."""
    connection = apsw.Connection(str(database))
    connection.set_busy_timeout(5000)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def locked(database: str | Path, how: str = "EXCLUSIVE") -> Iterator[None]:
    """Keep a database from being written for a while."""
    with opened(database) as connection:
        connection.execute(f"BEGIN {how}")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
