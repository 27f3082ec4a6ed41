"""An entry's size for one follower: by the ratio of its position, or by itself, within the limits of one order."""

import sys
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from copytrade.core.ledger import arithmetic as ledger
from copytrade.core.ledger.sizing import Capitals, Size, SizingPolicy, capped, ratio_of, size_by_itself
from copytrade.core.model.instruments import Instrument
from copytrade.core.model.ledger import Allocation, Line, Ratio
from copytrade.core.model.orders import ZERO, Order
from copytrade.core.model.reasons import Reason


class SliceRule(NamedTuple):
    """What the earlier slices of a leader's order enter, and what the follower was given for it: units."""

    entered: int = 0
    given: int = 0
    orders: tuple[str, ...] = ()


NO_SLICES = SliceRule()


def sized_by_ratio(
    line: Line,
    allocation: Allocation,
    order: Order,
    instrument: Instrument,
    policy: SizingPolicy,
    capitals: Capitals,
) -> tuple[Line, Allocation, Size] | Size | None:
    """Size an entry by the ratio of the open position, or by a new one where it opens one or crosses to another side.

    Returns a size alone where there is none, None while capital is not known.
    """
    ratio = allocation.ratio or (line.ratio if not allocation.is_exit else None) or ratio_of(policy, capitals)
    if ratio is None:
        return None
    if isinstance(ratio, Reason):
        return Size(0, f"start-of-day capital: {capitals}", ratio)
    line, again = ledger.sized(line, allocation, order, ratio, instrument.lot_size)
    size = _shown(again, ratio, again.entry_of(ledger.wanted_of(order)), instrument)
    return line, again, capped(size, policy, instrument, order.reference_price)


def sized_alone(
    line: Line,
    allocation: Allocation,
    order: Order,
    instrument: Instrument,
    policy: SizingPolicy,
    capitals: Capitals,
    slices: SliceRule,
) -> tuple[Line, Allocation, Size] | Size | None:
    """Size an entry by itself, or with the ``slices`` before it what all of them come to, less what those were given.

    Returns a size alone where there is none, None while capital is not known.
    """
    price = _price_of(allocation, order)
    quantity = slices.entered + allocation.entry_of(ledger.wanted_of(order))
    whole = size_by_itself(policy, quantity, price, instrument, capitals)
    if whole is None:
        return None
    if whole.reason is not None and allocation.ratio is None:
        return whole
    own = _less_given(whole, slices, instrument)
    line, again = ledger.sized_alone(line, allocation, order, own, price or ZERO, instrument.lot_size)
    if not slices.orders:
        again = replace(again, slice_after="")
    return line, again, _less_given(capped(whole, policy, instrument, price), slices, instrument)


def _price_of(allocation: Allocation, order: Order) -> Decimal | None:
    """Return the price by which an entry is sized: its limit, else the first known, so that no tick resizes it."""
    if allocation.sized_at and (order.is_terminal or not order.price):
        return allocation.sized_at
    return order.reference_price


def _less_given(whole: Size, slices: SliceRule, instrument: Instrument) -> Size:
    """Return what is left of a size for a slice after what the ``slices`` before it were given."""
    quantity, arithmetic = max(0, whole.quantity - slices.given), whole.arithmetic
    if slices.orders:
        arithmetic += f", with the slices {', '.join(slices.orders)}, less {slices.given} for those"
    if whole.reason is not None:
        return Size(0, arithmetic, whole.reason)
    lots = sys.intern(f"{arithmetic} -> {quantity // instrument.lot_size} x {instrument.lot_size}")
    return Size(quantity, lots, None if quantity else Reason.ZERO_LOTS)


def _shown(allocation: Allocation, ratio: Ratio, quantity: int, instrument: Instrument) -> Size:
    """Return the size with its arithmetic as an operator reads it."""
    lot, factor = instrument.lot_size, float(ratio.value)
    carry = float(allocation.carry) if allocation.carry else 0.0
    kept = f" + {carry:.2f} kept back" if carry else ""
    arithmetic = f"{ratio.arithmetic}; {quantity} x {factor:.4f}{kept} = {quantity * factor + carry:.2f}"
    if not allocation.wanted:
        return Size(0, f"{arithmetic}, under one lot of {lot}", Reason.ZERO_LOTS)
    arithmetic = sys.intern(f"{arithmetic} -> {allocation.wanted // lot} x {lot}")  # most copies are of a few sizes
    return Size(allocation.wanted, arithmetic)
