"""Drift: how far a follower is from its share of the leader's position, and the cause of every unit of that.

Each entry of the leader may leave a part that the follower has not got (rounding, a skip, a refusal, an unfilled
order); each exit of his reduces all such parts in proportion. What the account holds besides is not the copier's.
Nothing is changed here.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from fractions import Fraction

from copytrade.core.ledger.arithmetic.lots import sign
from copytrade.core.ledger.closing_orders import is_closing
from copytrade.core.ledger.drift.apart import apart
from copytrade.core.ledger.drift.causes import Cause, Drift, Fill, LeaderOrder, Share
from copytrade.core.ledger.drift.replay import Replay, why_not_copied
from copytrade.core.model.ledger import NO_UNITS, Line, Part


def explained(
    line: Line, orders: Sequence[LeaderOrder], fills: Iterable[Fill], net: int, by_hand: Sequence[str] = ()
) -> Drift:
    """Explain the difference between an account's ``net`` position and its share of the leader's, unit by unit.

    ``orders`` are all leader orders of the line, in the order in which they were seen; ``by_hand`` are the ids of the
    account's own orders that no copier sent.
    """
    ratio, expected = line.ratio.value if line.ratio else None, NO_UNITS
    orders, flattening = _apart_from_closing(orders)
    shares: list[Share] = []
    if ratio is not None or any(order.allocation.ratio for order in orders):
        replay = Replay(line, orders)
        replay.run(fills)
        expected = replay.expected
        ratio = expected / line.leader_position if line.leader_position else ratio or NO_UNITS
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


def _apart_from_closing(orders: Sequence[LeaderOrder]) -> tuple[list[LeaderOrder], int]:
    """Return the leader's own orders, and how many units closing orders have closed."""
    own = [order for order in orders if not is_closing(order.allocation.leader_order_id)]
    others = [order for order in orders if is_closing(order.allocation.leader_order_id)]
    return own, sum(copy.filled_quantity for order in others for copy in order.copies)


def _level_shares(line: Line, expected: Fraction, missed: Sequence[Share], exits: int, flattened: int) -> list[Share]:
    """Explain the difference of the level from the replay: closed by command or by other hands, left, and rounding.

    Each exit rounds the level to whole lots.
    """
    gap = line.level + line.ahead - expected - sum(share.units for share in missed)
    direction = sign(line.leader_position) or sign(line.level)
    shares = []
    for units, cause, detail in (
        (line.lost, Cause.EXTERNAL_CLOSE, "written off"),
        (line.left, Cause.LEFT, ""),
        (flattened, Cause.FLATTENED, ""),
    ):
        taken = min(Fraction(units), max(NO_UNITS, -gap * direction)) * -direction
        shares.append(Share(taken, cause, detail))
        gap -= taken
    rest = Cause.ROUNDING if abs(gap) < line.lot_size * (1 + exits) else Cause.UNEXPLAINED
    return [*shares, Share(gap, rest)]


def _overdue(line: Line, orders: Sequence[LeaderOrder], flattening: int) -> list[Share]:
    """Explain what is held beyond the level: an exit that has not filled, or an entry that filled too late.

    If less is held than the level, an exit has filled before the leader's, or everything is being closed.
    """
    units = Fraction(line.held - line.level - line.ahead)
    if units * sign(line.level) < 0:
        return [Share(units, Cause.FLATTENED if flattening else Cause.AHEAD)]
    exits = [order for order in orders if order.allocation.leader_exited]
    if not exits:
        return [Share(units, Cause.AHEAD)]
    return [Share(units, *why_not_copied(exits[-1].copies, Part.EXIT), exits[-1].allocation.leader_order_id)]


def _merged(shares: Iterable[Share]) -> tuple[Share, ...]:
    """Return the shares that are not zero, one for each cause, detail and order."""
    units: defaultdict[tuple[Cause, str, str], Fraction] = defaultdict(Fraction)
    for share in shares:
        units[share.cause, share.detail, share.leader_order_id] += share.units
    return tuple(Share(total, *key) for key, total in units.items() if total)


def _why_uncopied(orders: Sequence[LeaderOrder]) -> tuple[str, ...]:
    reasons = [copy.reason for order in orders for copy in order.copies if copy.reason]
    return tuple(dict.fromkeys(reasons))
