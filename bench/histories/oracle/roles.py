"""Whether a leader order is an entry, an exit or both."""

from bisect import bisect_right
from collections import Counter

from bench.histories.oracle.account import Account
from bench.histories.oracle.rows import LIVE, LineKey, line_of, sign_of


def roles_of(leader: Account) -> dict[str, str]:
    """Return ``entry``, ``exit`` or ``both`` by leader order, judged by the position at each fill."""
    roles: dict[str, str] = {}
    positions: Counter[LineKey] = Counter()
    for fill in leader.fills:
        before = positions[fill.line]
        positions[fill.line] = before + fill.units
        role = "entry" if before * fill.units >= 0 else "exit"
        roles[fill.order_id] = role if roles.get(fill.order_id, role) == role else "both"
    # An order without a fill is both if the leader held the other side at some time while it could fill.
    for order_id, order in leader.orders.items():
        if order_id not in roles:
            at = [fill.at for fill in leader.fills]
            rests = order["orderStatus"] in LIVE
            seen = leader.fills if rests else leader.fills[: bisect_right(at, order["at"])]
            held = {sum(f.units for f in seen[:n] if f.line == line_of(order)) for n in range(len(seen) + 1)}
            roles[order_id] = "both" if any(units * sign_of(order) < 0 for units in held) else "entry"
    return roles
