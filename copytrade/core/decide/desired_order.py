"""What a follower's order should look like: the leader's parameters, at the follower's size, fit for the broker."""

from decimal import Decimal
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from copytrade.core.market.prices import marketable_limit, protection_band, stop_limit, to_tick
from copytrade.core.model.copies import DesiredOrder
from copytrade.core.model.instruments import Instrument
from copytrade.core.model.orders import ZERO, Order, OrderType, Validity
from copytrade.core.model.triggers import explains


class MarketAs(StrEnum):
    """How a market order is copied: as one, which the broker turns into a protected limit, or as a limit of ours."""

    MARKET = "market"
    LIMIT = "limit"


class StopMarketAs(StrEnum):
    """How a stop-loss market order is copied: as a stop with a limit beyond the trigger, or as it is.

    The broker's API accepts a stop-loss market order and drops its trigger (reported in July 2026), and both exchanges
    have withdrawn that type for options.
    """

    STOP_LIMIT = "stop_limit"
    STOP_MARKET = "stop_market"


class OrderTypePolicy(msgspec.Struct, frozen=True, gc=False):
    """How order types are translated; the percentages are of the last price and of the trigger."""

    market_as: MarketAs = MarketAs.MARKET
    market_protection_percent: Decimal = Decimal(5)
    stop_market_as: StopMarketAs = StopMarketAs.STOP_LIMIT
    stop_limit_percent: Decimal = Decimal(5)


#: The defaults of the settings.
AS_USUAL = OrderTypePolicy()


def desired_order(leader: Order, quantity: int, instrument: Instrument, terms: OrderTypePolicy) -> DesiredOrder:
    """Return the follower's order for ``quantity`` units, with the disclosed quantity in proportion."""
    desired = DesiredOrder(
        quantity=quantity,
        order_type=leader.order_type,
        price=leader.price if leader.order_type.has_limit else ZERO,
        trigger_price=leader.trigger_price if leader.order_type.has_trigger else ZERO,
        validity=leader.validity,
        disclosed_quantity=_disclosed(leader, quantity, instrument.lot_size),
    )
    if desired.order_type is OrderType.MARKET:
        return _as_market(desired, leader, instrument, terms)
    if desired.order_type is OrderType.STOP_LOSS_MARKET and terms.stop_market_as is StopMarketAs.STOP_LIMIT:
        limit = _stop_limit(leader, leader.trigger_price, instrument, terms)
        return replace(desired, order_type=OrderType.STOP_LOSS, price=limit)
    return desired


def _stop_limit(leader: Order, trigger: Decimal, instrument: Instrument, terms: OrderTypePolicy) -> Decimal:
    """Return the limit of the stop that stands for one at the market."""
    percent = terms.stop_limit_percent
    return stop_limit(leader.side, trigger, percent, instrument.tick, leader.key.segment, instrument.kind)


def marketable(leader: Order, quantity: int, instrument: Instrument, terms: OrderTypePolicy) -> DesiredOrder:
    """Return a desired order that fills at once at the market: for an exit that has to happen."""
    at_market = DesiredOrder(quantity, OrderType.MARKET, ZERO, ZERO, Validity.DAY, 0, own_price=True)
    return _as_market(at_market, leader, instrument, terms)


def bounded(leader: Order, quantity: int, instrument: Instrument, percent: Decimal) -> DesiredOrder | None:
    """Return a limit no further than ``percent`` from the leader's price, so that a late copy does not chase it.

    None where the leader's price is not known.
    """
    price = leader.average_price or leader.price
    if not price:
        return None
    furthest = price * (1 + leader.side.sign * percent / 100)
    limit = to_tick(furthest, instrument.tick, leader.side, outward=False)
    return DesiredOrder(quantity, OrderType.LIMIT, limit, ZERO, Validity.DAY, 0, own_price=True)


def restated(
    leader: Order, accepted: DesiredOrder, quantity: int, instrument: Instrument, terms: OrderTypePolicy
) -> DesiredOrder:
    """Return what a resting order should be now: a price of our own stays as it is, a stop remains a stop.

    If the leader's stop only shows as triggered, the copied stop stays; any other change of his is followed.
    """
    if accepted.own_price or _was_triggered(leader, accepted, instrument, terms):
        return replace(accepted, quantity=quantity)
    return desired_order(leader, quantity, instrument, terms)


def _was_triggered(leader: Order, accepted: DesiredOrder, instrument: Instrument, terms: OrderTypePolicy) -> bool:
    """Whether the leader's order is the copied stop after it was triggered.

    After a restart only the copy still has that stop. Our stop-limit may stand for his stop-market.
    """
    trigger, price = accepted.trigger_price, accepted.price
    if explains(leader.side, accepted.order_type, price, trigger, leader):
        return True
    if accepted.order_type is not OrderType.STOP_LOSS or terms.stop_market_as is not StopMarketAs.STOP_LIMIT:
        return False
    was_market = price == _stop_limit(leader, trigger, instrument, terms)
    return was_market and explains(leader.side, OrderType.STOP_LOSS_MARKET, price, trigger, leader)


def _as_market(desired: DesiredOrder, leader: Order, instrument: Instrument, terms: OrderTypePolicy) -> DesiredOrder:
    """Make a market order our own marketable limit, where that is wanted and a price is known."""
    reference = leader.last_price or leader.average_price
    if terms.market_as is MarketAs.MARKET or not reference:
        return desired
    band = protection_band(leader.key.segment, instrument.kind, reference)
    percent = terms.market_protection_percent
    limit = marketable_limit(leader.side, reference, percent, instrument.tick, band)
    return replace(desired, order_type=OrderType.LIMIT, price=limit, own_price=True)


def _disclosed(leader: Order, quantity: int, lot_size: int) -> int:
    """Scale the disclosed quantity, in whole lots; the broker wants more than 30 % of the order, or none at all.

    Only cash orders may disclose a part (derivatives refuse it), and none may in an IOC order.
    """
    if not leader.disclosed_quantity or not leader.key.segment.is_cash or leader.validity is Validity.IOC:
        return 0
    least = (quantity * 3 // 10 // lot_size + 1) * lot_size
    scaled = leader.disclosed_quantity * quantity // leader.quantity // lot_size * lot_size
    disclosed = max(scaled, least)
    return disclosed if disclosed < quantity else 0
