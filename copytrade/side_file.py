"""What the database could not take, line by line in a file beside it, until it can.

An exit may leave once its intent is in this file: then a crash while the database fails cannot double it.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

import msgspec

from copytrade.ledger import Allotment, Line
from copytrade.records import CommandAnswered, ConfigSet, CopyChanged, LedgerChanged, OrderChanged, Record, RequestMade
from copytrade.rows import STATE, fraction

_KINDS: dict[str, msgspec.json.Decoder[Record]] = {
    name: msgspec.json.Decoder(kind, dec_hook=fraction)
    for name, kind in {
        "OrderChanged": OrderChanged,
        "CopyChanged": CopyChanged,
        "LineChanged": LedgerChanged[Line],
        "AllotmentChanged": LedgerChanged[Allotment],
        "RequestMade": RequestMade,
        "ConfigSet": ConfigSet,
        "CommandAnswered": CommandAnswered,
    }.items()
}

_LINE = msgspec.json.Decoder(dict[str, msgspec.Raw])


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
            lines.append(_line(self.mark))
        lines += [_line(record) for record in records]
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> tuple[list[Record], int]:
        """Return what is in the file, and how many lines cannot be read: those that a crash or a full disk cut off."""
        if not self.path.exists():
            return [], 0
        records, unreadable = [], 0
        for line in filter(None, self.path.read_bytes().splitlines()):
            try:
                ((kind, fields),) = _LINE.decode(line).items()
                record = _KINDS[kind].decode(fields)
                if isinstance(record, ConfigSet) and record.key == WRITTEN:
                    self._token = record.value
                else:
                    records.append(record)
            except (ValueError, KeyError):  # msgspec's own errors are ValueErrors
                unreadable += 1
        return records, unreadable

    def clear(self) -> None:
        """Forget what has been written to the database."""
        self.path.unlink(missing_ok=True)


def _line(record: Record) -> bytes:
    return STATE.encode({_kind(record): record}) + b"\n"


def _kind(record: Record) -> str:
    if isinstance(record, LedgerChanged):
        return f"{type(record.entry).__name__}Changed"
    return type(record).__name__
