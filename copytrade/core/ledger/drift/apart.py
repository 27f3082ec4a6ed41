"""What an account holds apart from its copies."""

from collections.abc import Mapping
from typing import NamedTuple

from copytrade.core.ledger.arithmetic.lots import sign
from copytrade.core.model.ledger import LineKey


class Apart(NamedTuple):
    """What an account holds apart from its copies, in signed units.

    ``manual`` was traded by other hands, ``closed`` is what they closed of the copies, ``unseen`` is the part that no
    order explains.
    """

    line: LineKey
    net: int
    held: int
    manual: int
    closed: int
    unseen: int = 0


def apart(line: LineKey, net: int, held: int, known: int | None = None, against: int | None = None) -> Apart:
    """Return what an account holds beside its copies: ``held`` is by copying, ``known`` by all orders, None if unknown.

    Trades of other hands against what is held count as closing copies as far as there are any; the rest is their own.
    ``against`` is how many copied units there are on the other side than their trades, None if all are on one side.
    """
    other = net - held
    if against is None:
        against = abs(held) if other * held < 0 else 0
    closed = min(abs(other), against) * sign(other)
    return Apart(line, net, held, other - closed, closed, 0 if known is None else net - known)


def all_apart(
    net: Mapping[LineKey, int],
    held: Mapping[LineKey, int],
    known: Mapping[LineKey, int],
    sides: Mapping[tuple[LineKey, int], int] | None = None,
) -> list[Apart]:
    """Return every line on which an account holds something apart from its copies.

    ``sides`` are the units held by copying, by line and side, None if each line is held on one side.
    """
    found = []
    for key in sorted({*net, *held, *known}, key=str):
        units, copied = net.get(key, 0), held.get(key, 0)
        against = None if sides is None else sides.get((key, -sign(units - copied)), 0)
        found.append(apart(key, units, copied, known.get(key, 0), against))
    return [one for one in found if one.net != one.held or one.unseen]
