"""Super orders and forever orders: what is sent for them, and what the broker's lists say.

A super order is an entry with a target, a stop or both. The broker arms them when the entry fills, and one ends the
other. A forever order waits at the broker, for days, and places an ordinary order when its price comes. Each request
counts in the account's budget as an order request (documented).
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from copytrade.brokers.api import Cancelled, Foreign, PendingRequest, Placed, Unreadable
from copytrade.brokers.outcomes import Outcome
from copytrade.core.model.orders import ZERO, InstrumentKey, Leg, Order, OrderType, Product, Side, Status


@dataclass(frozen=True, slots=True)
class NewSuperOrder:
    """A super order to place, LIMIT or MARKET. ``quantity`` is units, prices are rupees, 0 for none.

    A MARKET entry has price 0. At least one of ``target_price`` and ``stop_price`` is set. ``trailing_jump`` is the
    step in which the stop follows the price, 0 for a stop that stands.
    """

    correlation_id: str
    side: Side
    key: InstrumentKey
    product: Product
    order_type: OrderType
    quantity: int
    price: Decimal = ZERO
    target_price: Decimal = ZERO
    stop_price: Decimal = ZERO
    trailing_jump: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class EntryChange:
    """The new parameters of a super order whose entry waits or has filled in part, all of them."""

    order_type: OrderType
    quantity: int
    price: Decimal
    target_price: Decimal
    stop_price: Decimal
    trailing_jump: Decimal


@dataclass(frozen=True, slots=True)
class TargetChange:
    """The new price of a target."""

    price: Decimal


@dataclass(frozen=True, slots=True)
class StopChange:
    """The new price of a stop, and its jump: 0 ends the trailing."""

    price: Decimal
    trailing_jump: Decimal


SuperChange = EntryChange | TargetChange | StopChange


@dataclass(frozen=True, slots=True)
class SuperLeg:
    """One exit of a super order, as the list shows it. Until the entry fills, ``id`` is the entry's, ``quantity`` 0."""

    id: str
    leg: Leg
    side: Side
    status: Status
    quantity: int
    remaining_quantity: int
    triggered_quantity: int
    price: Decimal
    trailing_jump: Decimal


@dataclass(frozen=True, slots=True)
class SuperOrder:
    """An entry and its exits."""

    entry: Order
    legs: tuple[SuperLeg, ...]


@dataclass(frozen=True, slots=True)
class ForeverOrder:
    """A forever order's single leg, or one leg of a pair of which one ends the other (``is_oco``)."""

    id: str
    leg: Leg
    status: Status
    side: Side
    key: InstrumentKey
    product: Product
    quantity: int
    price: Decimal
    trigger_price: Decimal
    is_oco: bool


@dataclass(frozen=True, slots=True)
class SuperOrderBook:
    """The day's super orders, and the rows that cannot be decoded. ``read_from`` is when the request began.

    A row of which one leg cannot be decoded is unreadable as a whole.
    """

    orders: tuple[SuperOrder, ...]
    unreadable: tuple[Unreadable, ...]
    read_from: datetime
    foreign: tuple[Foreign, ...] = ()


@dataclass(frozen=True, slots=True)
class ForeverOrderBook:
    """The account's forever orders, as in :class:`SuperOrderBook`."""

    orders: tuple[ForeverOrder, ...]
    unreadable: tuple[Unreadable, ...]
    read_from: datetime
    foreign: tuple[Foreign, ...] = ()


class SuperOrderGateway(Protocol):
    """Sends one account's super orders; its methods are as those of an ``OrderGateway``."""

    def place_super(self, order: NewSuperOrder) -> PendingRequest[Placed]:
        """Begin to place a super order. Raises ValueError if a number cannot be sent exactly; nothing is sent then."""
        ...

    def modify_super(self, order_id: str, change: SuperChange) -> PendingRequest[Placed]:
        """Begin to change one leg; ``order_id`` is the entry's. Raises ValueError as ``place_super`` does."""
        ...

    def cancel_super(self, order_id: str, leg: Leg) -> PendingRequest[Cancelled]:
        """Begin to cancel one leg, or all with the entry; ``order_id`` is the entry's. An exit cannot come back."""
        ...


class FamilyReader(Protocol):
    """Reads one account's super and forever orders. Each method blocks until its outcome is known."""

    def super_orders(self) -> Outcome[SuperOrderBook]:
        """Read the day's super orders."""
        ...

    def forever_orders(self) -> Outcome[ForeverOrderBook]:
        """Read the forever orders."""
        ...
