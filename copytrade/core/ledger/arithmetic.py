"""The ledger: what a follower holds because of copying, and what of it each leader order is to add or take away.

One line for each instrument and product. Entries follow the increment: a leader order that adds to his position adds
its share of the follower's, and what rounding down to whole lots has kept back is carried to the next; where each entry
is sized by itself, its size is all that it adds. Exits follow the level: as the leader's position shrinks, the
follower's is brought down in proportion, to nothing when he is flat, whatever was rounded, refused or late on the way.
Manual trades of the follower are not in the ledger.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from msgspec.structs import replace

from copytrade.core.ledger.sizing import Size
from copytrade.core.model.ledger import NO_UNITS, Allocation, Line, NotHis, Part, Ratio, Role, Working
from copytrade.core.model.orders import Order, OrderType, Product, Side, Status, trade_date

#: How far apart the slices of one order are placed, at most.
SLICES_WITHIN = timedelta(seconds=1)


def first_sight(line: Line, order: Order) -> Allocation:
    """Judge a leader order that was not seen before, by the leader's filled position without it."""
    base = line.leader_position
    is_exit = base * order.side.sign < 0
    return Allocation(
        leader_order_id=order.id,
        trade_date=trade_date(order),
        created_at=order.created_at or order.observed_at,
        line=line.key,
        side=order.side,
        role=Role.EXIT if is_exit else Role.ENTRY,
        base=base,
        reach=abs(base) if is_exit else 0,
        leader_quantity=order.quantity,
    )


def may_be_slices(first: Order, since: datetime, order: Order) -> bool:
    """Whether two orders of one line are alike and as close as slices are; ``since`` is when the slicing began."""
    placed = order.created_at or order.observed_at
    is_alike = (first.side, first.order_type, first.price) == (order.side, order.order_type, order.price)
    return is_alike and abs(placed - since) <= SLICES_WITHIN


def judged_again(
    line: Line, allocations: Iterable[Allocation], orders: Mapping[str, Order | None]
) -> Iterator[Allocation]:
    """Yield what rests and is an exit from now on, or of more, with its reach: what those that fill before it leave.

    ``orders`` are the leader's on that line, None where one has not been told of since the start: what one of the day
    is known to leave counts. Limits and stops are two chains. What nothing is left for stays an entry: it rests as the
    leader's.
    """
    side = Side.SELL if line.leader_position > 0 else Side.BUY
    opposite = [one for one in allocations if one.side is side]
    told = [(order, one) for one in opposite if (order := orders[one.leader_order_id]) and not order.is_terminal]
    day = max((one.trade_date for _, one in told), default=date.max)
    untold = sum(one.reach for one in opposite if one.trade_date >= day and orders[one.leader_order_id] is None)
    for is_stop in (False, True):
        left = abs(line.leader_position) - untold
        chain = [pair for pair in told if pair[0].order_type.has_trigger is is_stop]
        for order, one in sorted(chain, key=lambda pair: _fills_before(pair[0])):
            reach = max(one.reach, left)
            if reach > one.reach:
                yield replace(one, reach=reach)
            left = max(0, left - min(reach, max(0, order.quantity - one.leader_filled)))


def _fills_before(order: Order) -> tuple[bool, Decimal]:
    """Sort what rests on one side by what the market reaches first."""
    if order.order_type.has_trigger:
        return True, order.trigger_price * order.side.sign
    return order.order_type is not OrderType.MARKET, -order.price * order.side.sign


def sized(line: Line, allocation: Allocation, order: Order, ratio: Ratio, lot_size: int) -> tuple[Line, Allocation]:
    """Size an order's entry, or size it again after the leader has changed it: the increment, in whole lots.

    ``wanted`` is what it comes to before any limit of the follower's. What crosses zero begins without a residue.
    """
    if allocation.ratio is None:
        carry = NO_UNITS
        if line.residue and not allocation.is_exit:
            kept = _signed(line.residue, order.side)
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
        change = _signed(residue - allocation.residue if allocation.residue else residue, order.side)
        line = replace(line, residue=line.residue + change if line.residue else change)
    return line, replace(allocation, residue=residue, wanted=wanted, leader_quantity=order.quantity)


