"""A replay of a line's fills: which units of each leader order the follower has not got, and why."""

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction

from copytrade.core.ledger.arithmetic.lots import whole_lots
from copytrade.core.ledger.drift.causes import RESTS, UNDECIDED, Cause, Fill, LeaderOrder, Share
from copytrade.core.model.copies import Copy, MappingStatus, Stage
from copytrade.core.model.ledger import NO_UNITS, Line, Part


class Replay:
    """Replays the fills, and keeps what the follower has not got of each leader order.

    ``expected`` is the follower's share of the leader's position: each fill of an entry adds its order's share, each
    exit reduces it in proportion. An order that is not sized by itself has the ratio of the line. What the follower
    enters on a side that the leader has not reached is kept apart until he has left the other.
    """

    def __init__(self, line: Line, orders: Sequence[LeaderOrder]) -> None:
        self._line = line
        self._of_line = line.ratio.value if line.ratio else NO_UNITS
        self.expected = NO_UNITS
        self._orders = {order.allocation.leader_order_id: order for order in orders}
        self._missing = dict.fromkeys(self._orders, NO_UNITS)
        self._not_theirs: dict[Cause, Fraction] = {}
        self._ahead = dict.fromkeys(self._orders, NO_UNITS)
        self._counted: Counter[Fill] = Counter()
        self._position = 0

    def run(self, fills: Iterable[Fill]) -> None:
        """Replay the fills; counted units that are not among them are assumed to have filled at the end."""
        if self._orders:
            self._move(next(iter(self._orders.values())).allocation.base, Cause.BEFORE_START)
        for fill in fills:
            if fill.leader_order_id in self._orders:
                self._fill(fill)
        for order_id, order in self._orders.items():
            self._fill(Fill(order_id, order.allocation.leader_filled))
            self._fill(Fill(order_id, order.allocation.counted, by_copying=True))
        self._move(self._line.leader_position, Cause.UNSEEN if self._orders else Cause.BEFORE_START)

    def shares(self) -> list[Share]:
        """Return what the follower has not got in the end, and why."""
        shares = [Share(units, cause) for cause, units in self._not_theirs.items()]
        for order_id, missing in self._missing.items():
            order = self._orders[order_id]
            sign = order.allocation.side.sign
            shares.append(Share(-self._ahead[order_id] * sign, Cause.AHEAD))
            for units, cause, detail in _missed(order, self._ratio(order), self._line.lot_size, missing):
                shares.append(Share(-units * sign, cause, detail, "" if cause is Cause.ROUNDING else order_id))
        return shares

    def _ratio(self, order: LeaderOrder) -> Fraction:
        allocation = order.allocation
        if allocation.ratio is not None and (allocation.sized_alone or self._line.ratio is None):
            return allocation.ratio.value
        return self._of_line

    def _fill(self, fill: Fill) -> None:
        allocation = self._orders[fill.leader_order_id].allocation
        whose = fill._replace(units=0)
        units = min(
            fill.units, (allocation.counted if fill.by_copying else allocation.leader_filled) - self._counted[whose]
        )
        self._counted[whose] += units
        sign = allocation.side.sign
        if fill.by_copying:
            is_ahead = self._position * sign < 0
            (self._ahead if is_ahead else self._missing)[fill.leader_order_id] -= units
            return
        exiting = min(units, max(0, -self._position * sign))
        if exiting:
            self._scale(Fraction(abs(self._position) - exiting, abs(self._position)))
        self._position += units * sign
        entered = self._ratio(self._orders[fill.leader_order_id]) * (units - exiting)
        self._missing[fill.leader_order_id] += entered
        self.expected += entered * sign
        self._catch_up()

    def _move(self, position: int, cause: Cause) -> None:
        """Move the leader's position to a value, for a given cause."""
        before, after = self._position, position
        if before and (before * after <= 0 or abs(after) < abs(before)):
            left = Fraction(abs(after), abs(before)) if before * after > 0 else NO_UNITS
            self._scale(left)
            before = after if left else 0
        moved = self._of_line * (after - before)
        self._not_theirs[cause] = self._not_theirs.get(cause, NO_UNITS) - moved
        self.expected += moved
        self._position = position
        self._catch_up()

    def _catch_up(self) -> None:
        """Count what the follower entered on a side once the leader has left the other."""
        for order_id, units in self._ahead.items():
            if units and self._position * self._orders[order_id].allocation.side.sign >= 0:
                self._missing[order_id] += units
                self._ahead[order_id] = NO_UNITS

    def _scale(self, left: Fraction) -> None:
        self.expected *= left
        self._missing = {order_id: units * left for order_id, units in self._missing.items()}
        self._not_theirs = {cause: units * left for cause, units in self._not_theirs.items()}


def _missed(
    order: LeaderOrder, ratio: Fraction, lot_size: int, missing: Fraction
) -> Iterable[tuple[Fraction, Cause, str]]:
    """Yield the causes of an entry's ``missing`` units, in the proportions they had before the leader exited any."""
    if missing < 0:
        yield missing, Cause.AHEAD, ""
        return
    allocation = order.allocation
    exact = ratio * allocation.leader_entered
    whole = whole_lots(exact + allocation.carry, lot_size) if allocation.ratio else exact
    left = max(NO_UNITS, Fraction(whole) - allocation.counted)
    capped = min(left, whole - allocation.wanted) if 0 < allocation.wanted < whole else NO_UNITS
    parts = [
        (exact - whole, Cause.ROUNDING, ""),
        (Fraction(capped), Cause.LIMIT, ""),
        (left - capped, *why_not_copied(order.copies, Part.ENTRY)),
    ]
    total = sum(units for units, _, _ in parts)
    if total:
        yield from ((units * missing / total, cause, detail) for units, cause, detail in parts)
    else:
        yield missing, *why_not_copied(order.copies, Part.ENTRY)


def why_not_copied(copies: Sequence[Copy], part: Part) -> tuple[Cause, str]:
    """Return why a part of a leader order is not wholly copied."""
    mine = [copy for copy in copies if copy.part is part and copy.stage is not Stage.NONE]
    if any(copy.is_open for copy in mine):
        return Cause.UNFILLED, RESTS
    if mine:
        last = max(mine, key=lambda copy: copy.n)
        cause = Cause.REFUSED if last.status is MappingStatus.FAILED else Cause.UNFILLED
        return cause, last.reason or last.status
    reasons = [copy.reason for copy in copies if copy.stage is Stage.NONE and copy.reason]
    return (Cause.SKIPPED, reasons[0]) if reasons else (Cause.UNFILLED, UNDECIDED)
