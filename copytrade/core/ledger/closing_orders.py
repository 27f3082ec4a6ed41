"""Closing orders: one order a line closes what is held by copying, whatever the leader does.

A closing order copies no leader order. A stand-in takes the leader order's place, so that it is sent, found again and
recorded like any other copy; its id begins with ``flat``.
"""

from collections.abc import Set
from datetime import datetime
from decimal import Decimal

import msgspec

from copytrade.common.counts import counted
from copytrade.core.model.ledger import Allocation, Line, Role
from copytrade.core.model.orders import IST, ZERO, Order, OrderType, Side, Source, Status, Validity

#: The beginning of the id of an order that closes a line; the broker's ids are numbers.
_PREFIX = "flat"


class Closed(msgspec.Struct, frozen=True, gc=False):
    """The outcome of closing: how many copies were cancelled, what was closed, and what is left and why, as text.

    ``left_alone`` is what was to be left in the account.
    """

    cancelled: int
    closed: tuple[str, ...]
    left: tuple[str, ...]
    left_alone: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.left_alone:
            return f"{counted(self.cancelled, 'order')} cancelled, left in the account: {', '.join(self.left_alone)}"
        closed = f"closed {', '.join(self.closed)}" if self.closed else "nothing was held"
        left = f"; left: {', '.join(self.left)}" if self.left else ""
        if left and not self.closed:
            closed = "nothing closed"
        return f"{counted(self.cancelled, 'order')} cancelled, {closed}{left}"


def is_closing(order_id: str) -> bool:
    """Whether an order id is that of a stand-in that closes a line."""
    return order_id.startswith(_PREFIX)


def to_close(line: Line, taken: Set[str], now: datetime) -> Allocation:
    """Return an allocation that closes all that is held on a line, with an id that is not among the ``taken``."""
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
    """Return the stand-in for the leader order: ended and unfilled, so that it counts as no trade of his."""
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
        leader=allocation.line.leader,
    )
