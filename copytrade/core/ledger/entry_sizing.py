"""An entry's size for one follower: by the ratio of its position, or by itself, within the limits of one order."""

import sys
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from msgspec.structs import replace

from copytrade.core.ledger.arithmetic import entries
from copytrade.core.ledger.arithmetic.lots import whole_lots
from copytrade.core.ledger.holdings import Holdings
from copytrade.core.ledger.ledger import Ledger
from copytrade.core.ledger.sizing import Capitals, Size, SizingPolicy, Strategy, capped, ratio_of, size_by_itself
from copytrade.core.model.instruments import Instrument
from copytrade.core.model.ledger import Allocation, Line, LineKey, Ratio
from copytrade.core.model.orders import ZERO, Order, Side
from copytrade.core.model.reasons import Reason


class SliceRule(NamedTuple):
    """The earlier slices of a leader order: the units they enter, and the units the follower was given for them."""

    entered: int = 0
    given: int = 0
    orders: tuple[str, ...] = ()


NO_SLICES = SliceRule()

#: How many sizes are remembered: hundreds of entries may rest, and most are not looked at again.
SIZES_KEPT = 256


#: Reasons for which an order cannot be sized, or limited, until the broker tells more.
_NOT_KNOWN = frozenset({Reason.NO_CAPITAL, Reason.NO_PRICE, Reason.NO_MULTIPLIER})


class _Sized(NamedTuple):
    """A size, and all that it was computed from: as long as that is the same, so is the size."""

    of: tuple[Allocation, Order, Instrument, SizingPolicy, SliceRule]
    size: Size
    at_most: int


class EntrySizes:
    """Sizes the entries of one follower, and remembers the latest sizes."""

    def __init__(self, ledger: Ledger, holdings: Holdings) -> None:
        self._ledger = ledger
        self._holdings = holdings
        self._sized: dict[str, _Sized] = {}

    def forget(self, leader_order_id: str) -> None:
        """Forget the size of an order that is over."""
        self._sized.pop(leader_order_id, None)

    def size(
        self,
        order: Order,
        instrument: Instrument,
        policy: SizingPolicy,
        capitals: Capitals,
        *,
        is_opening: bool,
        largest: int | None = None,
    ) -> tuple[Size, int] | None:
        """Return an entry's size within the follower's limits, and its units without them; None without capital.

        ``is_opening``: no other entry works on the line; it matters until the entry has a ratio. ``largest`` is the
        most units that one order may have: larger leader orders come in slices.
        """
        allocation = self._ledger.allocations[order.id]
        if allocation.ratio is None and not policy.strategy.sizes_each_order:
            policy = self._until_flat(allocation.line, policy, instrument)
        is_alone = policy.strategy.sizes_each_order and (
            allocation.sized_alone if allocation.ratio is not None else not self._has_ratio(allocation.line)
        )
        slices = self._slices_before(allocation, largest) if is_alone else NO_SLICES
        if slices is None:  # they are forgotten: the share that it has got stays
            is_alone, slices = False, NO_SLICES
        known = self._sized.get(order.id)
        if known is not None and known.of == (allocation, order, instrument, policy, slices):
            return known.size, known.at_most
        line = self._ledger.line(allocation.line)
        if allocation.ratio is None:
            if order.quantity % instrument.lot_size:
                why = f"{order.quantity} units are no whole lots of {instrument.lot_size}"
                return Size(0, why, Reason.UNKNOWN_INSTRUMENT), 0
            if order.side is Side.SELL and order.product.is_for_delivery:
                return Size(0, "shares for delivery are not sold short", Reason.NOTHING_HELD), 0
            line = self._holdings.reconciled_line(line)
            if is_opening and not allocation.base and not line.held:
                line = replace(line, ratio=None, residue=Fraction(0), level=0, ahead=0, lost=0, left=0)
        if is_alone:
            found = sized_alone(line, allocation, order, instrument, policy, capitals, slices)
        else:
            found = sized_by_ratio(line, allocation, order, instrument, policy, capitals)
        if found is None:
            return None
        if isinstance(found, Size):
            return found, 0
        line, again, size = found
        if size.reason in _NOT_KNOWN and allocation.ratio is not None:
            return _as_before(allocation, order, instrument, size)
        at_most, again = max(0, again.wanted - again.forgone), replace(again, wanted=size.quantity)
        if again != allocation:
            self._ledger.keep(line, again)
        if again.forgone and size.reason is None:
            left = f"{size.arithmetic}, less {again.forgone} that the leader has left"
            size = Size(again.due, left, None if again.due else Reason.LEADER_EXITED)
        self._sized[order.id] = _Sized(
            (self._ledger.allocations[order.id], order, instrument, policy, slices), size, at_most
        )
        if len(self._sized) > SIZES_KEPT:
            del self._sized[next(iter(self._sized))]
        return size, at_most

    def _until_flat(self, key: LineKey, policy: SizingPolicy, instrument: Instrument) -> SizingPolicy:
        """Return the policy by which a line goes on that is open with sizes of its own: as many lots as its last entry.

        Another line has the policy that it would have.
        """
        line = self._ledger.lines.get(key)
        if line is None or not line.held or line.ratio is not None:
            return policy
        for entry in reversed(self._ledger.allocations.values()):
            if entry.line == key and entry.sized_alone and entry.wanted:
                lots = entry.wanted // instrument.lot_size
                return replace(policy, strategy=Strategy.FIXED_LOTS, lots=lots)
        return policy

    def _has_ratio(self, key: LineKey) -> bool:
        """Whether something is held on a line that was opened with a ratio: it counts until the line is flat."""
        line = self._ledger.lines.get(key)
        return line is not None and line.held != 0 and line.ratio is not None

    def _slices_before(self, allocation: Allocation, largest: int | None) -> SliceRule | None:
        """Return the sum of the slices before an entry, if it is a slice: all but the last are as large as allowed.

        Whether it is a slice is decided once, at its first sizing. None if the earlier slices are forgotten.
        """
        slices = NO_SLICES
        while allocation.slice_after:
            before, is_judged = self._ledger.allocations.get(allocation.slice_after), allocation.ratio is not None
            if before is None:
                return None if is_judged else slices
            if not is_judged and (largest is None or before.leader_quantity < largest):
                return slices
            entered = slices.entered + before.entry_of(before.leader_quantity)
            given = slices.given + max(before.wanted, before.counted)
            slices = SliceRule(entered, given, (before.leader_order_id, *slices.orders))
            allocation = before
        return slices


