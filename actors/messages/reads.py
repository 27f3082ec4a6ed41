"""Reads of an account at the broker, and what gap recovery is told."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from actors.messages.feeds import Generation
from actors.messages.positions import NetRead
from actors.messages.tokens import TokenNews
from actors.runtime.actor import ActorDied, ActorUp
from actors.runtime.address import Recipient
from copytrade.brokers.api import AccountReader
from copytrade.brokers.read_budget import ReadLane
from copytrade.core.model.accounts import Funds, Result


@dataclass(frozen=True, slots=True)
class ReadBook:
    """Read an account's order book and tell its feed. ``since`` and ``after_gap`` are only for the log line.

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
    """An account's capital in rupees, by which orders are sized, and the funds of which it is a part."""

    account: str
    capital: Decimal
    funds: Funds | None = None


@dataclass(frozen=True, slots=True)
class ReadCapital:
    """Read an account's start-of-day limit, and ``with_collateral`` add its pledged securities."""

    account: str
    reply_to: Recipient[CapitalRead]
    with_collateral: bool = False


@dataclass(frozen=True, slots=True)
class ResultRead:
    """An account's profit or loss of the day."""

    account: str
    result: Result


@dataclass(frozen=True, slots=True)
class ReadResult:
    """Read an account's profit or loss of the day."""

    account: str
    reply_to: Recipient[ResultRead]


@dataclass(frozen=True, slots=True)
class ReadNet:
    """Read what an account holds; ``holdings`` if shares are copied.

    An ``urgent`` read goes before all others of the account.
    """

    account: str
    holdings: bool
    reply_to: Recipient[NetRead]
    urgent: bool = False


#: Requests for a read; the read that answers one begins after the request.
ReadRequest = ReadBook | SearchOrder | ReadCapital | ReadResult | ReadNet


@dataclass(frozen=True, slots=True)
class ReadAccountJoined:
    """Read another account from now on, when asked to."""

    account: str
    reader: AccountReader


@dataclass(frozen=True, slots=True)
class ReadAccountLeft:
    """Read an account no more."""

    account: str


GapRecoveryMessage = ReadRequest | ReadAccountJoined | ReadAccountLeft | TokenNews | ActorUp | ActorDied