def sized_alone(
    line: Line, allocation: Allocation, order: Order, size: Size, price: Decimal, lot_size: int
) -> tuple[Line, Allocation]:
    """Give an entry a size of its own, or another after the leader has changed it; nothing is carried to the next.

    ``size`` is what it comes to before any limit of the follower's, ``price`` what it was reckoned by, 0 for none.
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
            again = replace(again, forgone=_forgone_before(again, lot_size))
    elif again.forgone and (filled := _filled(allocation, lot_size)):  # of another size, the same part of it
        part = Fraction(again.forgone * _filled(again, lot_size), filled)
        again = replace(again, forgone=whole_lots(part, lot_size))
    return line, again


def _filled(entry: Allocation, lot_size: int) -> int:
    """Return how many units of an entry the leader's fills come to for the follower."""
    return min(entry.wanted, whole_lots(_exact_filled(entry), lot_size))


def resized_alone(allocation: Allocation, order: Order) -> Allocation:
    """Return an entry with a size of its own, which it keeps for now although the leader's quantity is another."""
    before, quantity = allocation.entry_of(allocation.leader_quantity), wanted_of(order)
    after = allocation.entry_of(quantity)
    ratio = allocation.ratio
    if ratio and before and after:
        ratio = Ratio(ratio.value * before / after, ratio.arithmetic)
    return replace(allocation, ratio=ratio, leader_quantity=quantity)


def ratio_now(line: Line) -> Ratio | None:
    """Return the ratio of an open position: the one that it was opened with, or what its entries have come to."""
    if line.ratio is not None or not line.leader_position:
        return line.ratio
    exact = line.level + line.residue
    return Ratio(exact / line.leader_position, f"{float(exact):.2f} where the leader holds {line.leader_position}")


def _forgone_before(entry: Allocation, lot_size: int) -> int:
    """Return how many units an entry is not to have because the leader has left them before it got a size."""
    exact = _exact_filled(entry)
    left = exact - entry.exited * (entry.ratio.value if entry.ratio else 0)
    return whole_lots(exact, lot_size) - whole_lots(left, lot_size)


def _exact_filled(entry: Allocation) -> Fraction:
    """Return what the leader's fills of an entry come to for the follower, before rounding."""
    return entry.carry + (entry.ratio.value if entry.ratio else 0) * entry.leader_entered


def wanted_of(order: Order) -> int:
    """What the leader wants of an order, or got of it where the rest is dead."""
    is_dead = order.is_terminal and order.status is not Status.TRADED
    return order.filled_quantity if is_dead else order.quantity


def leader_filled(
    line: Line, allocation: Allocation, filled: int, others: Iterable[Allocation], *, is_beside: bool = False
) -> tuple[Line, list[Allocation]]:
    """Count what the leader has got of an order; return the line and every allotment that this changes.

    His exit brings the level down in proportion, and of the entries that the follower still waits for, the same
    proportion is forgone: what the leader has left is not entered any more. One that ``is_beside`` leaves what was not
    copied: until nothing of his position is left, it takes from nobody else's.
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
        others = list(others)
        ahead = sum(one.counted for one in (allocation, *others) if _is_ahead(one, sign))
        line = _brought_down(line, left, ahead * sign)
        if not left and allocation.ratio is not None:  # it crosses zero: from here on, what it enters has the residue
            line = replace(line, residue=allocation.residue * sign)
        changed += [
            shrunk for other in others if other.side is not allocation.side and (shrunk := _forgoes(other, left, line))
        ]
    return replace(line, leader_position=line.leader_position + more * sign), changed


def _is_ahead(entry: Allocation, sign: int) -> bool:
    """Whether what was got of an order is of the side on which the leader is not yet: his own fills of it are exits."""
    return entry.side.sign == sign and entry.counted > 0 and entry.leader_entered == 0


def _brought_down(line: Line, left: Fraction, ahead: int = 0) -> Line:
    """Return the line with that part of its level left; units that are ``ahead`` of the leader (signed) all stay."""
    exact = (line.level - ahead + line.residue) * left
    level = whole_lots(abs(exact), line.lot_size) * (1 if exact > 0 else -1)
    return replace(line, level=level + ahead, residue=exact - level)


def _forgoes(entry: Allocation, left: Fraction, line: Line) -> Allocation | None:
    """Give up the leader's part of what the follower has not got yet of an entry that the leader has filled."""
    if entry.ratio is None:
        exited = (entry.leader_entered - entry.exited) * (1 - left)
        return replace(entry, exited=entry.exited + exited) if exited else None
    filled = whole_lots(_exact_filled(entry), line.lot_size)
    waiting = max(0, min(filled, entry.wanted) - entry.forgone - entry.counted)
    given_up = waiting - whole_lots(waiting * left, line.lot_size)
    return replace(entry, forgone=entry.forgone + given_up) if given_up else None


