"""How a total is sliced over the resting orders, and what has to be sent besides."""

from collections.abc import Mapping, Sequence

import msgspec

from copytrade.core.model.copies import Copy, Stage
from copytrade.core.model.orders import Product

_UNLIMITED = 10**12


class Slices(msgspec.Struct, frozen=True, gc=False):
    """``quantities`` are what each resting order should be in all, by its number; ``more`` is for a new one.

    ``waits_for`` is the number of an order whose end or acceptance has to be known before anything is added, None if
    nothing has to. ``product`` is what the new one is in, None for the leader's.
    """

    quantities: Mapping[int, int]
    more: int
    waits_for: int | None
    product: Product | None = None


def sliced(total: int, copies: Sequence[Copy], largest: int | None, *, grows: bool = True) -> Slices:
    """Slice ``total`` units, fills included, over the copies; no single order becomes larger than ``largest``.

    An excess is taken from the last orders first, and missing units are added to the first orders that have room. An
    order being cancelled may still fill: it is counted in full before anything is added. Unless a resting order
    ``grows``, what is missing is for a new one.
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
        return Slices(quantities, 0, None)
    lacking = max(0, target - kept - sum(copy.quantity for copy in leaving))
    waits_for = leaving[0].n if leaving and lacking < -excess else None
    limit = largest or _UNLIMITED
    for copy in staying:
        room = max(0, limit - copy.quantity) if grows else 0
        if not room or not lacking:
            continue
        if copy.stage is not Stage.LIVE:
            return Slices(quantities, min(lacking, limit), copy.n)
        more = min(lacking, room)
        quantities[copy.n] += more
        lacking -= more
    return Slices(quantities, min(lacking, limit), waits_for if not lacking else None)


def sliced_by_product(
    total: int, copies: Sequence[Copy], largest: int | None, room: Mapping[Product, int], own: Product
) -> Slices:
    """Slice ``total`` units over orders in several products, no more in each than there is ``room`` for.

    Room is for units that are not filled yet. Resting units stay in their product if there is room; ``own`` is the
    product of copies that name none.
    """
    by_product: dict[Product, list[Copy]] = {product: [] for product in room}
    for copy in copies:
        by_product.setdefault(copy.product or own, []).append(copy)
    left = total - sum(copy.filled_quantity for copy in copies)
    resting = {product: sum(copy.exposure for copy in mine) for product, mine in by_product.items()}
    wanted = dict.fromkeys(by_product, 0)
    for most in (resting, room):
        for product in by_product:
            more = min(left, max(0, min(most.get(product, 0), room.get(product, 0)) - wanted[product]))
            wanted[product] += more
            left -= more
    plans = {
        product: sliced(wanted[product] + sum(copy.filled_quantity for copy in mine), mine, largest)
        for product, mine in by_product.items()
    }
    quantities = {n: quantity for plan in plans.values() for n, quantity in plan.quantities.items()}
    for product, plan in plans.items():
        if plan.more:
            return Slices(quantities, plan.more, plan.waits_for, None if product is own else product)
    return Slices(quantities, 0, None)
