"""The sizing strategies, and the limits of one order.

Two strategies give a ratio to the leader's size, fixed when a position opens and kept until it is flat. The other two
size each entry by itself, whatever was entered before. The ledger does the rest; exits follow what was entered.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache

import msgspec

from copytrade.common.counts import counted
from copytrade.core.model.instruments import Instrument
from copytrade.core.model.ledger import Ratio
from copytrade.core.model.reasons import Reason


class Strategy(StrEnum):
    """The ways to size a follower."""

    CAPITAL_PROPORTIONAL = "capital_proportional"
    FIXED_RATIO = "fixed_ratio"
    FIXED_LOTS = "fixed_lots"
    RISK_BASED = "risk_based"

    @property
    def sizes_each_order(self) -> bool:
        """Whether each entry is sized by itself; else all entries of an open position have one ratio."""
        return self in (Strategy.FIXED_LOTS, Strategy.RISK_BASED)

    @property
    def needs_capital(self) -> bool:
        """Whether sizes are computed from the capital of leader and follower."""
        return self in (Strategy.CAPITAL_PROPORTIONAL, Strategy.RISK_BASED)


class SizingPolicy(msgspec.Struct, frozen=True, gc=False):
    """A follower's share of the settings: ``max_order_value`` in rupees, ``max_lots`` an order, None for no limit.

    ``factors`` multiply the ratio, by underlying in capital letters.
    """

    strategy: Strategy
    ratio: Decimal = Decimal(1)
    lots: int = 1
    risk_percent: Decimal = Decimal(1)
    max_lots: int | None = None
    max_order_value: Decimal | None = None
    factors: Mapping[str, Decimal] = {}


class Capitals(msgspec.Struct, frozen=True, gc=False):
    """Start-of-day capital in rupees, None while not known yet."""

    leader: Decimal | None = None
    follower: Decimal | None = None


class Size(msgspec.Struct, frozen=True, gc=False):
    """A quantity in units, a multiple of the lot, and its arithmetic as text; 0 with a reason if there is none."""

    quantity: int
    arithmetic: str
    reason: Reason | None = None


def ratio_of(policy: SizingPolicy, capitals: Capitals, underlying: str = "") -> Ratio | Reason | None:
    """Return the ratio of a position that is opened now, or why there is none; None while capital is not known.

    For strategies that do not size each order.
    """
    ratio = _fixed(policy.ratio) if policy.strategy is Strategy.FIXED_RATIO else _by_capital(capitals)
    factor = policy.factors.get(underlying.upper()) if policy.factors else None
    return ratio if factor is None or not isinstance(ratio, Ratio) else _multiplied(ratio, factor, underlying)


def is_opened_otherwise(ratio: Ratio | None, policy: SizingPolicy) -> bool:
    """Whether a line that is open with this ratio, or with sizes of its own for None, is not as a new one would be.

    That two ratios by capital differ is no change: the capital does from day to day.
    """
    if policy.strategy.sizes_each_order or ratio is None:
        return (ratio is not None) is policy.strategy.sizes_each_order
    factors = (Decimal(1), *policy.factors.values())
    possible = [Fraction(policy.ratio) * Fraction(factor) for factor in factors]
    return policy.strategy is Strategy.FIXED_RATIO and ratio.value not in possible


def size_by_itself(
    policy: SizingPolicy, quantity: int, price: Decimal | None, instrument: Instrument, capitals: Capitals
) -> Size | None:
    """Return the size of one entry, for ``quantity`` units of the leader's at a price; None while capital is not known.

    For strategies that size each order.
    """
    lot_size = instrument.lot_size
    if policy.strategy is Strategy.FIXED_LOTS:
        return Size(policy.lots * lot_size if quantity else 0, f"fixed {counted(policy.lots, 'lot')} of {lot_size}")
    proportional = _by_capital(capitals)
    if proportional is None or capitals.follower is None:
        return None
    if isinstance(proportional, Reason):
        return Size(0, f"start-of-day capital: {capitals}", proportional)
    return _by_risk(policy, quantity, price, instrument, proportional, capitals.follower)


@lru_cache(maxsize=1024)
def _fixed(ratio: Decimal) -> Ratio:
    """Return a fixed ratio; all orders share one object."""
    return Ratio(Fraction(ratio), f"fixed ratio {ratio}")


@lru_cache(maxsize=1024)
def _multiplied(ratio: Ratio, factor: Decimal, underlying: str) -> Ratio:
    """Return the ratio for one underlying."""
    return Ratio(ratio.value * Fraction(factor), f"{ratio.arithmetic}, x {factor} for {underlying}")


@lru_cache(maxsize=1024)
def _in_proportion(follower: Decimal, leader: Decimal) -> Ratio:
    """Return the ratio of two capitals; all orders of a day share one object."""
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
    quantity: int,
    price: Decimal | None,
    instrument: Instrument,
    proportional: Ratio,
    capital: Decimal,
) -> Size:
    """Return as many lots as ``risk_percent`` of the capital pays for, at most the leader's in proportion."""
    lot_size = instrument.lot_size
    if price is None or price <= 0:
        return Size(0, "no price to reckon the risk by", Reason.NO_PRICE)
    if instrument.multiplier is None:
        return Size(0, f"the multiplier of {instrument.symbol} is not known", Reason.NO_MULTIPLIER)
    lots = int(capital * policy.risk_percent / 100 // (price * instrument.multiplier * lot_size))
    share = proportional.value * quantity
    most = share.numerator // (share.denominator * lot_size)
    at = f"{price}" if instrument.multiplier == 1 else f"{price} x {instrument.multiplier}"
    covers = f"{policy.risk_percent} % of {capital} covers {counted(lots, 'lot')} of {lot_size} at {at}"
    return Size(min(lots, most) * lot_size, f"{covers}; {proportional.arithmetic} of {quantity} is {float(share):.2f}")


def capped(size: Size, policy: SizingPolicy, instrument: Instrument, price: Decimal | None) -> Size:
    """Return ``size`` cut to the follower's limits on one order; ``price`` is None if not known."""
    quantity, arithmetic, lot_size = size.quantity, size.arithmetic, instrument.lot_size
    if policy.max_lots is not None and quantity > policy.max_lots * lot_size:
        quantity = policy.max_lots * lot_size
        arithmetic += f", capped to {policy.max_lots} lots"
    if policy.max_order_value is not None and quantity:
        if price is None or price <= 0:
            return Size(0, f"{arithmetic}, no price to hold against max_order_value", Reason.NO_PRICE)
        if instrument.multiplier is None:
            why = f"{arithmetic}, no multiplier of {instrument.symbol} to hold against max_order_value"
            return Size(0, why, Reason.NO_MULTIPLIER)
        affordable = int(policy.max_order_value / (price * instrument.multiplier)) // lot_size * lot_size
        if affordable < quantity:
            quantity = affordable
            arithmetic += f", capped to {affordable} by max_order_value {policy.max_order_value}"
            if not quantity:
                return Size(0, arithmetic, Reason.OVER_ORDER_VALUE)
    return Size(quantity, arithmetic, size.reason)