def follower_filled(
    line: Line, allocation: Allocation, part: Part, before: int, after: int, product: Product | None = None
) -> tuple[Line, Allocation]:
    """Count the follower's own fills, ``before`` and ``after`` of that part of the leader's order.

    What he gets of an entry beyond what was left for him does not belong to the level: it is overdue at once.
    ``product`` is the order's, None for the line's own.
    """
    sign, more = allocation.side.sign, after - before
    if part in (Part.EXIT, Part.CLOSE) and product is not None:
        line = _moved(line, product, more * sign)
    if part is Part.TWIN:  # the ledger does not hold it, and it is not to stay
        return line, replace(allocation, excess=allocation.excess + more, doubled=allocation.doubled + more)
    if part is Part.FLATTEN:
        undone = min(more, allocation.doubled)
        line = replace(line, held=line.held - (more - undone) * sign)
        return line, replace(allocation, doubled=allocation.doubled - undone)
    there = max(0, -line.held * sign)
    if part is Part.EXIT:  # an entry of the other side may have filled before it, out of what was to be left
        there += max(0, line.level * sign - line.lost - max(0, line.held * sign))
    line = replace(line, held=line.held + more * sign)
    if part is Part.CLOSE:
        return line, allocation
    if part is Part.EXIT:
        return line, replace(allocation, excess=allocation.excess + max(0, more - there))
    counted = min(after, max(allocation.counted, allocation.due)) if allocation.forgone else after
    line = replace(line, level=line.level + (counted - allocation.counted) * sign)
    return line, replace(allocation, counted=counted)


def exit_shares(line: Line, exits: Sequence[Working], held: int) -> Mapping[str, int]:
    """Return how many units each exit's order is yet to take from the ``held`` ones, by leader order id.

    ``exits`` are in the order in which they were first seen; ``held`` is not signed. What the leader has already left
    goes to the exits that took him out. The rest is levelled along each chain by what the leader would have left.
    """
    direction = _sign(line.held)
    belongs = min(held, max(0, line.level * direction))
    exits = [exit_ for exit_ in exits if exit_.side.sign == -direction]
    shares = _overdue_shares(exits, held - belongs)
    position = max(0, line.leader_position * direction)
    exact = (line.level + line.residue) * direction
    for is_stop in (False, True):
        chain = [exit_ for exit_ in exits if exit_.is_stop is is_stop]
        chain.sort(key=lambda exit_: not exit_.at_market)
        top = held - sum(shares[exit_.leader_order_id] for exit_ in chain)
        left = position
        for exit_ in chain:
            if not exit_.leader_open:
                continue
            left = max(0, left - exit_.leader_open)
            bottom = min(top, whole_lots(exact, line.lot_size, left, position)) if position else 0
            shares[exit_.leader_order_id] += top - bottom
            top = bottom
    return shares


def _overdue_shares(exits: Sequence[Working], overdue: int) -> dict[str, int]:
    """Share out what the follower should already have left: to exits that rest for it, the rest to the latest."""
    shares = dict.fromkeys((exit_.leader_order_id for exit_ in exits), 0)
    took_out = [exit_ for exit_ in exits if exit_.has_filled and not exit_.is_final]
    for exit_ in took_out:
        is_latest = exit_ is took_out[-1]
        share = overdue if is_latest else min(overdue, exit_.open)
        shares[exit_.leader_order_id] = share
        overdue -= share
    return shares


