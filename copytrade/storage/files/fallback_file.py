"""The side file: records that the database could not take, one per line, until it can.

An exit may be sent once its intent is in this file: a crash while the database fails cannot duplicate it.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

from copytrade.storage.records import ConfigSet, Record, lines_of, record_of

#: The key in ``config`` of the token of the side file that was written to the database last.
WRITTEN = "side_file_written"


class SideFile:
    """Records in the order of writing. Raises OSError where the disk fails too.

    Each file begins with a token. The store writes ``mark`` with the records of the file, so that a file left behind
    by a crash after that is not written again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._token = ""

    @property
    def mark(self) -> ConfigSet:
        """The record that says that the current file has been written to the database."""
        return ConfigSet(WRITTEN, self._token)

    def append(self, records: Iterable[Record]) -> None:
        """Append records; they are on disk when this returns."""
        lines = [b"\n"]  # ends a line that a full disk cut off
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
        """Return the records of the file, and the number of unreadable lines, such as one cut off by a full disk.

        A path that is no readable file counts as one unreadable line.
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
        """Rename the file to keep it for inspection; return the new path. Raises OSError."""
        aside, number = Path(f"{self.path}.unreadable"), 1
        while os.path.lexists(aside):
            number += 1
            aside = Path(f"{self.path}.unreadable.{number}")
        self.path.rename(aside)
        return aside

    def clear(self) -> None:
        """Delete the file: its records are in the database."""
        self.path.unlink(missing_ok=True)
