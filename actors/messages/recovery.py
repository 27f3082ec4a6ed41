"""What is read of an account at the broker, and what gap recovery is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from actors.base import ActorDied, ActorUp, Address
from actors.messages.feeds import Generation
from actors.messages.positions import NetRead
from actors.messages.tokens import TokenNews
from copytrade.dhan.rest import OrderBook
from copytrade.ledger import Baseline
from copytrade.orders import Order
from copytrade.protection import Result


@dataclass(frozen=True, slots=True)
class ReadBook:
    """Read an account's order book and tell its feed. ``since`` and ``after_gap`` are for the log line alone.

    An ``urgent`` read goes before all others of the account.
    """

    account: str
    generation: Generation
    since: datetime | None
    after_gap: bool
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class RetryRead:
    """An account's book that could not be read can be tried again."""

    account: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a read gave nothing; ``token_refused`` where another token is all that helps."""

    why: str
    token_refused: bool = False


@dataclass(frozen=True, slots=True)
class BookReadFinished:
    """A reader thread is done with an account's book; ``problem`` says why there is none."""

    request: ReadBook
    began: float
    book: OrderBook | None
    problem: Problem | None
    skew: float | None


@dataclass(frozen=True, slots=True)
class SearchOrder:
    """Ask the broker for the orders with a correlation id, and tell the account's feed."""

    account: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class SearchFinished:
    """A reader thread is done with a search; ``problem`` says why it proves nothing."""

    request: SearchOrder
    began: float
    orders: Sequence[Order]
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class CapitalRead:
    """An account's start-of-day capital in rupees is known."""

    account: str
    capital: Decimal


@dataclass(frozen=True, slots=True)
class ReadCapital:
    """Read an account's start-of-day capital."""

    account: str
    reply_to: Address[CapitalRead]


@dataclass(frozen=True, slots=True)
class CapitalReadFinished:
    """A reader thread is done with an account's capital; ``problem`` says why there is none."""

    request: ReadCapital
    capital: Decimal | None
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class PositionsRead:
    """An account's positions are known, apart from the day's orders."""

    account: str
    baseline: Baseline


@dataclass(frozen=True, slots=True)
class ReadPositions:
    """Read an account's positions; ``holdings`` too where shares are copied."""

    account: str
    holdings: bool
    reply_to: Address[PositionsRead]


@dataclass(frozen=True, slots=True)
class PositionsReadFinished:
    """A reader thread is done with an account's positions; ``problem`` says why there are none."""

    request: ReadPositions
    read: PositionsRead | None
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class ResultRead:
    """What an account has made of the day is known."""

    account: str
    result: Result


@dataclass(frozen=True, slots=True)
class ReadResult:
    """Read what an account has made of the day, if that is not being read already."""

    account: str
    reply_to: Address[ResultRead]


@dataclass(frozen=True, slots=True)
class ResultReadFinished:
    """A reader thread is done with an account's result; ``problem`` says why there is none."""

    request: ReadResult
    result: Result | None
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class ReadNet:
    """Read what an account holds; ``holdings`` too where shares are copied.

    The read begins after this has come. An ``urgent`` read goes before all others of the account.
    """

    account: str
    holdings: bool
    reply_to: Address[NetRead]
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class NetReadFinished:
    """A reader thread is done with what an account holds; ``problem`` says why it is not known."""

    request: ReadNet
    read: NetRead | None
    problem: Problem | None


GapRecoveryMessage = (
    ReadBook
    | RetryRead
    | BookReadFinished
    | SearchOrder
    | SearchFinished
    | TokenNews
    | ReadCapital
    | CapitalReadFinished
    | ReadPositions
    | PositionsReadFinished
    | ReadNet
    | NetReadFinished
    | ReadResult
    | ResultReadFinished
    | ActorUp
    | ActorDied
)
