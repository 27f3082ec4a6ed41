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
    """Why a read gave nothing; ``refusal`` where the broker said so."""

    why: str
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class ReadFinished:
    """A reader thread is done with what was asked for, and began it at a monotonic time.

    ``skew`` is the seconds to add to our time to have the broker's, None while no reply has told.
    """

    request: ReadRequest
    began: float
    answer: Found | Problem
    skew: float | None


@dataclass(frozen=True, slots=True)
class ReadGoesOn:
    """A reader thread has made one of the requests to the broker that a read takes, and there are more."""

    request: ReadRequest


@dataclass(frozen=True, slots=True)
class ServeReads:
    """Something of an account that had to wait may be read."""

    account: str


GapRecoveryInbox = GapRecoveryMessage | ReadFinished | ReadGoesOn | ServeReads
