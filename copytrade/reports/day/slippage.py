"""The slippage of copies: what they cost more than at the leader's prices."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from copytrade.core.model.orders import ZERO
from copytrade.reports.queries import RecordedCopy


class Slippage(NamedTuple):
    """What copies cost more than at the leader's prices: in rupees, in rupees per unit, and in basis points."""

    rupees: Decimal
    a_unit: Decimal
    bps: Decimal


def slippage_of(copies: Iterable[RecordedCopy]) -> Slippage | None:
    """Return the slippage of these copies, None before any has filled at a price that can be compared."""
    total, units, at_leaders_price = ZERO, 0, ZERO
    for copy in copies:
        if copy.slippage is not None and copy.leader_price is not None:
            total += value(copy, copy.follower_filled, copy.slippage)
            units += copy.follower_filled
            at_leaders_price += value(copy, copy.follower_filled, copy.leader_price)
    return Slippage(total, total / units, total / at_leaders_price * 10_000) if at_leaders_price else None


def leader_value(copy: RecordedCopy) -> Decimal:
    """Return the value of the leader's fills of the order, in rupees."""
    return value(copy, copy.leader_filled, copy.leader_average)


def follower_value(copy: RecordedCopy) -> Decimal:
    """Return the value of the copy's fills, in rupees."""
    return value(copy, copy.follower_filled, copy.follower_price)


def value(copy: RecordedCopy, units: int | None, price: Decimal | None) -> Decimal:
    """Return rupees; 0 if the multiplier of a commodity or currency is not known."""
    return (units or 0) * (price or ZERO) * (copy.multiplier or ZERO)
