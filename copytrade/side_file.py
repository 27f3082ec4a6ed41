"""What the database could not take, line by line in a file beside it, until it can.

An exit may leave once its intent is in this file: then a crash while the database fails cannot double it.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from copytrade.records import ConfigSet, CopyChanged, LedgerChanged, OrderChanged, Record, RequestMade

_KINDS: dict[str, TypeAdapter[Record]] = {
    kind.__name__: TypeAdapter(kind) for kind in (OrderChanged, CopyChanged, LedgerChanged, RequestMade, ConfigSet)
}


class SideFile:
    """Records in the order in which they were to be written. Raises OSError where the disk does not work either."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, records: Iterable[Record]) -> None:
        """Add records; when this returns they are on disk."""
        lines = [
            json.dumps({type(record).__name__: _KINDS[type(record).__name__].dump_python(record, mode="json")}) + "\n"
            for record in records
        ]
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> tuple[list[Record], int]:
        """Return what is in the file, and how many lines cannot be read: the last one, cut off by a crash."""
        if not self.path.exists():
            return [], 0
        records, unreadable = [], 0
        for line in self.path.read_text(encoding="ascii", errors="replace").splitlines():
            try:
                ((kind, fields),) = json.loads(line).items()
                records.append(_KINDS[kind].validate_python(fields))
            except (ValueError, KeyError, AttributeError, ValidationError):
                unreadable += 1
        return records, unreadable

    def clear(self) -> None:
        """Forget what has been written to the database."""
        self.path.unlink(missing_ok=True)
