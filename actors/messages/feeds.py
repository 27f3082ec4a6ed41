"""An account's orders as its feed tells of them, and what the feed is told."""

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
    """An account's order is not what it was. ``received`` is the monotonic time at which we learnt of it."""

    account: str
    order: Order
    received: float
    recovered: bool


@dataclass(frozen=True, slots=True)
class BookSnapshot:
    """Everything the feed knows, at the moment of subscribing; every later change follows, in order.

    ``unread`` are the ids of the orders in the book that could not be read.
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
    """A read of the account's book that began after the gap has been merged."""

    account: str


@dataclass(frozen=True, slots=True)
class BookMerged:
    """A read of the account's book, begun at a monotonic time, is merged; its changes were told before.

    ``order_ids`` are those of the rows that could be read. ``skew`` is the seconds to add to our time of day to have
    the broker's. Of the leader's only the audits and what opens his gate are told, not each look that found nothing.
    """

    account: str
    began: float
    order_ids: frozenset[str]
    unreadable: tuple[UnreadableRow, ...]
    skew: float | None

    @property
    def names_all(self) -> bool:
        """Whether the id of every row could be read, so that an order of which none is told was not there."""
        return all(row.order_id for row in self.unreadable)


@dataclass(frozen=True, slots=True)
class SearchMerged:
    """The broker was asked for a correlation id at a monotonic time; what it showed was told before."""

    account: str
    correlation_id: str
    began: float
    found: bool


@dataclass(frozen=True, slots=True)
class OrderUnreadable:
    """Nothing that tells of an account's order can be read, and why; it may be read later."""

    account: str
    order_id: str
    what: str


#: A feed tells of the account's orders; the leader's also of what he holds.
FeedNews = OrderUpdated | OrderUnreadable | BookSnapshot | GateClosed | GateOpened | BookMerged | SearchMerged | NetRead

#: One gap of one incarnation of a feed; a read opens only the gate of the gap in which it began.
Generation = tuple[int, int]

#: A read that belongs to no gap.
NO_GAP: Generation = (0, 0)


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Send me your book and from then on every change; the leader's, what he holds as well, as far as that is known."""

    subscriber: Recipient[FeedNews]


@dataclass(frozen=True, slots=True)
class BookRead:
    """The account's whole order book, as it was at some moment after ``generation`` and ``began`` (monotonic).

    ``glance``: it was read for no other reason than that there was something new of an order.
    """

    generation: Generation
    began: float
    book: OrderBook
    skew: float | None
    glance: bool = False


@dataclass(frozen=True, slots=True)
class SearchAnswered:
    """What the broker showed when asked for a correlation id at a monotonic time."""

    correlation_id: str
    began: float
    orders: Sequence[Order]


FeedMessage = Subscribe | BookRead | SearchAnswered | NetRead | TokenNews | ActorUp | ActorDied
