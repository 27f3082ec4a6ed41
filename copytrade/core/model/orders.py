"""An order, and the values its fields can take.

Prices are :class:`~decimal.Decimal` rupees: exact for every tick there is (currency futures tick in 0.0025), written
the way an operator reads them, and free of a unit that each reader would have to know. Quantities are units, never
lots. Times are timezone-aware; the adapters convert at the edge.
"""

import re
import sys
from datetime import date, datetime, time, timezone
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

import msgspec
import pytz

#: India's time. It has had one offset since 1945; as a fixed one it is converted to three times as fast.
IST = timezone(pytz.timezone("Asia/Kolkata").utcoffset(datetime(2026, 1, 1)), "IST")  # noqa: DTZ001

#: The beginning of every correlation id that this program gives out.
CORRELATION_PREFIX = "ct-"

#: The broker refuses longer ids (25 characters accepted, 26 refused with DH-905, bisected on its sandbox).
_CORRELATION_ID = re.compile(r"[A-Za-z0-9_-]{1,25}")

_OURS = re.compile(rf"{CORRELATION_PREFIX}(.+)-([1-9][0-9]*)")

ZERO = Decimal(0)


class Side(StrEnum):
    """Buy or sell."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """The broker's four order types."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_MARKET = "STOP_LOSS_MARKET"

    @property
    def has_trigger(self) -> bool:
        """Whether the order waits for a trigger price."""
        return self in (OrderType.STOP_LOSS, OrderType.STOP_LOSS_MARKET)

    @property
    def has_limit(self) -> bool:
        """Whether the order carries a limit price."""
        return self in (OrderType.LIMIT, OrderType.STOP_LOSS)


class Product(StrEnum):
    """How the broker margins and holds what the order buys."""

    CNC = "CNC"
    INTRADAY = "INTRADAY"
    MARGIN = "MARGIN"
    MTF = "MTF"
    CO = "CO"
    BO = "BO"

    @property
    def is_for_delivery(self) -> bool:
        """Whether what is sold has to be there: shares are delivered, and cannot be sold short."""
        return self in (Product.CNC, Product.MTF)


class Validity(StrEnum):
    """How long an order may rest."""

    DAY = "DAY"
    IOC = "IOC"


class AmoTime(StrEnum):
    """When an after-market order is released to the exchange."""

    PRE_OPEN = "PRE_OPEN"
    OPEN = "OPEN"
    OPEN_30 = "OPEN_30"
    OPEN_60 = "OPEN_60"


class Segment(StrEnum):
    """Exchange and segment, as the broker names them."""

    INDEX = "IDX_I"
    NSE_EQ = "NSE_EQ"
    NSE_FNO = "NSE_FNO"
    NSE_CURRENCY = "NSE_CURRENCY"
    BSE_EQ = "BSE_EQ"
    BSE_FNO = "BSE_FNO"
    BSE_CURRENCY = "BSE_CURRENCY"
    MCX_COMM = "MCX_COMM"

    @property
    def is_cash(self) -> bool:
        """Whether shares trade here; everything else is a derivative."""
        return self in (Segment.NSE_EQ, Segment.BSE_EQ)

    @property
    def has_multiplier(self) -> bool:
        """Whether one unit of quantity may stand for several of what is priced: currency and commodity contracts."""
        return self in (Segment.NSE_CURRENCY, Segment.BSE_CURRENCY, Segment.MCX_COMM)


#: The segment by exchange and letter, as the order-update socket and the instrument master write it.
SEGMENT_OF = {
    ("NSE", "E"): Segment.NSE_EQ,
    ("NSE", "D"): Segment.NSE_FNO,
    ("NSE", "C"): Segment.NSE_CURRENCY,
    ("BSE", "E"): Segment.BSE_EQ,
    ("BSE", "D"): Segment.BSE_FNO,
    ("BSE", "C"): Segment.BSE_CURRENCY,
    ("MCX", "M"): Segment.MCX_COMM,
}


class Status(StrEnum):
    """Where an order is in its life, both spellings of the wire brought to one.

    MODIFIED and TRIGGERED are seen on the order-update socket only; they are resting orders. DORMANT are forever orders
    and legs that wait for a price or for another leg: nothing of them is at the exchange.
    """

    TRANSIT = "TRANSIT"
    DORMANT = "DORMANT"
    PENDING = "PENDING"
    MODIFIED = "MODIFIED"
    TRIGGERED = "TRIGGERED"
    PART_TRADED = "PART_TRADED"
    TRADED = "TRADED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    CLOSED = "CLOSED"

    @property
    def is_terminal(self) -> bool:
        """Whether the order can change no more."""
        return self in _TERMINAL

    @property
    def is_ahead_of_exchange(self) -> bool:
        """Whether the order has not come to the exchange yet, and nothing follows from it."""
        return self is Status.TRANSIT or self is Status.DORMANT


