"""An order on the paper exchange, and the refusals of the broker in front of it."""

from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from copytrade.paper.exchange.instruments import PaperInstrument

ENDED = frozenset({"TRADED", "CANCELLED", "REJECTED", "EXPIRED"})

NO_PRICE = Decimal(0)


class Refusal(Exception):
    """The broker's refusal of a request: an HTTP status and an error body."""

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
    """The parameters of a new order. With ``resting`` it waits, whatever the price is."""

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
    """The relation of an order to its parent order, in the words of the order-update socket.

    ``leg`` is 1 for an entry, 2 a stop, 3 a target. ``algo_order`` is the number of the entry, or of the forever
    order whose child this is: an integer on the wire. ``platform`` is API, FAST (the app) or FOVR (a forever order).
    """

    leg: int = 1
    algo_order: int | str | None = None
    platform: str = ""
    remarks: str = ""


@dataclass(slots=True)
class PaperOrder:
    """One order at the broker. ``word`` is the status that the order-update socket last sent.

    ``past`` are its earlier states, each with its time in monotonic seconds.
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
        """Add the current state to ``past``."""
        self.past.append((now, copy(self)))

    def as_of(self, moment: float) -> "PaperOrder | None":
        """Return its state at a moment, None before the order existed."""
        return next((state for at, state in reversed(self.past) if at <= moment), None)

    @property
    def is_ended(self) -> bool:
        """Whether the order has ended."""
        return self.status in ENDED

    @property
    def remaining(self) -> int:
        """Units not filled yet; 0 once the order has ended, except for a rejection, which keeps them (seen so)."""
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
