"""Positions that the leader or the follower converts from one product to another."""

from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import permutations

from msgspec.structs import replace

from copytrade.core.ledger.arithmetic.lots import sign, whole_lots
from copytrade.core.model.ledger import NO_UNITS, Allocation, Line, LineKey
from copytrade.core.model.orders import Product


def conversions(
    differences: dict[LineKey, int], in_order: Iterable[LineKey], expected: Callable[[LineKey], int]
) -> list[tuple[LineKey, LineKey, int]]:
    """Return what was converted: source line, target line, and the units, signed.

    The units disappeared from one product and appeared in another of the same instrument. They are removed from the
    ``differences``. Earlier lines ``in_order`` are preferred as a source.
    """
    found = []
    for source, target in permutations(in_order, 2):
        position, gone, more = expected(source), differences[source], differences[target]
        if source.key != target.key or gone * position >= 0 or more * position <= 0:
            continue
        units = min(abs(gone), abs(position), abs(more)) * sign(position)
        differences[source] += units
        differences[target] -= units
        found.append((source, target, units))
    return found


def moved_by_leader(source: Line, target: Line, units: int) -> tuple[Line, Line]:
    """Return both lines after the leader has converted units (signed) from one to the other.

    The follower's share and its level move in whole lots, or wholly if all is converted. The units stay in the product
    in which the account has them. What the leader has traded against them in the new product, before his conversion was
    known, has left them: that part of either side is not due any more.
    """
    share = Fraction(units, source.leader_position) if source.leader_position else Fraction(1)
    share = min(max(share, NO_UNITS), Fraction(1))
    exact = (source.level + source.residue) * share
    level = whole_lots(abs(exact), source.lot_size) * (1 if exact > 0 else -1)
    held = source.held if share == 1 else min(abs(source.held), abs(level)) * sign(source.held)
    taken: dict[Product, int] = {}
    left = held
    for product in source.products:
        there = source.held_in(product)
        taken[product] = left if abs(left) <= abs(there) else there
        left -= taken[product]
    source_after = replace(
        source,
        leader_position=source.leader_position - units,
        held=source.held - held,
        level=source.level - level,
        residue=source.residue - (exact - level),
        elsewhere=tuple(
            (product, rest) for product in source.products[1:] if (rest := source.held_in(product) - taken[product])
        ),
    )
    target_after = replace(
        target,
        leader_position=target.leader_position + units,
        held=target.held + held,
        level=target.level + level,
        residue=target.residue + (exact - level),
        ratio=target.ratio or source.ratio,
        lot_size=max(target.lot_size, source.lot_size),
    )
    if crossed := crossed_by(target, units):
        due = exact * Fraction(abs(units) - crossed, abs(units))
        position = abs(target.leader_position)
        due += (target.level + target.residue) * Fraction(position - crossed, position)
        whole = whole_lots(abs(due), target_after.lot_size) * (1 if due > 0 else -1)
        target_after = replace(target_after, level=whole, residue=due - whole)
    for product, some in taken.items():
        if some:
            target_after = moved(target_after, product, some)
    return source_after, target_after


def crossed_by(target: Line, units: int) -> int:
    """Return how many of the units that are converted to a line the leader has traded against there already."""
    is_against = target.leader_position * units < 0
    return min(abs(target.leader_position), abs(units)) if is_against else 0


def left_by(entries: Iterable[Allocation], crossed: int) -> list[Allocation]:
    """Return those of a line's ``entries`` that have left units converted to it, the latest first, as exits."""
    changed = []
    for entry in reversed(list(entries)):
        left = min(crossed, entry.leader_entered)
        if left:
            crossed -= left
            forgone = max(entry.forgone, entry.wanted - entry.counted)
            changed.append(replace(entry, leader_exited=entry.leader_exited + left, forgone=forgone))
    return changed


def moved_by_follower(line: Line, source: Product, target: Product, units: int) -> Line:
    """Return the line after the follower has converted units (signed) of it from one product to another."""
    return moved(moved(line, source, -units), target, units)


def moved(line: Line, product: Product, units: int) -> Line:
    """Return the line with ``units`` more (signed) held in a product other than its own."""
    if product is line.key.product:
        return line
    elsewhere = dict(line.elsewhere)
    elsewhere[product] = elsewhere.get(product, 0) + units
    return replace(line, elsewhere=tuple((kind, left) for kind, left in elsewhere.items() if left))
