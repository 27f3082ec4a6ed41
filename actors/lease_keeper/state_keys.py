"""What a follower's successor on another node needs of his database: which records, and under which keys."""

from collections.abc import Iterable, Mapping
from hashlib import sha1

from copytrade.core.model.commands import follower_of_key
from copytrade.core.model.ledger import Line
from copytrade.storage.records import ConfigSet, CopyChanged, LedgerChanged, Record, lines_of


def follower_of(record: Record) -> str:
    """Return the follower whose state a record is part of, "" if it is none's."""
    match record:
        case ConfigSet(key):
            return follower_of_key(key)
        case CopyChanged(copy):
            return copy.follower
        case LedgerChanged(follower):
            return follower
        case _:
            return ""


def state_key(record: Record) -> str:
    """Return the key under which the bus keeps a record: a later one of the same thing takes its place."""
    match record:
        case CopyChanged(copy):
            return f"copy.{_digest(copy.leader_order_id)}.{copy.n}"
        case LedgerChanged(entry=Line(key=key)):
            return f"line.{_digest(repr(key))}"
        case LedgerChanged(entry=entry):
            return f"allocation.{_digest(getattr(entry, 'leader_order_id', ''))}"
        case ConfigSet(key):
            return f"config.{_digest(key)}"
        case _:
            raise ValueError(f"{type(record).__name__} is no part of a follower's state")


def state_of(records: Iterable[Record]) -> Mapping[str, bytes]:
    """Return records as the bus keeps them, the last of each key."""
    return {state_key(record): lines_of([record]) for record in records}


def _digest(text: str) -> str:
    """Return a text as a part of a key, which has few signs."""
    return sha1(text.encode(), usedforsecurity=False).hexdigest()
