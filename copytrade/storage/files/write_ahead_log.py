"""The size of SQLite's write-ahead log."""

import os
from pathlib import Path

#: Bytes at which the log starts over: a thousand pages of 4 KB with a header each.
SIZE = 1100 * 4128

#: Bytes written at once. A buffer of the whole size would stay in the thread's memory.
PIECE = 65_536


def extend(database: Path) -> None:
    """Extend a database's log to the size at which it starts over. Raises OSError.

    A commit that overwrites is durable sooner than one that makes the file longer, which also has to wait for the
    file system's metadata. SQLite ignores what is beyond the log's last entry.
    """
    with Path(f"{database.resolve()}-wal").open("ab") as log:
        while (missing := SIZE - log.tell()) > 0:
            log.write(bytes(min(missing, PIECE)))
        log.flush()
        os.fsync(log.fileno())
