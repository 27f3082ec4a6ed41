"""Sold legs of which a follower got something before he had anything of their hedges."""

from collections import Counter
from datetime import datetime

from bench.histories.oracle.account import Account
from bench.histories.oracle.evidence import Evidence
from bench.histories.oracle.roles import roles_of
from bench.histories.oracle.rows import DEAD, Row, leader_order_of, line_of, sign_of

#: Seconds within which an update of the leader's reaches every follower.
_TOLD_WITHIN = 0.2

_STAMP = "%Y-%m-%d %H:%M:%S"


def uncovered(leader: Account, account: Account, evidence: Evidence) -> list[str]:
    """Return the sold legs that a follower got any of while one of their hedges had not filled for him at all.

    Hedges are what the leader bought to enter in the same underlying, at most ``group_within`` seconds apart from the
    sold leg, before the follower's order for that. Those of which he got nothing himself do not count.
    """
    if not evidence.group_within:
        return []
    roles = roles_of(leader)
    entries = {order_id: order for order_id, order in leader.orders.items() if roles[order_id] != "exit"}
    found = []
    for order_id, sold in entries.items():
        underlying = evidence.underlyings.get(line_of(sold)[0])
        if sign_of(sold) > 0 or underlying is None:
            continue
        hedges = [
            other
            for other, order in entries.items()
            if sign_of(order) > 0
            and evidence.underlyings.get(line_of(order)[0]) == underlying
            and abs(_placed(order) - _placed(sold)) <= evidence.group_within
            and not (order["orderStatus"] in DEAD and not order["filledQty"])
        ]
        sent = min(
            (account.placed[one] for one in account.orders if leader_order_of(account.orders[one]) == order_id),
            default=0.0,
        )
        found += _before(order_id, [one for one in hedges if leader.placed[one] < sent - _TOLD_WITHIN], account)
    return found


def _before(sold: str, hedges: list[str], account: Account) -> list[str]:
    """Return what is wrong with the copies of a sold leg that have these hedges."""
    got: Counter[str] = Counter()
    for fill in account.fills:
        of = leader_order_of(account.orders[fill.order_id])
        if of is None:
            continue
        got[of] += abs(fill.units)
        lacking = [hedge for hedge in hedges if not got[hedge]]
        if of == sold and lacking:
            return [f"{got[of]} of leader order {sold} were sold without its hedges {', '.join(lacking)}"]
    return []


def _placed(row: Row) -> float:
    return datetime.strptime(str(row["createTime"]), _STAMP).timestamp()  # noqa: DTZ007 (differences alone count)
