"""What fills of the leader and of the follower do to a line."""

from collections.abc import Iterable
from fractions import Fraction

from msgspec.structs import replace

from copytrade.core.ledger.arithmetic.conversions import moved
from copytrade.core.ledger.arithmetic.entries import exact_filled
from copytrade.core.ledger.arithmetic.lots import whole_lots
from copytrade.core.model.ledger import NO_UNITS, Allocation, Line, Part
from copytrade.core.model.orders import Product


def leader_filled(
    line: Line, allocation: Allocation, filled: int, others: Iterable[Allocation], *, is_beside: bool = False
) -> tuple[Line, list[Allocation]]:
    """Count the leader's fills of an order; return the line and every changed allocation.

    An exit reduces the level in proportion, and the same proportion of entries that have not filled for the follower is
    forgone. An exit that ``is_beside`` leaves what was not copied: it reduces nothing until the leader is flat.
    """
    more = filled - allocation.leader_filled
    if more <= 0:
        return line, []
    there = max(0, -line.leader_position * allocation.side.sign)
    exiting = min(more, max(allocation.reach, there))  # it may fill before what was to be filled first
    changed = [
        replace(
            allocation,
            leader_filled=filled,
            leader_exited=allocation.leader_exited + exiting,
            reach=max(0, allocation.reach - exiting),
        )
    ]
    sign = allocation.side.sign
    before = abs(line.leader_position) if line.leader_position * sign < 0 else 0
    if exiting and before and not (is_beside and exiting < before):
        left = Fraction(max(0, before - exiting), before)
        line = brought_down(line, left)
        if not left and allocation.ratio is not None:  # it crosses zero: from here on, what it enters has the residue
            line = replace(line, residue=allocation.residue * sign)
        changed += [
            shrunk for other in others if other.side is not allocation.side and (shrunk := forgoes(other, left, line))
        ]
    return caught_up(replace(line, leader_position=line.leader_position + more * sign)), changed


def follower_filled(
    line: Line, allocation: Allocation, part: Part, before: int, after: int, product: Product | None = None
) -> tuple[Line, Allocation]:
    """Count the follower's fills of one part of a leader order: their sum ``before`` and ``after``.

    Fills of an entry beyond what was due do not raise the level: they are overdue for an exit at once. ``product`` is
    the follower order's, None for the line's own.
    """
    sign, more = allocation.side.sign, after - before
    if part in (Part.EXIT, Part.CLOSE) and product is not None:
        line = moved(line, product, more * sign)
    if part is Part.TWIN:  # the ledger does not hold it, and it is not to stay
        return line, replace(allocation, excess=allocation.excess + more, doubled=allocation.doubled + more)
    if part is Part.FLATTEN:
        undone = min(more, allocation.doubled)
        line = replace(line, held=line.held - (more - undone) * sign)
        return line, replace(allocation, doubled=allocation.doubled - undone)
    there = max(0, -line.held * sign)
    if part is Part.EXIT:  # an entry of the other side may have filled before it, out of what was to be left
        there += max(0, line.due(sign) - line.lost - max(0, line.held * sign))
    line = replace(line, held=line.held + more * sign)
    if part is Part.CLOSE:
        return line, allocation
    if part is Part.EXIT:
        return line, replace(allocation, excess=allocation.excess + max(0, more - there))
    counted = min(after, max(allocation.counted, allocation.due)) if allocation.forgone else after
    units = (counted - allocation.counted) * sign
    if line.leader_position * sign < 0:
        line = replace(line, ahead=line.ahead + units)
    else:
        line = replace(line, level=line.level + units)
    return line, replace(allocation, counted=counted)


def brought_down(line: Line, left: Fraction) -> Line:
    """Return the line with only that part of its level left."""
    exact = (line.level + line.residue) * left
    level = whole_lots(abs(exact), line.lot_size) * (1 if exact > 0 else -1)
    return replace(line, level=level, residue=exact - level)


def caught_up(line: Line) -> Line:
    """Return the line with the units ahead of the leader in its level, unless he is still on the other side."""
    if not line.ahead or line.leader_position * line.ahead < 0:
        return line
    return with_all_ahead(line)


def with_all_ahead(line: Line) -> Line:
    """Return the line with the units ahead of the leader in its level."""
    return replace(line, level=line.level + line.ahead, ahead=0)


def forgoes(entry: Allocation, left: Fraction, line: Line) -> Allocation | None:
    """Forgo, of an entry that has filled for the leader but not the follower, the part that the leader has left."""
    if entry.ratio is None:
        exited = (entry.leader_entered - entry.exited) * (1 - left)
        return replace(entry, exited=entry.exited + exited) if exited else None
    exact = exact_filled(entry)
    waiting = max(0, min(whole_lots(exact, line.lot_size), entry.wanted) - entry.forgone - entry.counted)
    given_up = waiting - whole_lots(waiting * left, line.lot_size)
    exited = entry.exited
    if entry.sized_alone and entry.ratio.value:  # less than a lot by now may be lots when it has another size
        due = exact - entry.carry - exited * entry.ratio.value
        exited += max(NO_UNITS, due - entry.counted) / entry.ratio.value * (1 - left)
    if not given_up and exited == entry.exited:
        return None
    return replace(entry, forgone=entry.forgone + given_up, exited=exited)