_TERMINAL = frozenset({Status.TRADED, Status.CANCELLED, Status.REJECTED, Status.EXPIRED, Status.CLOSED})


class Leg(StrEnum):
    """Which part of a super, cover or bracket order this is; NONE for a plain order."""

    NONE = "NA"
    ENTRY = "ENTRY_LEG"
    STOP_LOSS = "STOP_LOSS_LEG"
    TARGET = "TARGET_LEG"


class Source(StrEnum):
    """Where an observation comes from: a frame of the order-update socket, or a row of the order book."""

    FEED = "feed"
    BOOK = "book"


class InstrumentKey(NamedTuple):
    """A tradable thing. A security id alone is not enough: it is unique only within its segment."""

    segment: Segment
    security_id: str


class Order(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One order as it is known at one moment.

    ``created_at`` and ``updated_at`` are the broker's (1 s resolution); ``observed_at`` is ours: a frame's receipt,
    the start of the request for a book row. ``average_price`` is 0 until the first fill. ``parent_id`` is the order
    that a leg or the child of a forever order belongs to, "" for none. ``instrument``, ``lot_size``, ``tick_size``,
    ``multiplier`` and ``last_price`` are None where the source does not carry them (rows of the order book do not).
    What an order is worth is price x quantity x multiplier. ``leader`` is whose order it is, "" where there is only one
    leader, and for an order of a follower.
    """

    id: str
    client_id: str
    status: Status
    side: Side
    key: InstrumentKey
    product: Product
    order_type: OrderType
    validity: Validity
    quantity: int
    observed_at: datetime
    source: Source
    filled_quantity: int = 0
    disclosed_quantity: int = 0
    price: Decimal = ZERO
    trigger_price: Decimal = ZERO
    average_price: Decimal = ZERO
    correlation_id: str = ""
    exchange_order_id: str = ""
    symbol: str = ""
    leg: Leg = Leg.NONE
    parent_id: str = ""
    after_market: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None
    exchange_at: datetime | None = None
    reason: str = ""
    instrument: str | None = None
    lot_size: int | None = None
    tick_size: Decimal | None = None
    multiplier: Decimal | None = None
    last_price: Decimal | None = None
    leader: str = ""

    @property
    def is_terminal(self) -> bool:
        """Whether the order can change no more."""
        return self.status in _TERMINAL

    @property
    def reference_price(self) -> Decimal | None:
        """The price by which the order's value is judged: its limit, its fills', or the last traded; None for none."""
        return self.price or self.average_price or self.last_price or None

    @property
    def is_ours(self) -> bool:
        """Whether this program placed it, by the correlation id."""
        return self.correlation_id.startswith(CORRELATION_PREFIX)

    @property
    def event_at(self) -> datetime:
        """The broker's time of the last thing that happened to the order.

        Where it gives none, a frame tells of what happens now; a row may be as old as the day.
        """
        times = [moment for moment in (self.created_at, self.updated_at, self.exchange_at) if moment]
        if times:
            return max(times)
        if self.source is Source.FEED:
            return self.observed_at
        return self.observed_at.astimezone(IST).replace(hour=0, minute=0, second=0, microsecond=0)


def trade_date(order: Order) -> date:
    """Return the trading day to which an order belongs, in India."""
    return (order.created_at or order.observed_at).astimezone(IST).date()


def ended_before(order: Order, day: date) -> bool:
    """Whether an order can change no more, and all that happened to it did so before a day in India.

    Of one without the broker's times nobody can say.
    """
    return order.created_at is not None and ended_by(order, datetime.combine(day, time.min, IST))


def ended_by(order: Order, moment: datetime) -> bool:
    """Whether an order can change no more, and all that happened to it did so before a moment by the broker's clock."""
    return order.is_terminal and order.event_at < moment


def correlation_id(leader_order_id: str, n: int) -> str:
    """Return the id of a follower's ``n``-th order (1, 2, ...) for this leader order.

    The same everywhere and after every crash, so an order whose answer was lost can be found again by it.

    Raises ValueError if the id would be one that the broker refuses.
    """
    candidate = f"{CORRELATION_PREFIX}{leader_order_id}-{n}"
    if not _CORRELATION_ID.fullmatch(candidate):
        raise ValueError(f"{candidate!r} cannot be a correlation id: at most 25 of A-Z a-z 0-9 _ - are allowed")
    return sys.intern(candidate)


def order_of(correlation_id: str) -> tuple[str, int] | None:
    """Return the leader order id and the number in a correlation id of ours, None if it is not one."""
    match = _OURS.fullmatch(correlation_id)
    return (match[1], int(match[2])) if match else None
