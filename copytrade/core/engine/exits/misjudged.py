"""Leader exits that were taken for entries because the feed had lost the entry before them.

If an entry's frames are lost, its exit looks like an entry on the other side. A read of the leader's book shows the
lost entry a moment later.
"""

from collections.abc import Iterator

from copytrade.core.engine.leader_orders import LeaderOrders
from copytrade.core.ledger import closing_orders as closing
from copytrade.core.ledger.positions import Positions
from copytrade.core.model.ledger import Role, line_of
from copytrade.core.model.orders import Order


def misjudged_without(found: Order, orders: LeaderOrders, positions: Positions) -> list[str]:
    """Return those of the leader's orders that would have been exits, had the fills of ``found`` been known.

    Call it before those fills are counted. The orders were placed after the fills, against that position.
    """
    line, known = line_of(found), positions.ledger.allocation(found.id)
    last, more = orders.last_placed(line), found.filled_quantity - (known.leader_filled if known else 0)
    if more <= 0 or last is None or last < found.event_at:
        return []
    return [
        order.id
        for order in _placed_after(found, orders, was_known=known is not None)
        if (allocation := positions.ledger.allocation(order.id))
        and allocation.role is Role.ENTRY
        and (allocation.base + more * found.side.sign) * order.side.sign < 0
    ]


def _placed_after(found: Order, orders: LeaderOrders, *, was_known: bool) -> Iterator[Order]:
    """Yield the orders of the other side that were placed after ``found`` had been filled.

    The broker's times have whole seconds. Within one second ids decide, unless ``found`` was known unfilled before.
    """
    for order in orders.placed_since(line_of(found), found.event_at):
        placed = order.created_at or order.observed_at
        if order.side is found.side or closing.is_closing(order.id):
            continue
        if placed > found.event_at or not (was_known or order.id < found.id):
            yield order