def _as_before(allocation: Allocation, order: Order, instrument: Instrument, size: Size) -> tuple[Size, int]:
    """Return the size that an entry had, cut to the leader's quantity, until what its size needs is known again."""
    ratio = allocation.ratio.value if allocation.ratio else 0
    share = whole_lots(ratio * allocation.entry_of(entries.wanted_of(order)) + allocation.carry, instrument.lot_size)
    units = max(0, min(allocation.wanted, share) - allocation.forgone)
    return Size(units, f"as before, {size.arithmetic}", None if units else size.reason), units


def sized_by_ratio(
    line: Line,
    allocation: Allocation,
    order: Order,
    instrument: Instrument,
    policy: SizingPolicy,
    capitals: Capitals,
) -> tuple[Line, Allocation, Size] | Size | None:
    """Size an entry by the ratio of the open position, or by a new ratio if it opens one or crosses zero.

    Returns only a size with its reason if there is no ratio, None while capital is not known.
    """
    kept = allocation.ratio or (line.ratio if not allocation.is_exit else None)
    ratio = kept or ratio_of(policy, capitals, instrument.underlying)
    if ratio is None:
        return None
    if isinstance(ratio, Reason):
        return Size(0, f"start-of-day capital: {capitals}", ratio)
    line, again = entries.sized(line, allocation, order, ratio, instrument.lot_size)
    size = _shown(again, ratio, again.entry_of(entries.wanted_of(order)), instrument)
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
    """Size an entry by itself; a slice gets the size of all ``slices`` together, less what those before it were given.

    Returns only a size with its reason if there is none, None while capital is not known.
    """
    price = _price_of(allocation, order)
    quantity = slices.entered + allocation.entry_of(entries.wanted_of(order))
    whole = size_by_itself(policy, quantity, price, instrument, capitals)
    if whole is None:
        return None
    if whole.reason is not None and allocation.ratio is None:
        return whole
    own = _less_given(whole, slices, instrument)
    line, again = entries.sized_alone(line, allocation, order, own, price or ZERO, instrument.lot_size)
    if not slices.orders:
        again = replace(again, slice_after="")
    return line, again, _less_given(capped(whole, policy, instrument, price), slices, instrument)


def _price_of(allocation: Allocation, order: Order) -> Decimal | None:
    """Return the price for sizing an entry: its limit, else the first known price, so that ticks do not resize it."""
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
