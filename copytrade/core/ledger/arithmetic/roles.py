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
    """Judge a leader order that was not seen before, by the leader's filled position without it."""
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
    """Whether two orders of one line are alike and as close as slices are; ``since`` is when the slicing began."""
    placed = order.created_at or order.observed_at
    is_alike = (first.side, first.order_type, first.price) == (order.side, order.order_type, order.price)
    return is_alike and abs(placed - since) <= SLICES_WITHIN


def judged_again(
    line: Line, allocations: Iterable[Allocation], orders: Mapping[str, Order | None]
) -> Iterator[Allocation]:
    """Yield what rests and is an exit from now on, or of more, with its reach: what those that fill before it leave.

    ``orders`` are the leader's on that line, None where one has not been told of since the start: what one of the day
    is known to leave counts. Limits and stops are two chains. What nothing is left for stays an entry: it rests as the
    leader's.
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
    """Sort what rests on one side by what the market reaches first."""
    if order.order_type.has_trigger:
        return True, order.trigger_price * order.side.sign
    return order.order_type is not OrderType.MARKET, -order.price * order.side.sign
