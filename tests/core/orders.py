"""Orders to test the core with."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from copytrade.core.model.copies import Copy, DesiredOrder
from copytrade.core.model.orders import (
    InstrumentKey,
    Order,
    OrderType,
    Product,
    Segment,
    Side,
    Source,
    Status,
    Validity,
)

#: Monday 23 November 2026, 10:15:01 in India.
NOW = datetime(2026, 11, 23, 4, 45, 1, tzinfo=UTC)

OPTION = InstrumentKey(Segment.NSE_FNO, "45678")

_ORDER = Order(
    id="112611230001",
    client_id="1000000001",
    status=Status.PENDING,
    side=Side.BUY,
    key=OPTION,
    product=Product.MARGIN,
    order_type=OrderType.LIMIT,
    validity=Validity.DAY,
    quantity=260,
    price=Decimal("100.05"),
    observed_at=NOW,
    created_at=NOW,
    updated_at=NOW,
    source=Source.FEED,
    instrument="OPTIDX",
    lot_size=65,
    last_price=Decimal("101.35"),
)


def an_order(**changes: Any) -> Order:
    """Make a leader order: a LIMIT BUY of 4 lots of 65, pending, placed now, with whatever is given changed."""
    return replace(_ORDER, **changes)


def as_accepted(copy: Copy, leader: Order, order_id: str, desired: DesiredOrder) -> Order:
    """Make the follower's order as the broker shows it once it has taken it as desired."""
    return an_order(
        id=order_id,
        correlation_id=copy.correlation_id,
        side=copy.side(leader),
        quantity=desired.quantity,
        price=desired.price,
        order_type=desired.order_type,
    )
