"""Today's orders of one account, and how a new sight of an order is merged into what is known of it.

The order-update socket has no sequence numbers; it repeats itself, loses messages and reorders them, and an order-book
row may be older than a frame that overtook it. So an order is merged field by field: filling never goes back, an ended
order never comes to life, and the parameters are those of the latest update.
"""

from collections.abc import Iterable, Iterator, Set
from datetime import UTC, date, datetime

import msgspec
from msgspec.structs import replace

from copytrade.orders import Order, OrderType, Source, Status, ended_before

_NEVER = datetime.min.replace(tzinfo=UTC)

_RESTING = (Status.MODIFIED, Status.TRIGGERED)

#: Which of two ended states is believed: what was filled, then the leader's own hand, then the broker's.
_TERMINAL_RANK = {
    Status.TRADED: 4,
    Status.CANCELLED: 3,
    Status.CLOSED: 2,
    Status.EXPIRED: 1,
    Status.REJECTED: 0,
}


class Change(msgspec.Struct, frozen=True, gc=False):
    """An order that is new (``before`` is None) or not what it was."""

    before: Order | None
    after: Order


class Book:
    """The orders of one account by id, in the order in which they were first seen."""

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        #: The row of the order book that was merged last, of those orders about which nothing else was heard since.
        self._rows: dict[str, Order] = {}

    def __len__(self) -> int:
        return len(self._orders)

    def __iter__(self) -> Iterator[Order]:
        return iter(self._orders.values())

    def get(self, order_id: str) -> Order | None:
        """Return what is known of an order, or None."""
        return self._orders.get(order_id)

    def merge(self, seen: Order) -> Change | None:
        """Take in one sight of an order; return what it changed, or None for a repetition or old news."""
        if seen.status is Status.TRADED and not seen.filled_quantity:
            seen = replace(seen, filled_quantity=seen.quantity)  # the word says it all
        known = self._orders.get(seen.id)
        merged = seen if known is None else merge(known, seen)
        if known is not None and _facts(merged) == _facts(known):
            if _says_more(merged, known):
                self._orders[seen.id] = merged
            return None
        self._orders[seen.id] = merged
        self._rows.pop(seen.id, None)
        return Change(known, merged)

    def merge_all(self, seen: Iterable[Order]) -> list[Change]:
        """Take in several sights; return what they changed, in the order in which it happened."""
        return [change for order in chronological(seen) if (change := self.merge(order)) is not None]

    def merge_read(self, rows: Iterable[Order], read_from: datetime) -> list[Change]:
        """Take in a read of the order book that began at ``read_from``; return what it changed, in order.

        A row that is the very object of an earlier read says what it said then: where nothing else was heard of its
        order in between, there is nothing to merge.
        """
        changes = []
        for row in chronological(row for row in rows if self._rows.get(row.id) is not row):
            seen = row if row.observed_at >= read_from else replace(row, observed_at=read_from)
            if change := self.merge(seen):
                changes.append(change)
            self._rows[row.id] = row
        return changes

    def forget_before(self, day: date, shown: Set[str]) -> None:
        """Forget what ended before a day, but for the orders ``shown`` by the broker's book still."""
        for order in [order for order in self if order.id not in shown and ended_before(order, day)]:
            del self._orders[order.id]
        for order_id in self._rows.keys() - shown:
            del self._rows[order_id]


def chronological(orders: Iterable[Order]) -> list[Order]:
    """Return orders by the time of the last thing that happened to each, as far as seconds tell.

    What fills after an exit is not left by it: of several fills that were missed, the order decides what each means.
    """
    return sorted(orders, key=lambda order: (order.event_at, order.created_at or _NEVER, order.id))


def merge(known: Order, seen: Order) -> Order:
    """Return what is known of an order after one more sight of it.

    Commutative up to equal stamps, and idempotent: the same sights in any order and any number give the same order.
    """
    newer, older = (seen, known) if _stamp(seen) >= _stamp(known) else (known, seen)
    fuller = newer if newer.filled_quantity >= older.filled_quantity else older
    merged = replace(
        newer,
        filled_quantity=fuller.filled_quantity,
        average_price=fuller.average_price or newer.average_price,
        status=_status(newer, older, fuller.filled_quantity),
        created_at=_earliest(known.created_at, seen.created_at),
        exchange_order_id=newer.exchange_order_id or older.exchange_order_id,
        correlation_id=newer.correlation_id or older.correlation_id,
        symbol=newer.symbol or older.symbol,
        reason=newer.reason or older.reason,
        instrument=newer.instrument or older.instrument,
        lot_size=newer.lot_size or older.lot_size,
        tick_size=newer.tick_size or older.tick_size,
        multiplier=newer.multiplier or older.multiplier,
        last_price=newer.last_price or older.last_price,
    )
    if _reads_back_as_limit(older, newer):
        return replace(merged, order_type=older.order_type, trigger_price=older.trigger_price)
    return merged


def _reads_back_as_limit(older: Order, newer: Order) -> bool:
    """Whether a stop order merely shows as the limit order that its trigger made of it.

    A triggered stop reads back as LIMIT on the socket and in the book (seen on the production wire); only a frame that
    says MODIFIED means that somebody changed its type.
    """
    return older.order_type.has_trigger and newer.order_type is OrderType.LIMIT and newer.status is not Status.MODIFIED


def _status(newer: Order, older: Order, filled: int) -> Status:
    end, earlier_end = _TERMINAL_RANK.get(newer.status, -1), _TERMINAL_RANK.get(older.status, -1)
    if end >= 0 or earlier_end >= 0:
        return newer.status if end >= earlier_end else older.status
    if filled >= newer.quantity > 0:
        return Status.TRADED
    if filled > 0:
        return Status.PART_TRADED
    if newer.status is Status.TRANSIT:
        return older.status
    if newer.source is Source.BOOK and newer.status is Status.PENDING and older.status in _RESTING:
        return older.status  # the book has one word for every order that rests
    return newer.status


def _stamp(order: Order) -> tuple[datetime, datetime]:
    return (order.updated_at or order.created_at or _NEVER, order.observed_at)


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return min(one, other)


def _facts(order: Order) -> tuple[object, ...]:
    """What makes an update worth telling: everything that decides, nothing that merely says when we looked."""
    return (
        order.status,
        order.quantity,
        order.filled_quantity,
        order.average_price,
        order.price,
        order.trigger_price,
        order.order_type,
        order.validity,
        order.disclosed_quantity,
        order.reason,
        order.lot_size,
        order.multiplier,
        order.instrument,
    )


def _says_more(merged: Order, known: Order) -> bool:
    """Whether there is something worth remembering although nothing follows from it; a symbol has two spellings."""
    return (
        (merged.created_at, merged.updated_at) != (known.created_at, known.updated_at)
        or (merged.tick_size, merged.last_price) != (known.tick_size, known.last_price)
        or (merged.exchange_at is not None and known.exchange_at is None)
        or bool(merged.exchange_order_id and not known.exchange_order_id)
        or bool(merged.correlation_id and not known.correlation_id)
        or bool(merged.symbol and not known.symbol)
    )
