"""Drift: how far a follower is from what the leader's position comes to for it, and what every unit of that is due to.

Each fill of a leader's entry leaves something behind that the follower has not got (rounding, a skip, a refusal, an
order that has not filled), each of his exits takes the same proportion of all of it away. What the account holds
besides is not the copier's. Nothing here changes anything.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

import msgspec

from copytrade.core.ledger.arithmetic import whole_lots
from copytrade.core.ledger.closing_orders import is_closing
from copytrade.core.model.copies import Copy, MappingStatus, Stage
from copytrade.core.model.ledger import Allocation, Line, LineKey, Part

_NOTHING = Fraction(0)

#: Details of what is not over yet.
RESTS, UNDECIDED = "rests", "not decided yet"


class Cause(StrEnum):
    """What a difference is due to."""

    BEFORE_START = "before_start"  #: the leader held it before copying began
    UNSEEN = "unseen"  #: the leader's position changed without an order that was seen
    ROUNDING = "rounding"  #: kept back by rounding down to whole lots
    LIMIT = "limit"  #: the settings allow no more: lots, max_lots, max_order_value
    SKIPPED = "skipped"  #: the reason says why
    REFUSED = "refused"  #: by the broker or the exchange
    UNFILLED = "unfilled"  #: the follower's order rests, or ended without a fill
    AHEAD = "ahead"  #: the follower has filled what the leader has not, or not got
    TWIN = "twin"  #: an order that was proven not to exist, did, and is not flattened yet
    EXTERNAL_CLOSE = "external_close"  #: other hands closed what was copied: the follower's, or the broker's
    MANUAL = "manual"  #: other hands traded it: it is not the copier's
    FLATTENED = "flattened"  #: closed by command, or when the day's loss was reached
    UNEXPLAINED = "unexplained"


class Share(msgspec.Struct, frozen=True, gc=False):
    """Units of a difference, signed, and what they are due to. ``detail`` is a reason code or names orders."""

    units: Fraction
    cause: Cause
    detail: str = ""
    leader_order_id: str = ""


class Drift(msgspec.Struct, frozen=True, gc=False):
    """One line of a follower: ``net`` is what the account holds, ``leader`` what he does, ``held`` what was copied.

    ``expected`` is what the leader's position comes to, before any rounding, and ``ratio`` what that is of it. The
    shares add up to ``difference``. Without a ratio nothing was ever sized: ``uncopied`` then says why.
    """

    line: LineKey
    net: int
    held: int
    leader: int
    ratio: Fraction | None
    lot_size: int
    shares: tuple[Share, ...]
    uncopied: tuple[str, ...] = ()
    expected: Fraction = _NOTHING

    @property
    def difference(self) -> Fraction:
        """What the account holds beyond that; negative where it holds less of a long position."""
        return self.net - self.expected


class Proposal(NamedTuple):
    """A leader order that may be taken up again, and for how many whole lots in units: an exit, or an entry."""

    leader_order_id: str
    is_exit: bool
    units: int
    why: str


class Apart(NamedTuple):
    """What an account holds apart from its copies, signed: traded by other hands, and closed of what was copied.

    ``unseen`` is what of it no order tells of.
    """

    line: LineKey
    net: int
    held: int
    manual: int
    closed: int
    unseen: int = 0


class LeaderOrder(msgspec.Struct, frozen=True, gc=False):
    """A leader order as a follower judged it, and what it sent for it."""

    allocation: Allocation
    copies: Sequence[Copy] = ()


class Fill(NamedTuple):
    """Units that the leader got of an order, or a follower ``by_copying`` an entry; in the order of learning of it."""

    leader_order_id: str
    units: int
    by_copying: bool = False


def apart(line: LineKey, net: int, held: int, known: int | None = None) -> Apart:
    """Tell what an account holds beside its copies: ``held`` by copying, ``known`` by all orders, if that is known.

    Against what is held, other hands have closed copies, as far as there are any; everything else is their own.
    """
    other, direction = net - held, _sign(held)
    closed = max(-abs(held), min(0, other * direction)) * direction
    return Apart(line, net, held, other - closed, closed, 0 if known is None else net - known)


def explained(
    line: Line, orders: Sequence[LeaderOrder], fills: Iterable[Fill], net: int, by_hand: Sequence[str] = ()
) -> Drift:
    """Explain what an account's ``net`` position is beyond what the leader's comes to, unit by unit.

    ``orders`` are all leader orders of the line, in the order in which they were seen; ``by_hand`` are the ids of the
    account's own orders that no copier sent.
    """
    ratio, expected = line.ratio.value if line.ratio else None, _NOTHING
    orders, flattening = _apart_from_closing(orders)
    shares: list[Share] = []
    if ratio is not None or any(order.allocation.ratio for order in orders):
        replay = _Replay(line, orders)
        replay.run(fills)
        expected = replay.expected
        ratio = expected / line.leader_position if line.leader_position else ratio or _NOTHING
        shares += replay.shares()
        exits = sum(order.allocation.leader_exited > 0 for order in orders)
        shares += _level_shares(line, expected, shares, exits, flattening)
        shares += _overdue(line, orders, flattening)
    elif line.held:
        shares.append(Share(Fraction(line.held), Cause.UNEXPLAINED))
    twins = sum(order.allocation.doubled * order.allocation.side.sign for order in orders)
    besides = apart(line.key, net - twins, line.held)
    hands = ", ".join(by_hand) if by_hand else "no order of it is known"
    shares += [
        Share(Fraction(twins), Cause.TWIN),
        Share(Fraction(besides.closed), Cause.EXTERNAL_CLOSE, hands),
        Share(Fraction(besides.manual), Cause.MANUAL, hands),
    ]
    uncopied = () if ratio is not None else _why_uncopied(orders)
    return Drift(
        line.key, net, line.held, line.leader_position, ratio, line.lot_size, _merged(shares), uncopied, expected
    )


class _Replay:
    """The fills once more, and what of each leader order the follower has not got after each of them.

    What the leader's position comes to is ``expected``: each fill of an entry adds its order's share, each exit takes
    away in proportion. What is not sized by itself has the ratio of the line.
    """

    def __init__(self, line: Line, orders: Sequence[LeaderOrder]) -> None:
        self._line = line
        self._of_line = line.ratio.value if line.ratio else _NOTHING
        self.expected = _NOTHING
        self._orders = {order.allocation.leader_order_id: order for order in orders}
        self._missing = dict.fromkeys(self._orders, _NOTHING)
        self._not_theirs: dict[Cause, Fraction] = {}
        self._counted: Counter[Fill] = Counter()
        self._position = 0

    def run(self, fills: Iterable[Fill]) -> None:
        """Take the fills in; what they do not tell of an order is taken to have happened at the end."""
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
        """Return what the follower has not got now, and why."""
        shares = [Share(units, cause) for cause, units in self._not_theirs.items()]
        for order_id, missing in self._missing.items():
            order = self._orders[order_id]
            sign = order.allocation.side.sign
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
        if fill.by_copying:
            self._missing[fill.leader_order_id] -= units
            return
        sign = allocation.side.sign
        exiting = min(units, max(0, -self._position * sign))
        if exiting:
            self._scale(Fraction(abs(self._position) - exiting, abs(self._position)))
        self._position += units * sign
        entered = self._ratio(self._orders[fill.leader_order_id]) * (units - exiting)
        self._missing[fill.leader_order_id] += entered
        self.expected += entered * sign

    def _move(self, position: int, cause: Cause) -> None:
        """Bring the leader's position to where it is, whatever moved it."""
        before, after = self._position, position
        if before and (before * after <= 0 or abs(after) < abs(before)):
            left = Fraction(abs(after), abs(before)) if before * after > 0 else _NOTHING
            self._scale(left)
            before = after if left else 0
        moved = self._of_line * (after - before)
        self._not_theirs[cause] = self._not_theirs.get(cause, _NOTHING) - moved
        self.expected += moved
        self._position = position

    def _scale(self, left: Fraction) -> None:
        self.expected *= left
        self._missing = {order_id: units * left for order_id, units in self._missing.items()}
        self._not_theirs = {cause: units * left for cause, units in self._not_theirs.items()}


