"""What the database could not take, line by line in a file beside it, until it can.

An exit may leave once its intent is in this file: then a crash while the database fails cannot double it.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

from copytrade.storage.records import ConfigSet, Record, lines_of, record_of

#: The token of the side file that was written to the database last, in ``config``.
WRITTEN = "side_file_written"


class SideFile:
    """Records in the order in which they were to be written. Raises OSError where the disk does not work either.

    Each file begins with a token. Whoever writes its records to the database writes ``mark`` with them, so that a file
    that a crash has left behind after that is not taken for news.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._token = ""

    @property
    def mark(self) -> ConfigSet:
        """What says that the file of now has been written to the database."""
        return ConfigSet(WRITTEN, self._token)

    def append(self, records: Iterable[Record]) -> None:
        """Add records; when this returns they are on disk."""
        lines = [b"\n"]  # ends a line that was cut off when the disk had no more room
        if not self.path.exists():
            self._token = uuid4().hex
            lines.append(lines_of([self.mark]))
        lines.append(lines_of(records))
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> tuple[list[Record], int]:
        """Return what is in the file, and how many lines cannot be read, such as one that a full disk cut off.

        What is no file, or none that may be read, counts as one such line.
        """
        if not os.path.lexists(self.path):
            return [], 0
        try:
            content = self.path.read_bytes() if self.path.is_file() else None
        except OSError:
            content = None
        if content is None:
            return [], 1
        records, unreadable = [], 0
        for line in filter(None, content.splitlines()):
            try:
                record = record_of(line)
            except ValueError:
                unreadable += 1
                continue
            if isinstance(record, ConfigSet) and record.key == WRITTEN:
                self._token = record.value
            else:
                records.append(record)
        return records, unreadable

    def set_aside(self) -> Path:
        """Give what is there another name, and return it: somebody may still make something of it. Raises OSError."""
        aside, number = Path(f"{self.path}.unreadable"), 1
        while os.path.lexists(aside):
            number += 1
            aside = Path(f"{self.path}.unreadable.{number}")
        self.path.rename(aside)
        return aside

    def clear(self) -> None:
        """Forget what has been written to the database."""
        self.path.unlink(missing_ok=True)
