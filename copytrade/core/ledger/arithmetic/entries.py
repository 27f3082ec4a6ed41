"""How much an entry adds: the ratio's share of the leader's increment, or a size of its own."""

from decimal import Decimal
from fractions import Fraction

from msgspec.structs import replace

from copytrade.core.ledger.arithmetic.lots import whole_lots
from copytrade.core.ledger.sizing import Size
from copytrade.core.model.ledger import NO_UNITS, Allocation, Line, Ratio
from copytrade.core.model.orders import Order, Side, Status


def sized(line: Line, allocation: Allocation, order: Order, ratio: Ratio, lot_size: int) -> tuple[Line, Allocation]:
    """Size an order's entry by a ratio, or size it again after the leader has changed it, in whole lots.

    ``wanted`` is the size before the follower's limits. An order that crosses zero begins without a residue.
    """
    if allocation.ratio is None:
        carry = NO_UNITS
        if line.residue and not allocation.is_exit:
            kept = _by_side(line.residue, order.side)
            lots = whole_lots(kept, lot_size)
            carry = kept - lots if lots else kept  # a whole lot of it is what a dead order gave back: not caught up
        line = replace(line, ratio=ratio, lot_size=lot_size)
        allocation = replace(allocation, ratio=ratio, carry=carry)
        if allocation.exited:
            allocation = replace(allocation, forgone=_forgone_before(allocation, lot_size))
    parts, of = ratio.value.as_integer_ratio()  # reckoning with fractions takes longer
    grown = parts * allocation.entry_of(wanted_of(order))
    if allocation.carry:
        wanted = whole_lots(Fraction(grown, of) + allocation.carry, lot_size)
    else:
        wanted = whole_lots(grown, lot_size, of=of)
    left = grown - wanted * of
    residue = Fraction(left, of) if left else NO_UNITS
    if left or allocation.residue:
        change = _by_side(residue - allocation.residue if allocation.residue else residue, order.side)
        line = replace(line, residue=line.residue + change if line.residue else change)
    return line, replace(allocation, residue=residue, wanted=wanted, leader_quantity=order.quantity)


def sized_alone(
    line: Line, allocation: Allocation, order: Order, size: Size, price: Decimal, lot_size: int
) -> tuple[Line, Allocation]:
    """Give an entry a size of its own, or a new one after the leader has changed it; nothing is carried over.

    ``size`` is before the follower's limits, ``price`` the price it was computed with, 0 for none.
    """
    quantity = wanted_of(order)
    of = allocation.entry_of(quantity)
    is_first = allocation.ratio is None
    again = replace(
        allocation,
        ratio=Ratio(Fraction(size.quantity, of) if of else NO_UNITS, size.arithmetic),
        wanted=size.quantity,
        leader_quantity=quantity,
        sized_alone=True,
        sized_at=price,
    )
    if is_first:
        line = replace(line, ratio=None, lot_size=lot_size)
    if again.exited:
        forgone = _forgone_before(again, lot_size) if is_first else max(again.forgone, _forgone_before(again, lot_size))
        again = replace(again, forgone=min(forgone, max(0, again.wanted - again.counted)))
    elif again.forgone and (filled := _filled(allocation, lot_size)):  # of another size, the same part of it
        part = Fraction(again.forgone * _filled(again, lot_size), filled)
        again = replace(again, forgone=whole_lots(part, lot_size))
    return line, again


def resized_alone(allocation: Allocation, order: Order) -> Allocation:
    """Return an entry that keeps its own size for now although the leader's quantity has changed."""
    before, quantity = allocation.entry_of(allocation.leader_quantity), wanted_of(order)
    after = allocation.entry_of(quantity)
    ratio = allocation.ratio
    if ratio and before and after:
        ratio = Ratio(ratio.value * before / after, ratio.arithmetic)
    return replace(allocation, ratio=ratio, leader_quantity=quantity)


def wanted_of(order: Order) -> int:
    """Return the order's quantity; its filled quantity if it ended early."""
    is_dead = order.is_terminal and order.status is not Status.TRADED
    return order.filled_quantity if is_dead else order.quantity


def ratio_now(line: Line) -> Ratio | None:
    """Return the ratio of an open position: the one it was opened with, or that of the sum of its entries."""
    if line.ratio is not None or not line.leader_position:
        return line.ratio
    exact = line.level + line.residue
    return Ratio(exact / line.leader_position, f"{float(exact):.2f} where the leader holds {line.leader_position}")


def at_most(line: Line, allocation: Allocation, units: int) -> Allocation:
    """Return an entry of which no more than ``units`` more are due, and no more than the leader still has of it.

    An order that is over is not kept up to date with the exits of the leader.
    """
    sign = allocation.side.sign
    position = max(0, line.leader_position * sign)
    if allocation.sized_alone and allocation.ratio is not None:
        own = allocation.ratio.value * min(position, allocation.leader_entered)
        left = whole_lots(own, line.lot_size) - allocation.counted
    else:
        ratio = line.ratio.value if line.ratio else NO_UNITS
        left = whole_lots(ratio * position, line.lot_size) - max(0, line.level * sign)
    forgone = allocation.wanted - allocation.counted - max(0, min(units, left))
    return allocation if forgone <= allocation.forgone else replace(allocation, forgone=forgone)


def exact_filled(entry: Allocation) -> Fraction:
    """Return the follower's share of the leader's fills of an entry, before rounding."""
    return entry.carry + (entry.ratio.value if entry.ratio else 0) * entry.leader_entered


def _filled(entry: Allocation, lot_size: int) -> int:
    """Return the follower's share, in units, of the leader's fills of an entry."""
    return min(entry.wanted, whole_lots(exact_filled(entry), lot_size))


def _forgone_before(entry: Allocation, lot_size: int) -> int:
    """Return how many units of an entry are not wanted because the leader left them before it had a size."""
    exact = exact_filled(entry)
    left = exact - entry.exited * (entry.ratio.value if entry.ratio else 0)
    return whole_lots(exact, lot_size) - whole_lots(left, lot_size)


def _by_side(quantity: Fraction, side: Side) -> Fraction:
    return quantity if side is Side.BUY else -quantity
