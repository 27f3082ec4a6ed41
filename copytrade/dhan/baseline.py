"""What an account holds apart from today's orders: net positions less the day's fills, and the shares held before."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta

from copytrade import wall_clock
from copytrade.dhan.accounts import Holding, Position
from copytrade.dhan.outcomes import Accepted, Outcome, Unknown
from copytrade.dhan.rest import DhanRest, OrderBook
from copytrade.ledger import Baseline, LineKey, line_of
from copytrade.orders import IST, ZERO, InstrumentKey, Product, Segment
from copytrade.protection import Result

#: How often the reads are repeated until nothing was filled between them.
ATTEMPTS = 5


def read_baseline(rest: DhanRest, *, holdings: bool) -> Outcome[Baseline]:
    """Read orders, positions, orders, until both reads of the orders agree about what has been filled.

    With ``holdings``, shares in the depository count as held for delivery (CNC); the broker's row names no exchange, so
    they count on both.
    """
    before = rest.orders()
    for _ in range(ATTEMPTS):
        if not isinstance(before, Accepted):
            return before
        positions = rest.positions()
        if not isinstance(positions, Accepted):
            return positions
        after = rest.orders()
        if not isinstance(after, Accepted):
            return after
        if _fills(before.value) == _fills(after.value):
            break
        before = after
    else:
        return Unknown("orders fill faster than the positions can be read", exchange=after.exchange)
    net = _net(positions.value)
    for order in after.value.orders:
        net[line_of(order)] -= order.filled_quantity * order.side.sign
    if holdings:
        held = rest.holdings()
        if not isinstance(held, Accepted):
            return held
        net.update(_held(held.value))
    without = frozenset(order.id for order in after.value.orders)
    brokers_now = wall_clock.now() + timedelta(seconds=rest.skew)
    multipliers = {row.key: row.multiplier for row in positions.value if row.multiplier}
    baseline = Baseline(dict(net), without, brokers_now.astimezone(IST).date(), multipliers)
    return Accepted(baseline, exchange=after.exchange)


def read_net(rest: DhanRest, *, holdings: bool) -> Outcome[Mapping[LineKey, int]]:
    """Read what an account holds, whoever traded it: units by line, short ones negative; shares as above."""
    positions = rest.positions()
    if not isinstance(positions, Accepted):
        return positions
    held = rest.holdings() if holdings else Accepted((), exchange=positions.exchange)
    if not isinstance(held, Accepted):
        return held
    return Accepted(net_of(positions.value, held.value), exchange=positions.exchange)


def net_of(positions: Iterable[Position], holdings: Iterable[Holding]) -> dict[LineKey, int]:
    """Return what an account holds by these rows: units by line, short ones negative."""
    net = _net(positions)
    net.update(_held(holdings))
    return dict(net)


def read_result(rest: DhanRest) -> Outcome[Result]:
    """Read what the account has made of the day: the broker's own figures for every position, whoever traded it.

    Unknown where a position comes without one. Shares in the depository have none, and charges are in none.
    """
    began = wall_clock.now()
    positions = rest.positions()
    if not isinstance(positions, Accepted):
        return positions
    for position in positions.value:
        if position.profit is None:
            return Unknown(f"the position in {position.symbol} has no profit", exchange=positions.exchange)
    rupees = sum((position.profit or ZERO for position in positions.value), ZERO)
    return Accepted(Result(rupees, began), exchange=positions.exchange)


def _net(positions: Iterable[Position]) -> Counter[LineKey]:
    net: Counter[LineKey] = Counter()
    for position in positions:
        net[LineKey(position.key, position.product)] += position.net_quantity
    return net


def _held(holdings: Iterable[Holding]) -> Counter[LineKey]:
    held: Counter[LineKey] = Counter()
    for share in holdings:
        for segment in (Segment.NSE_EQ, Segment.BSE_EQ):
            held[LineKey(InstrumentKey(segment, share.security_id), Product.CNC)] += share.total_quantity
    return held


def _fills(book: OrderBook) -> Mapping[str, int]:
    return {order.id: order.filled_quantity for order in book.orders}
