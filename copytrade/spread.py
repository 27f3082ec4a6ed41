"""How a total is spread over the orders that rest for it, and what has to be sent besides."""

from collections.abc import Mapping, Sequence

import msgspec

from copytrade.copies import Copy, Stage

_UNLIMITED = 10**12


class Spread(msgspec.Struct, frozen=True, gc=False):
    """``quantities`` are what each resting order should be in all, by its number; ``more`` is for a new one.

    ``waits_for`` is the number of an order whose end or acceptance has to be known before anything is added, None if
    nothing has to.
    """

    quantities: Mapping[int, int]
    more: int
    waits_for: int | None


def spread(total: int, copies: Sequence[Copy], largest: int | None, *, grows: bool = True) -> Spread:
    """Spread ``total`` units, fills included, over the copies; no single order becomes larger than ``largest``.

    What is too much is taken from the last orders first, what is lacking added to the first that have room. What is
    being cancelled may fill to the last moment: it is counted in full before anything is added. Unless an order that
    rests ``grows``, what is lacking is for a new one.
    """
    target = total - sum(copy.filled_quantity for copy in copies if copy.stage is Stage.ENDED)
    staying = [copy for copy in copies if copy.is_open and not copy.cancelling]
    leaving = [copy for copy in copies if copy.is_open and copy.cancelling]
    quantities = {copy.n: copy.quantity for copy in staying}
    kept = sum(quantities.values())
    excess = kept + sum(copy.filled_quantity for copy in leaving) - target
    for copy in reversed(staying):
        less = min(max(0, excess), quantities[copy.n])
        quantities[copy.n] -= less
        excess -= less
    if excess >= 0:
        return Spread(quantities, 0, None)
    lacking = max(0, target - kept - sum(copy.quantity for copy in leaving))
    waits_for = leaving[0].n if leaving and lacking < -excess else None
    limit = largest or _UNLIMITED
    for copy in staying if grows else ():
        room = max(0, limit - copy.quantity)
        if not room or not lacking:
            continue
        if copy.stage is not Stage.LIVE:
            return Spread(quantities, min(lacking, limit), copy.n)
        more = min(lacking, room)
        quantities[copy.n] += more
        lacking -= more
    return Spread(quantities, min(lacking, limit), waits_for if not lacking else None)
