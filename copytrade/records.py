"""What is written down: each record is one fact, and writing it twice is the same as writing it once."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from copytrade.copies import Copy
from copytrade.ledger import Allotment, Line
from copytrade.orders import Order

#: The leader's name among the accounts; followers have their own.
LEADER = "leader"


class AccountType(StrEnum):
    """Whose order it is."""

    LEADER = "leader"
    FOLLOWER = "follower"


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """The broker's word about an order is new. ``account`` is ``leader`` or the follower's name."""

    account: str
    account_type: AccountType
    order: Order


@dataclass(frozen=True, slots=True)
class CopyChanged:
    """A follower's dealings with a leader order have come further."""

    copy: Copy
    leader: Order
    at: datetime


@dataclass(frozen=True, slots=True)
class LedgerChanged:
    """A line of a follower's ledger, or what it allots to a leader order, is not what it was."""

    follower: str
    entry: Line | Allotment
    at: datetime


@dataclass(frozen=True, slots=True)
class RequestMade:
    """A request to the broker and what came back, secrets never included. ``duration_ms`` is the caller's wait."""

    account: str
    action: str
    request: str
    response: str
    status_code: int | None
    duration_ms: float
    at: datetime


@dataclass(frozen=True, slots=True)
class ConfigSet:
    """A value to be remembered across restarts."""

    key: str
    value: str


Record = OrderChanged | CopyChanged | LedgerChanged | RequestMade | ConfigSet
