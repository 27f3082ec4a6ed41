"""Records: what is written to the database, each one fact. Writing a record twice is the same as writing it once.

Secrets are removed when a record is made, from free text but not from ids and keys. So no table, intent, side file or
copy of the database holds one, even if the broker repeated it.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Generic, TypeVar

import msgspec
from msgspec.structs import force_setattr, replace

from copytrade.common.redaction import payload_without_secrets, without_secrets
from copytrade.core.model.accounts import AccountType
from copytrade.core.model.copies import Copy
from copytrade.core.model.encoding import STATE, fraction
from copytrade.core.model.ledger import Allocation, Line
from copytrade.core.model.orders import Order

Entry_co = TypeVar("Entry_co", bound=Line | Allocation, covariant=True)


class OrderChanged(msgspec.Struct, frozen=True, gc=False):
    """The broker reported a new state of an order. ``account`` is the leader's or the follower's name."""

    account: str
    account_type: AccountType
    order: Order

    def __post_init__(self) -> None:
        """Remove secrets."""
        force_setattr(self, "order", _clean(self.order))


class CopyChanged(msgspec.Struct, frozen=True, gc=False):
    """A copy changed; ``leader`` is the leader's order, None if it cannot be read."""

    copy: Copy
    leader: Order | None
    at: datetime

    def __post_init__(self) -> None:
        """Remove secrets."""
        if self.leader is not None:
            force_setattr(self, "leader", _clean(self.leader))
        if self.copy.error and (error := without_secrets(self.copy.error)) != self.copy.error:
            force_setattr(self, "copy", replace(self.copy, error=error))


class LedgerChanged(msgspec.Struct, Generic[Entry_co], frozen=True, gc=False):
    """A line of a follower's ledger, or its allocation of a leader order, changed."""

    follower: str
    entry: Entry_co
    at: datetime


class RequestMade(msgspec.Struct, frozen=True, gc=False):
    """A request to the broker and the reply. ``duration_ms`` is how long the caller waited."""

    account: str
    action: str
    request: str
    response: str
    status_code: int | None
    duration_ms: float
    at: datetime

    def __post_init__(self) -> None:
        """Remove secrets."""
        force_setattr(self, "request", payload_without_secrets(self.request))
        force_setattr(self, "response", payload_without_secrets(self.response))


class ConfigSet(msgspec.Struct, frozen=True, gc=False):
    """A value to be remembered across restarts."""

    key: str
    value: str


class CommandAnswered(msgspec.Struct, frozen=True, gc=False):
    """The answer to a command of the operator: whether it was carried out, and the result as text."""

    number: int
    is_done: bool
    answer: str
    at: datetime

    def __post_init__(self) -> None:
        """Remove secrets."""
        force_setattr(self, "answer", without_secrets(self.answer))


Record = OrderChanged | CopyChanged | LedgerChanged[Line | Allocation] | RequestMade | ConfigSet | CommandAnswered


def _clean(order: Order) -> Order:
    """Return the order with secrets removed from its reason, the broker's free text."""
    if not order.reason:
        return order
    reason = without_secrets(order.reason)
    return order if reason == order.reason else replace(order, reason=reason)


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
    """Return records as lines of JSON, each ended by a line feed."""
    return STATE.encode_lines([{_kind(record): record} for record in records])


def record_of(line: bytes) -> Record:
    """Return the record of a line. Raises ValueError for a line that is cut off or no record."""
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
