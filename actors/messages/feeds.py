"""What a feed tells its subscribers, and what others tell a feed."""

from collections.abc import Sequence
from dataclasses import dataclass

from actors.messages.positions import NetRead
from actors.messages.tokens import TokenNews
from actors.runtime.actor import ActorDied, ActorUp
from actors.runtime.address import Recipient
from copytrade.brokers.api import OrderBook
from copytrade.core.engine.copies.unknown_outcomes import UnreadableRow
from copytrade.core.model.orders import Order


@dataclass(frozen=True, slots=True)
class OrderUpdated:
    """An order has changed. ``received`` is the monotonic time at which we learnt of it.

    ``recovered`` says that it came from a read of the order book and not from the feed.
    """

    account: str
    order: Order
    received: float
    recovered: bool


@dataclass(frozen=True, slots=True)
class BookSnapshot:
    """All orders that the feed knows, at the moment of subscribing; every later change follows, in order.

    ``unread`` has the ids of the orders in the book that could not be read.
    """

    account: str
    orders: Sequence[Order]
    gate_open: bool
    unread: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class GateClosed:
    """The account's feed may have missed something: no entry until its book has been read."""

    account: str


@dataclass(frozen=True, slots=True)
class GateOpened:
    """The gap is closed: a read of the account's book that began after it has been merged."""

    account: str


@dataclass(frozen=True, slots=True)
class BookMerged:
    """A read of the account's book that began at a monotonic time has been merged; its changes were told before.

    ``order_ids`` are those of the rows that could be read. ``skew`` is how many seconds the broker's clock is ahead. Of
    the leader's reads only audits, those that changed something and those that open the gate are told.
    """

    account: str
    began: float
    order_ids: frozenset[str]
    unreadable: tuple[UnreadableRow, ...]
    skew: float | None

    @property
    def names_all(self) -> bool:
        """Whether the id of every row could be read: then an order that has none was not in the book."""
        return all(row.order_id for row in self.unreadable)


@dataclass(frozen=True, slots=True)
class SearchMerged:
    """The broker was asked for a correlation id at a monotonic time; what it found was told before."""

    account: str
    correlation_id: str
    began: float
    found: bool


@dataclass(frozen=True, slots=True)
class OrderUnreadable:
    """An order cannot be read from frame or book, and why; that may change later."""

    account: str
    order_id: str
    what: str


#: What a feed tells its subscribers; the leader's feed also tells his positions.
FeedNews = OrderUpdated | OrderUnreadable | BookSnapshot | GateClosed | GateOpened | BookMerged | SearchMerged | NetRead

#: One gap of one incarnation of a feed; a read opens only the gate of the gap in which it began.
Generation = tuple[int, int]

#: A read that belongs to no gap.
NO_GAP: Generation = (0, 0)


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Tell me your book, and every change from then on. The leader's feed tells his positions too."""

    subscriber: Recipient[FeedNews]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Tell a subscriber nothing more."""

    name: str


@dataclass(frozen=True, slots=True)
class BookRead:
    """The account's whole order book. ``began`` is when the read began, a monotonic time.

    ``glance``: it was read only because there was news of an order.
    """

    generation: Generation
    began: float
    book: OrderBook
    skew: float | None
    glance: bool = False


@dataclass(frozen=True, slots=True)
class SearchAnswered:
    """The orders that the broker found by a correlation id; ``began`` is a monotonic time."""

    correlation_id: str
    began: float
    orders: Sequence[Order]


FeedMessage = Subscribe | Unsubscribe | BookRead | SearchAnswered | NetRead | TokenNews | ActorUp | ActorDied
