"""Closing what is held by copying, whatever the leader does: every copy is cancelled, and one order a line closes it.

Such an order has no leader order that it copies. One of our own making stands in its place, so that it is sent, found
again and written down like any other: its id begins with ``flat``.
"""

from collections.abc import Set
from datetime import datetime
from decimal import Decimal

import msgspec

from copytrade.core.model.ledger import Allocation, Line, Role
from copytrade.core.model.orders import IST, ZERO, Order, OrderType, Side, Source, Status, Validity

#: The beginning of the id of an order that closes a line; the broker's ids are numbers.
_PREFIX = "flat"


class Closed(msgspec.Struct, frozen=True, gc=False):
    """What came of closing: how many copies were cancelled, what was closed, and what is left and why, as text."""

    cancelled: int
    closed: tuple[str, ...]
    left: tuple[str, ...]

    def __str__(self) -> str:
        closed = f"closed {', '.join(self.closed)}" if self.closed else "nothing was held"
        left = f"; left: {', '.join(self.left)}" if self.left else ""
        return f"{self.cancelled} orders cancelled, {'nothing closed' if left and not self.closed else closed}{left}"


def is_closing(order_id: str) -> bool:
    """Whether an order id stands for closing a line, and for no order of the leader's."""
    return order_id.startswith(_PREFIX)


def to_close(line: Line, taken: Set[str], now: datetime) -> Allocation:
    """Return the allotment that closes all that is held on a line; its id is none of the ``taken``."""
    number = int(now.timestamp() * 1000)
    while f"{_PREFIX}{number}" in taken:
        number += 1
    return Allocation(
        leader_order_id=f"{_PREFIX}{number}",
        trade_date=now.astimezone(IST).date(),
        created_at=now,
        line=line.key,
        side=Side.SELL if line.held > 0 else Side.BUY,
        role=Role.EXIT,
        base=0,
        leader_quantity=abs(line.held),
    )


def order_of(allocation: Allocation, last_price: Decimal | None) -> Order:
    """Return what stands in the place of the leader's order: over, and never filled, so that it is no trade of his."""
    return Order(
        id=allocation.leader_order_id,
        client_id="",
        status=Status.TRADED,
        side=allocation.side,
        key=allocation.line.key,
        product=allocation.line.product,
        order_type=OrderType.MARKET,
        validity=Validity.DAY,
        quantity=allocation.leader_quantity,
        price=ZERO,
        observed_at=allocation.created_at,
        created_at=allocation.created_at,
        source=Source.BOOK,
        last_price=last_price,
    )
