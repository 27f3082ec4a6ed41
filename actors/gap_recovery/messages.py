"""What gap recovery is told by itself and by its readers, and all that its inbox holds."""

from dataclasses import dataclass

from actors.messages.reads import GapRecoveryMessage, ReadRequest
from copytrade.brokers.api import Net, OrderBook
from copytrade.brokers.outcomes import Refusal
from copytrade.core.model.accounts import Funds, Result
from copytrade.core.model.orders import Order

#: What a read shows: the order book, the orders with an id, capital, the day's result, units by line.
Found = OrderBook | tuple[Order, ...] | Funds | Result | Net


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a read failed; ``refusal`` if the broker refused it."""

    why: str
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class ReadFinished:
    """A read has ended. ``began`` is a monotonic time.

    ``skew`` is how many seconds the broker's clock is ahead, None while no reply has told.
    """

    request: ReadRequest
    began: float
    answer: Found | Problem
    skew: float | None


@dataclass(frozen=True, slots=True)
class ReadGoesOn:
    """One of the requests of a read has been made, and there are more."""

    request: ReadRequest


@dataclass(frozen=True, slots=True)
class ServeReads:
    """A read of this account that had to wait may be made now."""

    account: str


GapRecoveryInbox = GapRecoveryMessage | ReadFinished | ReadGoesOn | ServeReads
