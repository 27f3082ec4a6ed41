"""What is read of an account at the broker, and what gap recovery is told."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from actors.messages.feeds import Generation
from actors.messages.positions import NetRead
from actors.messages.tokens import TokenNews
from actors.runtime.actor import ActorDied, ActorUp
from actors.runtime.address import Recipient
from copytrade.brokers.read_budget import ReadLane
from copytrade.core.model.accounts import Result


@dataclass(frozen=True, slots=True)
class ReadBook:
    """Read an account's order book and tell its feed. ``since`` and ``after_gap`` are for the log line alone.

    An ``urgent`` read goes before all others of the account, whatever its ``lane``.
    """

    account: str
    generation: Generation
    since: datetime | None
    after_gap: bool
    urgent: bool = False
    lane: ReadLane = ReadLane.AUDIT


@dataclass(frozen=True, slots=True)
class SearchOrder:
    """Ask the broker for the orders with a correlation id, and tell the account's feed."""

    account: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class CapitalRead:
    """What an account is sized by is known: its capital in rupees."""

    account: str
    capital: Decimal


@dataclass(frozen=True, slots=True)
class ReadCapital:
    """Read an account's start-of-day limit, and ``with_collateral`` what is pledged beside it."""

    account: str
    reply_to: Recipient[CapitalRead]
    with_collateral: bool = False


@dataclass(frozen=True, slots=True)
class ResultRead:
    """What an account has made of the day is known."""

    account: str
    result: Result


@dataclass(frozen=True, slots=True)
class ReadResult:
    """Read what an account has made of the day."""

    account: str
    reply_to: Recipient[ResultRead]


@dataclass(frozen=True, slots=True)
class ReadNet:
    """Read what an account holds; ``holdings`` too where shares are copied.

    An ``urgent`` read goes before all others of the account.
    """

    account: str
    holdings: bool
    reply_to: Recipient[NetRead]
    urgent: bool = False


#: What is answered by a read that began after it came.
ReadRequest = ReadBook | SearchOrder | ReadCapital | ReadResult | ReadNet


GapRecoveryMessage = ReadRequest | TokenNews | ActorUp | ActorDied
