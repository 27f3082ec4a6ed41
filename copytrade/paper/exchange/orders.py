"""An order on the paper exchange, and the refusals of the broker in front of it."""

from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from copytrade.paper.exchange.instruments import PaperInstrument

ENDED = frozenset({"TRADED", "CANCELLED", "REJECTED", "EXPIRED"})

NO_PRICE = Decimal(0)


class Refusal(Exception):
    """The broker's answer to a request that it does not take: an HTTP status and an error body."""

    def __init__(self, status: int, code: str, error_type: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.error_type = error_type
        self.message = message


def input_error(message: str) -> Refusal:
    """Return the refusal of a malformed request."""
    return Refusal(400, "DH-905", "Input_Exception", message)


def order_error(message: str) -> Refusal:
    """Return the refusal of a request that makes no sense for the order."""
    return Refusal(400, "DH-906", "Order_Error", message)


@dataclass(frozen=True, slots=True)
class Ticket:
    """What somebody wants: the parameters of a new order. One that is ``resting`` waits, whatever the price is."""

    side: str
    instrument: PaperInstrument
    quantity: int
    order_type: str = "LIMIT"
    product: str = "MARGIN"
    validity: str = "DAY"
    price: Decimal = NO_PRICE
    trigger_price: Decimal = NO_PRICE
    disclosed_quantity: int = 0
    after_market: bool = False
    correlation_id: str = ""
    source: str = "P"
    family: "Family | None" = None
    resting: bool = False


@dataclass(frozen=True, slots=True)
class Family:
    """What tells that an order belongs to another, in the words of the order-update socket.

    ``leg`` is 1 for an entry, 2 a stop, 3 a target. ``algo_order`` is the number of the entry, or of the forever
    order whose child this is: an integer on the wire. ``platform`` is API, FAST (the app) or FOVR (a forever order).
    """

    leg: int = 1
    algo_order: int | str | None = None
    platform: str = ""
    remarks: str = ""


@dataclass(slots=True)
class PaperOrder:
    """One order, as the broker knows it. ``word`` is the status that the order-update socket last told.

    ``past`` is what it has been, each state with its time in monotonic seconds.
    """

    id: str
    client_id: str
    side: str
    instrument: PaperInstrument
    product: str
    order_type: str
    validity: str
    quantity: int
    price: Decimal
    trigger_price: Decimal
    disclosed_quantity: int
    after_market: bool
    correlation_id: str
    source: str
    created_at: datetime
    updated_at: datetime
    accepted_at: float
    status: str = "TRANSIT"
    word: str = "Transit"
    exchange_id: str = "0"
    exchange_at: datetime | None = None
    filled: int = 0
    last_price: Decimal = NO_PRICE
    value: Decimal = NO_PRICE
    modifications: int = 0
    reason: str = ""
    trades: list[tuple[int, Decimal, datetime]] = field(default_factory=list)
    family: Family | None = None
    past: list[tuple[float, "PaperOrder"]] = field(default_factory=list, repr=False)

    def remember(self, now: float) -> None:
        """Keep what it is now among what it has been."""
        self.past.append((now, copy(self)))

    def as_of(self, moment: float) -> "PaperOrder | None":
        """Return it as it was at a moment, None before there was such an order."""
        return next((state for at, state in reversed(self.past) if at <= moment), None)

    @property
    def is_ended(self) -> bool:
        """Whether the order can change no more."""
        return self.status in ENDED

    @property
    def remaining(self) -> int:
        """Units yet to be filled; 0 once the order has ended, but for a rejection, which leaves them (seen so)."""
        return 0 if self.status in ENDED - {"REJECTED"} else self.quantity - self.filled

    @property
    def is_stop(self) -> bool:
        """Whether it waits for its trigger price."""
        return self.order_type in ("STOP_LOSS", "STOP_LOSS_MARKET")

    @property
    def average(self) -> Decimal:
        """Average price of the fills, 0 before the first."""
        return self.value / self.filled if self.filled else NO_PRICE

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self.side == "BUY" else -1
