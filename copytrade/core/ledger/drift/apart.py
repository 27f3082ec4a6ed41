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


def apart(line: LineKey, net: int, held: int, known: int | None = None) -> Apart:
    """Return what an account holds beside its copies: ``held`` is by copying, ``known`` by all orders, None if unknown.

    Trades of other hands against what is held count as closing copies as far as there are any; the rest is their own.
    """
    other, direction = net - held, sign(held)
    closed = max(-abs(held), min(0, other * direction)) * direction
    return Apart(line, net, held, other - closed, closed, 0 if known is None else net - known)


def all_apart(net: Mapping[LineKey, int], held: Mapping[LineKey, int], known: Mapping[LineKey, int]) -> list[Apart]:
    """Return every line on which an account holds something apart from its copies."""
    keys = sorted({*net, *held, *known}, key=str)
    found = [apart(key, net.get(key, 0), held.get(key, 0), known.get(key, 0)) for key in keys]
    return [one for one in found if one.net != one.held or one.unseen]
