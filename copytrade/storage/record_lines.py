"""Records as lines of JSON, each with the name of its kind: for what is read back as it was told."""

from collections.abc import Iterable

import msgspec

from copytrade.core.model.encoding import STATE, fraction
from copytrade.core.model.ledger import Allocation, Line
from copytrade.storage.records import (
    CommandAnswered,
    ConfigSet,
    CopyChanged,
    LedgerChanged,
    OrderChanged,
    Record,
    RequestMade,
)

#: Kinds of records by the names under which they are stored: these stay, whatever a class is called.
_KINDS: dict[str, msgspec.json.Decoder[Record]] = {
    name: msgspec.json.Decoder(kind, dec_hook=fraction)
    for name, kind in {
        "OrderChanged": OrderChanged,
        "CopyChanged": CopyChanged,
        "LineChanged": LedgerChanged[Line],
        "AllotmentChanged": LedgerChanged[Allocation],
        "RequestMade": RequestMade,
        "ConfigSet": ConfigSet,
        "CommandAnswered": CommandAnswered,
    }.items()
}

_LINE = msgspec.json.Decoder(dict[str, msgspec.Raw])


def lines_of(records: Iterable[Record]) -> bytes:
    """Return records as lines, each with its end."""
    return STATE.encode_lines([{_kind(record): record} for record in records])


def record_of(line: bytes) -> Record:
    """Return the record of a line. Raises ValueError for what is none, or is cut off."""
    try:
        ((kind, fields),) = _LINE.decode(line).items()
        if kind not in _KINDS:
            raise ValueError(f"{kind} is no kind of record")
        return _KINDS[kind].decode(fields)
    except (RecursionError, ArithmeticError, TypeError) as error:  # nested too deeply, a fraction of nothing
        raise ValueError(f"a line is no record: {type(error).__name__}") from None


def _kind(record: Record) -> str:
    if isinstance(record, LedgerChanged):
        return "LineChanged" if isinstance(record.entry, Line) else "AllotmentChanged"
    return type(record).__name__