def _missed(
    order: LeaderOrder, ratio: Fraction, lot_size: int, missing: Fraction
) -> Iterable[tuple[Fraction, Cause, str]]:
    """Yield what the ``missing`` units of an entry are due to, in parts as they were before the leader left any."""
    if missing < 0:
        yield missing, Cause.AHEAD, ""
        return
    allocation = order.allocation
    exact = ratio * allocation.leader_entered
    whole = whole_lots(exact + allocation.carry, lot_size) if allocation.ratio else exact
    left = max(_NOTHING, Fraction(whole) - allocation.counted)
    capped = min(left, whole - allocation.wanted) if 0 < allocation.wanted < whole else _NOTHING
    parts = [
        (exact - whole, Cause.ROUNDING, ""),
        (Fraction(capped), Cause.LIMIT, ""),
        (left - capped, *_why(order.copies, Part.ENTRY)),
    ]
    total = sum(units for units, _, _ in parts)
    if total:
        yield from ((units * missing / total, cause, detail) for units, cause, detail in parts)
    else:
        yield missing, *_why(order.copies, Part.ENTRY)


def _why(copies: Sequence[Copy], part: Part) -> tuple[Cause, str]:
    """Say why a part of a leader order is not wholly copied."""
    mine = [copy for copy in copies if copy.part is part and copy.stage is not Stage.NONE]
    if any(copy.is_open for copy in mine):
        return Cause.UNFILLED, RESTS
    if mine:
        last = max(mine, key=lambda copy: copy.n)
        cause = Cause.REFUSED if last.status is MappingStatus.FAILED else Cause.UNFILLED
        return cause, last.reason or last.status
    reasons = [copy.reason for copy in copies if copy.stage is Stage.NONE and copy.reason]
    return (Cause.SKIPPED, reasons[0]) if reasons else (Cause.UNFILLED, UNDECIDED)


