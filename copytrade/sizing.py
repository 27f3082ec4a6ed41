"""How big a follower is, relative to the leader, and the limits of one order.

Every strategy comes down to a ratio, fixed when a position opens and kept until it is flat; the ledger does the rest.
"""

from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache

import msgspec

from copytrade.orders import Order
from copytrade.reasons import Reason


class Strategy(StrEnum):
    """The ways to size a follower."""

    CAPITAL_PROPORTIONAL = "capital_proportional"
    FIXED_RATIO = "fixed_ratio"
    FIXED_LOTS = "fixed_lots"
    RISK_BASED = "risk_based"


class SizingPolicy(msgspec.Struct, frozen=True, gc=False):
    """A follower's share of the settings: ``max_order_value`` in rupees, ``max_lots`` an order, None for no limit."""

    strategy: Strategy
    ratio: Decimal = Decimal(1)
    lots: int = 1
    risk_percent: Decimal = Decimal(1)
    max_lots: int | None = None
    max_order_value: Decimal | None = None


class Capitals(msgspec.Struct, frozen=True, gc=False):
    """Start-of-day capital in rupees, None while not known yet."""

    leader: Decimal | None = None
    follower: Decimal | None = None


class Ratio(msgspec.Struct, frozen=True, gc=False):
    """A follower's size as a fraction of the leader's, with the arithmetic that gave it, for the record."""

    value: Fraction
    arithmetic: str


class Size(msgspec.Struct, frozen=True, gc=False):
    """A quantity in units, a multiple of the lot, with the arithmetic that gave it; or the reason why there is none."""

    quantity: int
    arithmetic: str
    reason: Reason | None = None


def ratio_of(
    policy: SizingPolicy, order: Order, quantity: int, lot_size: int, capitals: Capitals
) -> Ratio | Reason | None:
    """Return the ratio of a position that ``quantity`` units of ``order`` open, or why there is none.

    None while capital is not known.
    """
    match policy.strategy:
        case Strategy.FIXED_RATIO:
            return _fixed(policy.ratio)
        case Strategy.FIXED_LOTS:
            wanted = policy.lots * lot_size
            return Ratio(Fraction(wanted, quantity), f"fixed {policy.lots} lots of {lot_size} for {quantity}")
        case Strategy.CAPITAL_PROPORTIONAL:
            return _by_capital(capitals)
        case Strategy.RISK_BASED:
            proportional = _by_capital(capitals)
            return _by_risk(policy, order, quantity, lot_size, proportional, capitals.follower)


@lru_cache(maxsize=1024)
def _fixed(ratio: Decimal) -> Ratio:
    """Return the ratio that all orders of a day have, kept once for all of them."""
    return Ratio(Fraction(ratio), f"fixed ratio {ratio}")


@lru_cache(maxsize=1024)
def _in_proportion(follower: Decimal, leader: Decimal) -> Ratio:
    """Return the ratio that all orders of a day have, kept once for all of them."""
    ratio = Fraction(follower) / Fraction(leader)
    return Ratio(ratio, f"capital {follower} / {leader} = {float(ratio):.4f}")


def _by_capital(capitals: Capitals) -> Ratio | Reason | None:
    if capitals.leader is None or capitals.follower is None:
        return None
    if capitals.leader <= 0 or capitals.follower <= 0:
        return Reason.NO_CAPITAL
    return _in_proportion(capitals.follower, capitals.leader)


def _by_risk(
    policy: SizingPolicy,
    order: Order,
    quantity: int,
    lot_size: int,
    proportional: Ratio | Reason | None,
    capital: Decimal | None,
) -> Ratio | Reason | None:
    """As many lots as ``risk_percent`` of the capital pays for, and no more than the leader's in proportion."""
    if not isinstance(proportional, Ratio) or capital is None:
        return proportional
    premium = order.reference_price
    if premium is None:
        return Reason.NO_PRICE
    at_risk = capital * policy.risk_percent / 100
    lots = int(at_risk // (premium * lot_size))
    ratio = min(proportional.value, Fraction(lots * lot_size, quantity))
    covers = f"{policy.risk_percent} % of {capital} covers {lots} lots at {premium}"
    return Ratio(ratio, f"{covers}; {proportional.arithmetic}; the lesser {float(ratio):.4f}")


def capped(size: Size, policy: SizingPolicy, lot_size: int, price: Decimal | None) -> Size:
    """Return ``size`` cut to the follower's limits on one order; ``price`` is None where nobody knows one."""
    quantity, arithmetic = size.quantity, size.arithmetic
    if policy.max_lots is not None and quantity > policy.max_lots * lot_size:
        quantity = policy.max_lots * lot_size
        arithmetic += f", capped to {policy.max_lots} lots"
    if policy.max_order_value is not None and quantity:
        if price is None or price <= 0:
            return Size(0, f"{arithmetic}, no price to hold against max_order_value", Reason.NO_PRICE)
        affordable = int(policy.max_order_value / price) // lot_size * lot_size
        if affordable < quantity:
            quantity = affordable
            arithmetic += f", capped to {affordable} by max_order_value {policy.max_order_value}"
            if not quantity:
                return Size(0, arithmetic, Reason.OVER_ORDER_VALUE)
    return Size(quantity, arithmetic, size.reason)
