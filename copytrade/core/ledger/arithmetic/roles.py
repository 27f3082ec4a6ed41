"""Which leader orders are entries and which are exits, judged at first sight and again as positions change."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from copytrade.core.model.ledger import Allocation, Line, Role
from copytrade.core.model.orders import Order, OrderType, Side, trade_date

#: How far apart the slices of one order are placed, at most.
SLICES_WITHIN = timedelta(seconds=1)


def first_sight(line: Line, order: Order) -> Allocation:
    """Judge a new leader order by the leader's filled position without it."""
    base = line.leader_position
    is_exit = base * order.side.sign < 0
    return Allocation(
        leader_order_id=order.id,
        trade_date=trade_date(order),
        created_at=order.created_at or order.observed_at,
        line=line.key,
        side=order.side,
        role=Role.EXIT if is_exit else Role.ENTRY,
        base=base,
        reach=abs(base) if is_exit else 0,
        leader_quantity=order.quantity,
    )


def may_be_slices(first: Order, since: datetime, order: Order) -> bool:
    """Whether two orders of one line may be slices of one: alike, and placed within a second of ``since``."""
    placed = order.created_at or order.observed_at
    is_alike = (first.side, first.order_type, first.price) == (order.side, order.order_type, order.price)
    return is_alike and abs(placed - since) <= SLICES_WITHIN


def judged_again(
    line: Line, allocations: Iterable[Allocation], orders: Mapping[str, Order | None]
) -> Iterator[Allocation]:
    """Yield resting orders that exit more than before, with their new reach: what earlier fills would leave to each.

    ``orders`` are the leader's working orders of the line, None for one not seen since the start; the reach of those of
    the same day counts. Limits and stops are two separate chains. An order with nothing left to exit stays an entry.
    """
    side = Side.SELL if line.leader_position > 0 else Side.BUY
    opposite = [one for one in allocations if one.side is side]
    told = [(order, one) for one in opposite if (order := orders[one.leader_order_id]) and not order.is_terminal]
    day = max((one.trade_date for _, one in told), default=date.max)
    untold = sum(one.reach for one in opposite if one.trade_date >= day and orders[one.leader_order_id] is None)
    for is_stop in (False, True):
        left = abs(line.leader_position) - untold
        chain = [pair for pair in told if pair[0].order_type.has_trigger is is_stop]
        for order, one in sorted(chain, key=lambda pair: _fills_before(pair[0])):
            reach = max(one.reach, left)
            if reach > one.reach:
                yield replace(one, reach=reach)
            left = max(0, left - min(reach, max(0, order.quantity - one.leader_filled)))


def _fills_before(order: Order) -> tuple[bool, Decimal]:
    """Return a sort key: of resting orders on one side, the market reaches the smallest first."""
    if order.order_type.has_trigger:
        return True, order.trigger_price * order.side.sign
    return order.order_type is not OrderType.MARKET, -order.price * order.side.sign