def proposals(drift: Drift) -> list[Proposal]:
    """Return what would bring what was copied to where it belongs: what was skipped, refused, or ended unfilled.

    What other hands did, limits and rounding are left as they are.
    """
    side = _sign(drift.leader) or _sign(drift.held)
    found = []
    for share in drift.shares:
        units = whole_lots(abs(share.units), drift.lot_size)
        has_ended = share.cause in (Cause.SKIPPED, Cause.REFUSED) or (
            share.cause is Cause.UNFILLED and share.detail not in (RESTS, UNDECIDED)
        )
        if units and has_ended:
            why = f"{share.cause} {share.detail}".strip()
            found.append(Proposal(share.leader_order_id, share.units * side > 0, units, why))
    return found


def _apart_from_closing(orders: Sequence[LeaderOrder]) -> tuple[list[LeaderOrder], int]:
    """Return the leader's own orders, and how many units orders have closed that stand for none of his."""
    own = [order for order in orders if not is_closing(order.allocation.leader_order_id)]
    others = [order for order in orders if is_closing(order.allocation.leader_order_id)]
    return own, sum(copy.filled_quantity for order in others for copy in order.copies)


def _level_shares(line: Line, expected: Fraction, missed: Sequence[Share], exits: int, flattened: int) -> list[Share]:
    """Explain what the level is beyond what the replay comes to: closed by command or by other hands, and rounding.

    Each exit brings the level down to whole lots.
    """
    gap = line.level - expected - sum(share.units for share in missed)
    direction = _sign(line.leader_position) or _sign(line.level)
    shares = []
    for units, cause, detail in (
        (line.lost, Cause.EXTERNAL_CLOSE, "written off"),
        (flattened, Cause.FLATTENED, ""),
    ):
        taken = min(Fraction(units), max(_NOTHING, -gap * direction)) * -direction
        shares.append(Share(taken, cause, detail))
        gap -= taken
    rest = Cause.ROUNDING if abs(gap) < line.lot_size * (1 + exits) else Cause.UNEXPLAINED
    return [*shares, Share(gap, rest)]


def _overdue(line: Line, orders: Sequence[LeaderOrder], flattening: int) -> list[Share]:
    """Explain what is held beyond its level: an exit that has not filled, or an entry that filled when it was late.

    Where it is less, an exit has filled before the leader's, or all of it is being closed, which the level follows.
    """
    units = Fraction(line.held - line.level)
    if units * _sign(line.level) < 0:
        return [Share(units, Cause.FLATTENED if flattening else Cause.AHEAD)]
    exits = [order for order in orders if order.allocation.leader_exited]
    if not exits:
        return [Share(units, Cause.AHEAD)]
    return [Share(units, *_why(exits[-1].copies, Part.EXIT), exits[-1].allocation.leader_order_id)]


def _merged(shares: Iterable[Share]) -> tuple[Share, ...]:
    """Return the shares that come to anything, one for each cause, detail and order."""
    units: defaultdict[tuple[Cause, str, str], Fraction] = defaultdict(Fraction)
    for share in shares:
        units[share.cause, share.detail, share.leader_order_id] += share.units
    return tuple(Share(total, *key) for key, total in units.items() if total)


def _why_uncopied(orders: Sequence[LeaderOrder]) -> tuple[str, ...]:
    reasons = [copy.reason for order in orders for copy in order.copies if copy.reason]
    return tuple(dict.fromkeys(reasons))


def _sign(units: int) -> int:
    return (units > 0) - (units < 0)


def all_apart(net: Mapping[LineKey, int], held: Mapping[LineKey, int], known: Mapping[LineKey, int]) -> list[Apart]:
    """Tell of every line on which an account holds something apart from its copies."""
    keys = sorted({*net, *held, *known}, key=str)
    found = [apart(key, net.get(key, 0), held.get(key, 0), known.get(key, 0)) for key in keys]
    return [one for one in found if one.net != one.held or one.unseen]
