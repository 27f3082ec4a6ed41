"""An account's net positions and its result of the day, from its positions and holdings."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from copytrade.brokers.api import Net
from copytrade.brokers.dhan.accounts import Holding, Position
from copytrade.brokers.dhan.rest import DhanRest
from copytrade.brokers.outcomes import Accepted, Outcome, Unknown
from copytrade.common import wall_clock
from copytrade.core.model.accounts import Result
from copytrade.core.model.ledger import LineKey
from copytrade.core.model.orders import ZERO, InstrumentKey, Product, Segment


def read_net(rest: DhanRest, *, holdings: bool) -> Outcome[Mapping[LineKey, int]]:
    """Read what an account holds, whoever traded it: units by line, negative for short ones.

    With ``holdings``, shares in the depository count as held for delivery (CNC). Their rows name no exchange, so
    they count on both.
    """
    positions = rest.positions()
    if not isinstance(positions, Accepted):
        return positions
    held = rest.holdings() if holdings else Accepted((), exchange=positions.exchange)
    if not isinstance(held, Accepted):
        return held
    return Accepted(net_of(positions.value, held.value), exchange=positions.exchange)


def account_net(positions: Sequence[Position], holdings: Iterable[Holding], began: datetime) -> Net:
    """Return what an account holds by these rows, which were asked for at ``began``, and its result of the day."""
    multipliers = {row.key: row.multiplier for row in positions if row.multiplier}
    return Net(net_of(positions, holdings), multipliers, _result(positions, began))


def net_of(positions: Iterable[Position], holdings: Iterable[Holding]) -> dict[LineKey, int]:
    """Return what an account holds by these rows: units by line, negative for short ones."""
    net = _net(positions)
    net.update(_held(holdings))
    return dict(net)


def read_result(rest: DhanRest) -> Outcome[Result]:
    """Read the account's result of the day: the sum of the broker's figures for every position, whoever traded it.

    The outcome is Unknown if a position has no figure. The figures leave out shares in the depository, and charges.
    """
    began = wall_clock.now()
    positions = rest.positions()
    if not isinstance(positions, Accepted):
        return positions
    if found := _result(positions.value, began):
        return Accepted(found, exchange=positions.exchange)
    position = next(position for position in positions.value if position.profit is None)
    return Unknown(f"the position in {position.symbol} has no profit", exchange=positions.exchange)


def _result(positions: Sequence[Position], began: datetime) -> Result | None:
    """Return the sum of the figures of all positions, None if one has none."""
    if any(position.profit is None for position in positions):
        return None
    realised = sum((position.realised or ZERO for position in positions), ZERO)
    unrealised = sum((position.unrealised or ZERO for position in positions), ZERO)
    return Result(realised + unrealised, began, realised, unrealised)


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
