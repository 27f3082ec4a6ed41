"""Merging two observations of one order, field by field: fills never decrease, and an ended order stays ended."""

from datetime import datetime

from msgspec.structs import replace

from copytrade.core.model.orders import Order, Source, Status
from copytrade.core.model.triggers import is_explained

_RESTING = (Status.MODIFIED, Status.TRIGGERED)

#: Which of two final states wins: filled, then ended by the owner, then by the broker.
_TERMINAL_RANK = {
    Status.TRADED: 4,
    Status.CANCELLED: 3,
    Status.CLOSED: 2,
    Status.EXPIRED: 1,
    Status.REJECTED: 0,
}

#: The terms of an order: what its owner can change.
Terms = tuple[object, ...]


def terms_of(order: Order) -> Terms:
    """Return the terms of an order, without prices that its type has no use for."""
    return (
        order.quantity,
        order.order_type,
        order.price if order.order_type.has_limit else 0,
        order.trigger_price if order.order_type.has_trigger else 0,
        order.validity,
        order.disclosed_quantity,
    )


def is_behind(known: Order, seen: Order) -> bool:
    """Whether an observation is outdated: less filled, not ended, or not at the exchange, unlike what is known."""
    if seen.filled_quantity < known.filled_quantity or (known.is_terminal and not seen.is_terminal):
        return True
    return seen.status.is_ahead_of_exchange and not known.status.is_ahead_of_exchange


def of_the_same(known: Order, seen: Order) -> Order:
    """Return an observation of an order that is known: no order ever changes its side, instrument or product.

    An update that says otherwise is wrong about that.
    """
    if seen.key == known.key and seen.side is known.side and seen.product is known.product:
        return seen
    return replace(seen, key=known.key, side=known.side, product=known.product)


def followed(known: Order, told: Order) -> Order:
    """Merge an update by the actor that keeps the account's book into what is known of an order.

    The update wins except where an order cannot go back: the actor may have restarted with an outdated book.
    """
    told = of_the_same(known, told)
    return merged(told, known, told)


def merged(newer: Order, older: Order, stated: Order) -> Order:
    """Return two observations merged; ``stated`` is the one whose terms count."""
    if is_explained(older, stated):
        stated = older  # a stop that has been triggered is still the stop that was placed
    fuller = newer if newer.filled_quantity >= older.filled_quantity else older
    framed = newer if newer.source is Source.FEED else older  # a row knows no platform
    return replace(
        newer,
        quantity=max(stated.quantity, fuller.filled_quantity),
        order_type=stated.order_type,
        price=stated.price,
        trigger_price=stated.trigger_price,
        validity=stated.validity,
        disclosed_quantity=stated.disclosed_quantity,
        filled_quantity=fuller.filled_quantity,
        average_price=fuller.average_price or newer.average_price or older.average_price,
        status=_status(newer, older, stated.quantity, fuller.filled_quantity),
        leg=framed.leg,
        parent_id=newer.parent_id or older.parent_id,
        observed_at=max(newer.observed_at, older.observed_at),
        created_at=_first(newer.created_at, older.created_at),
        updated_at=_last(newer.updated_at, older.updated_at),
        exchange_at=newer.exchange_at or older.exchange_at,
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


def _status(newer: Order, older: Order, quantity: int, filled: int) -> Status:
    end, earlier_end = _TERMINAL_RANK.get(newer.status, -1), _TERMINAL_RANK.get(older.status, -1)
    if end >= 0 or earlier_end >= 0:
        return newer.status if end >= earlier_end else older.status
    if filled >= quantity > 0:
        return Status.TRADED
    if filled > 0:
        return Status.PART_TRADED
    if newer.status.is_ahead_of_exchange:
        return older.status
    if newer.source is Source.BOOK and newer.status is Status.PENDING and older.status in _RESTING:
        return older.status  # the book has one word for every order that rests
    return newer.status


def _first(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(one, other) if one and other else one or other


def _last(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(one, other) if one and other else one or other
