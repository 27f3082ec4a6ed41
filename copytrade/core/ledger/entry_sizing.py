"""An entry's size for one follower: by the ratio of its position, or by itself, within the limits of one order."""

import sys
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from copytrade.core.ledger import arithmetic as ledger
from copytrade.core.ledger.sizing import Capitals, Size, SizingPolicy, capped, ratio_of, size_by_itself
from copytrade.core.model.instruments import Instrument
from copytrade.core.model.ledger import Allotment, Line, Ratio
from copytrade.core.model.orders import ZERO, Order
from copytrade.core.model.reasons import Reason


class Slices(NamedTuple):
    """What the earlier slices of a leader's order enter, and what the follower was given for it: units."""

    entered: int = 0
    given: int = 0
    orders: tuple[str, ...] = ()


NO_SLICES = Slices()


def sized_by_ratio(
    line: Line,
    allotment: Allotment,
    order: Order,
    instrument: Instrument,
    policy: SizingPolicy,
    capitals: Capitals,
) -> tuple[Line, Allotment, Size] | Size | None:
    """Size an entry by the ratio of the open position, or by a new one where it opens one or crosses to another side.

    Returns a size alone where there is none, None while capital is not known.
    """
    ratio = allotment.ratio or (line.ratio if not allotment.is_exit else None) or ratio_of(policy, capitals)
    if ratio is None:
        return None
    if isinstance(ratio, Reason):
        return Size(0, f"start-of-day capital: {capitals}", ratio)
    line, again = ledger.sized(line, allotment, order, ratio, instrument.lot_size)
    size = _shown(again, ratio, again.entry_of(ledger.wanted_of(order)), instrument)
    return line, again, capped(size, policy, instrument, order.reference_price)


def sized_alone(
    line: Line,
    allotment: Allotment,
    order: Order,
    instrument: Instrument,
    policy: SizingPolicy,
    capitals: Capitals,
    slices: Slices,
) -> tuple[Line, Allotment, Size] | Size | None:
    """Size an entry by itself, or with the ``slices`` before it what all of them come to, less what those were given.

    Returns a size alone where there is none, None while capital is not known.
    """
    price = _price_of(allotment, order)
    quantity = slices.entered + allotment.entry_of(ledger.wanted_of(order))
    whole = size_by_itself(policy, quantity, price, instrument, capitals)
    if whole is None:
        return None
    if whole.reason is not None and allotment.ratio is None:
        return whole
    own = _less_given(whole, slices, instrument)
    line, again = ledger.sized_alone(line, allotment, order, own, price or ZERO, instrument.lot_size)
    if not slices.orders:
        again = replace(again, slice_after="")
    return line, again, _less_given(capped(whole, policy, instrument, price), slices, instrument)


def _price_of(allotment: Allotment, order: Order) -> Decimal | None:
    """Return the price by which an entry is sized: its limit, else the first known, so that no tick resizes it."""
    if allotment.sized_at and (order.is_terminal or not order.price):
        return allotment.sized_at
    return order.reference_price


def _less_given(whole: Size, slices: Slices, instrument: Instrument) -> Size:
    """Return what is left of a size for a slice after what the ``slices`` before it were given."""
    quantity, arithmetic = max(0, whole.quantity - slices.given), whole.arithmetic
    if slices.orders:
        arithmetic += f", with the slices {', '.join(slices.orders)}, less {slices.given} for those"
    if whole.reason is not None:
        return Size(0, arithmetic, whole.reason)
    lots = sys.intern(f"{arithmetic} -> {quantity // instrument.lot_size} x {instrument.lot_size}")
    return Size(quantity, lots, None if quantity else Reason.ZERO_LOTS)


def _shown(allotment: Allotment, ratio: Ratio, quantity: int, instrument: Instrument) -> Size:
    """Return the size with its arithmetic as an operator reads it."""
    lot, factor = instrument.lot_size, float(ratio.value)
    carry = float(allotment.carry) if allotment.carry else 0.0
    kept = f" + {carry:.2f} kept back" if carry else ""
    arithmetic = f"{ratio.arithmetic}; {quantity} x {factor:.4f}{kept} = {quantity * factor + carry:.2f}"
    if not allotment.wanted:
        return Size(0, f"{arithmetic}, under one lot of {lot}", Reason.ZERO_LOTS)
    arithmetic = sys.intern(f"{arithmetic} -> {allotment.wanted // lot} x {lot}")  # most copies are of a few sizes
    return Size(allotment.wanted, arithmetic)
