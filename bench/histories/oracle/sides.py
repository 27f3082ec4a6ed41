"""The side and the time of fills: copies on a side where the leader was not, exits that came late or twice."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable

from bench.histories.oracle.account import Account, Fill
from bench.histories.oracle.evidence import Evidence
from bench.histories.oracle.rows import LineKey, Row, is_ours, line_of, sign_of

#: Seconds within which an exit has to have been filled.
_AT_ONCE = 8.0


def late_exits(leader: Account, account: Account, evidence: Evidence) -> list[str]:
    """Return the lines that the leader left for good, and a follower long after it could have known."""
    found = []
    for key in {fill.line for fill in leader.fills}:
        mine = [fill for fill in leader.fills if fill.line == key]
        if sum(fill.units for fill in mine) or key[0] in evidence.converted:
            continue
        left = mine[-1].at
        last = max((fill.at for fill in account.fills if fill.line == key), default=left)
        known = max([left, *(up for up in evidence.ups if left < up < last)])
        if last - known > _AT_ONCE:
            found.append(f"{key} was left {last - known:.1f} s after it could have been")
    return found


def other_side(leader: Account, account: Account, evidence: Evidence) -> list[str]:
    """Return the lines on which copies came to a side where the leader had not been, and had no order to get there.

    Products of a contract that somebody converted are one line.
    """
    converted = set(evidence.converted)
    been: dict[LineKey, list[tuple[float, int]]] = defaultdict(list)
    for line, sides in _sides(leader, evidence.changes[evidence.leader]).items():
        been[_whole(line, converted)] += sides
    positions: Counter[LineKey] = Counter()
    for fill in leader.fills:
        positions[_whole(fill.line, converted)] += fill.units
    held: Counter[LineKey] = Counter()
    wrong: dict[LineKey, Fill] = {}
    worst: dict[LineKey, str] = {}
    for fill in account.fills:
        if fill.order_id in evidence.hands:
            continue
        line = _whole(fill.line, converted)
        held[line] += fill.units
        units = held[line]
        right = {side for at, side in been[line] if at <= fill.at}
        if since := wrong.get(line):
            if fill.at - since.at > evidence.forgiven:
                worst.setdefault(line, f"{units} of {line} from {since.at:.3f} to {fill.at:.3f}")
            if not units or (1 if units > 0 else -1) in right:
                del wrong[line]
        elif units and (1 if units > 0 else -1) not in right:
            wrong[line] = fill
            if not evidence.forgiven:
                worst.setdefault(line, f"{units} of {line} at {fill.at:.3f}")
    for key, units in held.items():
        position = positions[key]
        if units * position < 0 or key in wrong:
            worst.setdefault(key, f"{units} of {key} in the end, the leader {position}")
    return list(worst.values())


def _whole(line: LineKey, converted: set[str]) -> LineKey:
    """Return the line, or for a contract that somebody converted one line for all its products."""
    return (line[0], "any product") if line[0] in converted else line


def closed_twice(account: Account, evidence: Evidence) -> list[str]:
    """Return the lines that a copy closed while a resting order of the broker's was about to close them.

    A copy may be sent before that order can be known, and once it has waited for long enough.
    """
    found = []
    first = {str(fill.order_id): fill.at for fill in reversed(account.fills)}
    for order_id in evidence.square_offs:
        if order_id not in first:
            continue  # not this account's, or never filled
        closing = account.orders[order_id]
        net = sum(fill.units for fill in account.fills if fill.line == line_of(closing))
        placed, filled = account.placed[order_id], first[order_id]
        sent = [
            account.placed[copy_id]
            for copy_id, copy in account.orders.items()
            if is_ours(copy) and line_of(copy) == line_of(closing) and sign_of(copy) == sign_of(closing)
        ]
        if net * sign_of(closing) > 0 and any(placed + 0.7 < at < filled for at in sent) and filled - placed < 4.5:
            found.append(f"{net} of {line_of(closing)}: closed by the broker and by a copy sent while that was known")
    return found


def closed_after_expiry(leader: Account, account: Account, evidence: Evidence) -> list[str]:
    """Return the copies that were to close a line after its contract had expired."""
    return [
        f"{copy['correlationId']} was sent {account.placed[order_id] - since:.1f} s after {line_of(copy)} expired"
        for order_id, copy in account.orders.items()
        if (since := evidence.expired.get(line_of(copy)[0])) is not None
        and is_ours(copy)
        and account.placed[order_id] > since
        and leader.position(line_of(copy)) * sign_of(copy) <= 0
    ]


def _sides(leader: Account, changes: Iterable[Row]) -> dict[LineKey, list[tuple[float, int]]]:
    """Return on which sides (+1, -1) the leader was or had an order to get to, each with the time since when."""
    sides: dict[LineKey, list[tuple[float, int]]] = defaultdict(list)
    positions: Counter[LineKey] = Counter()
    for fill in leader.fills:
        positions[fill.line] += fill.units
        if units := positions[fill.line]:
            sides[fill.line].append((fill.at, 1 if units > 0 else -1))
    times, seen = [fill.at for fill in leader.fills], set()
    for change in changes:
        order_id, line, sign = str(change["orderId"]), line_of(change), sign_of(change)
        if order_id in seen or order_id not in leader.orders:
            continue
        seen.add(order_id)
        before = leader.fills[: bisect_right(times, change["at"])]
        position = sum(fill.units for fill in before if fill.line == line)
        if position * sign >= 0 or int(change["quantity"]) > abs(position):
            sides[line].append((change["at"], sign))
    return sides
