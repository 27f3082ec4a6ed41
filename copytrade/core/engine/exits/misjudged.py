"""Leader orders that were taken for entries because nothing was known of the entry that they left.

Frames can be lost: of an entry nothing is heard, then its exit comes, and looks like an entry on the other side. A read
of the leader's book shows the entry a moment later.
"""

from collections.abc import Iterator

from copytrade.core.engine.leader_orders import LeaderOrders
from copytrade.core.ledger import closing_orders as closing
from copytrade.core.ledger.positions import Positions
from copytrade.core.model.ledger import Role, line_of
from copytrade.core.model.orders import Order


def misjudged_without(found: Order, orders: LeaderOrders, positions: Positions) -> list[str]:
    """Return those of the leader's orders that would have been exits, had the fills of ``found`` been known.

    To be asked before those are counted. The orders came after the fills, and would have met a position on the other
    side.
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
    """Return the orders of the other side that were placed when another had been filled, as far as seconds tell.

    What was known, and had not been filled then, may have been filled later in the same second; else ids tell.
    """
    for order in orders.placed_since(line_of(found), found.event_at):
        placed = order.created_at or order.observed_at
        if order.side is found.side or closing.is_closing(order.id):
            continue
        if placed > found.event_at or not (was_known or order.id < found.id):
            yield order
