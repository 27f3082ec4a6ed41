"""Corrections of a line by what an account really holds, and by fills that are not the leader's."""

from collections.abc import Mapping
from datetime import date
from fractions import Fraction

from msgspec.structs import replace

from copytrade.core.ledger.arithmetic.fills import brought_down, caught_up
from copytrade.core.ledger.arithmetic.lots import sign
from copytrade.core.model.ledger import NO_UNITS, Line, NotHis
from copytrade.core.model.orders import Order, Product, trade_date


def corrected(line: Line, leader_position: int) -> Line:
    """Return the line with the leader's position corrected: trades that were not seen, or an expiry."""
    before, after = abs(line.leader_position), abs(leader_position)
    is_less = leader_position * line.leader_position <= 0 or after < before
    if before and is_less:
        left = Fraction(after, before) if leader_position * line.leader_position > 0 else NO_UNITS
        line = brought_down(line, left)
    return caught_up(replace(line, leader_position=leader_position))


def closed_elsewhere(line: Line, held: int, by_product: Mapping[Product, int]) -> Line:
    """Return the line with only ``held`` units (not signed) left, because other hands closed the rest.

    ``by_product`` says how many units are left in each product of the line.
    """
    direction = sign(line.held)
    lost = line.lost + abs(line.held) - held
    elsewhere = tuple((product, left * direction) for product, _ in line.elsewhere if (left := by_product[product]))
    ahead = min(max(0, line.ahead * direction), held) * direction
    level = min(abs(line.level), held - abs(ahead)) * direction
    return replace(line, lost=lost, held=held * direction, level=level, ahead=ahead, elsewhere=elsewhere)


def left_alone(line: Line) -> Line:
    """Return the line with nothing held by copying: the units stay in the account, and no exit takes them."""
    left = line.left + max(abs(line.held), abs(line.level), abs(line.ahead))
    return replace(line, held=0, level=0, ahead=0, residue=NO_UNITS, lost=0, ratio=None, elsewhere=(), left=left)


def found_again(line: Line, units: int) -> Line:
    """Return the line with units (signed) that were written off as closed and are there after all.

    They count for the level again as long as the leader has a position.
    """
    level = line.level + units if line.leader_position * units > 0 else line.level
    return replace(line, lost=line.lost - abs(units), held=line.held + units, level=level)


def filled_beside_leader(line: Line, order: Order) -> Line:
    """Return the line with the fills of an order with an id of ours on the leader's account."""
    others = tuple(one for one in line.not_his if one.order_id != order.id)
    told = NotHis(order.id, trade_date(order), order.filled_quantity * order.side.sign)
    return replace(line, not_his=(*others, told))


def with_days_before_as_one(line: Line, day: date) -> Line:
    """Return the line with all ``not_his`` units of days before a trading day summed up in one."""
    before = [one for one in line.not_his if one.day < day]
    if len(before) < 2:
        return line
    units, since = sum(one.units for one in before), max(one.day for one in before)
    left = tuple(one for one in line.not_his if one.day >= day)
    return replace(line, not_his=(NotHis("", since, units), *left) if units else left)