def closed_elsewhere(line: Line, held: int, by_product: Mapping[Product, int]) -> Line:
    """Return the line where only ``held`` units (not signed) are left: the follower, or his broker, closed the rest.

    ``by_product`` is how many units are left in each product of the line.
    """
    direction = _sign(line.held)
    lost = line.lost + abs(line.held) - held
    elsewhere = tuple((product, left * direction) for product, _ in line.elsewhere if (left := by_product[product]))
    level = min(abs(line.level), held) * direction
    return replace(line, lost=lost, held=held * direction, level=level, elsewhere=elsewhere)


def found_again(line: Line, units: int) -> Line:
    """Return the line with units (signed) that were taken for closed by other hands and are there all the same.

    They belong to the level again as long as the leader has a position.
    """
    level = line.level + units if line.leader_position * units > 0 else line.level
    return replace(line, lost=line.lost - abs(units), held=line.held + units, level=level)


def filled_beside_leader(line: Line, order: Order) -> Line:
    """Return the line where an order with an id of ours has filled on the leader's account, as far as it is told."""
    others = tuple(one for one in line.not_his if one.order_id != order.id)
    told = NotHis(order.id, trade_date(order), order.filled_quantity * order.side.sign)
    return replace(line, not_his=(*others, told))


def with_days_before_as_one(line: Line, day: date) -> Line:
    """Return the line where it is forgotten which orders filled what is not the leader's before a trading day."""
    before = [one for one in line.not_his if one.day < day]
    if len(before) < 2:
        return line
    units, since = sum(one.units for one in before), max(one.day for one in before)
    left = tuple(one for one in line.not_his if one.day >= day)
    return replace(line, not_his=(NotHis("", since, units), *left) if units else left)


def moved_by_follower(line: Line, source: Product, target: Product, units: int) -> Line:
    """Return the line where the follower has converted units (signed) of it from one product to another."""
    return _moved(_moved(line, source, -units), target, units)


def _moved(line: Line, product: Product, units: int) -> Line:
    """Return the line with so many more of its units (signed) in another product than its own."""
    if product is line.key.product:
        return line
    elsewhere = dict(line.elsewhere)
    elsewhere[product] = elsewhere.get(product, 0) + units
    return replace(line, elsewhere=tuple((kind, left) for kind, left in elsewhere.items() if left))


def moved_by_leader(source: Line, target: Line, units: int) -> tuple[Line, Line]:
    """Return both lines where the leader has converted units (signed) from the one to the other.

    The follower's share moves with its level, in whole lots; where all is converted, all of it. It stays in the product
    in which the account has it.
    """
    share = Fraction(units, source.leader_position) if source.leader_position else Fraction(1)
    share = min(max(share, NO_UNITS), Fraction(1))
    exact = (source.level + source.residue) * share
    level = whole_lots(abs(exact), source.lot_size) * (1 if exact > 0 else -1)
    held = source.held if share == 1 else min(abs(source.held), abs(level)) * _sign(source.held)
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
    for product, some in taken.items():
        if some:
            target_after = _moved(target_after, product, some)
    return source_after, target_after


def scaled(line: Line, factor: Fraction) -> Line:
    """Return the line after a split or a bonus: every share has become ``factor`` shares."""
    exact = line.level * factor
    return replace(
        line,
        leader_position=int(line.leader_position * factor),
        held=int(line.held * factor),
        level=int(exact),
        residue=line.residue * factor + (exact - int(exact)),
        elsewhere=tuple((product, int(units * factor)) for product, units in line.elsewhere),
    )


def corrected(line: Line, leader_position: int) -> Line:
    """Return the line with the leader's position as it really is: what he did while nobody looked, or an expiry."""
    before, after = abs(line.leader_position), abs(leader_position)
    is_less = leader_position * line.leader_position <= 0 or after < before
    if before and is_less:
        left = Fraction(after, before) if leader_position * line.leader_position > 0 else NO_UNITS
        line = _brought_down(line, left)
    return replace(line, leader_position=leader_position)


def whole_lots(quantity: Fraction | int, lot_size: int, share: int = 1, of: int = 1) -> int:
    """Return a ``share`` ``of`` a quantity rounded down to whole lots, never below none."""
    return max(0, quantity.numerator * share // (quantity.denominator * of * lot_size)) * lot_size


def _signed(quantity: Fraction, side: Side) -> Fraction:
    return quantity if side is Side.BUY else -quantity


def _sign(position: int) -> int:
    return (position > 0) - (position < 0)
