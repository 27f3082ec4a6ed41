"""Copies that differ from the leader's order, and leader orders without a row in the database."""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.histories.oracle.account import Account
from bench.histories.oracle.evidence import Evidence
from bench.histories.oracle.rows import DEAD, LIVE, is_ours, leader_order_of

#: Seconds after which a price that the leader's order has left is surely known to be old.
_LEFT_BEFORE = 1.0


def unlike(leader: Account, account: Account) -> list[str]:
    """Return the copies that rest with another price, trigger or type than their leader order."""
    found = []
    for copy in account.orders.values():
        of = leader.orders.get(leader_order_of(copy) or "")
        if of is None or copy["orderStatus"] not in LIVE or of["orderStatus"] not in LIVE:
            continue
        terms, wanted = ([row[name] for name in ("orderType", "price", "triggerPrice")] for row in (copy, of))
        if terms != wanted:
            found.append(f"{copy['correlationId']} rests as {terms}, the leader's as {wanted}")
    return found


def set_back(evidence: Evidence, client_id: str) -> list[str]:
    """Return the copies that had the leader's price and were set back to one that he had left before."""
    prices: dict[str, list[tuple[float, Any]]] = defaultdict(list)
    for change in evidence.changes[evidence.leader]:
        past = prices[str(change["orderId"])]
        if not past or past[-1][1] != change["price"]:
            past.append((change["at"], change["price"]))
    last: dict[str, Any] = {}
    found = []
    for change in evidence.changes[client_id]:
        before, now = last.get(change["orderId"]), change["price"]
        last[change["orderId"]] = now
        theirs = prices.get(leader_order_of(change) or "", [])
        known = [price for at, price in theirs if at <= change["at"]]
        left = max((at for (_, old), (at, _) in pairwise(theirs) if old == now), default=change["at"])
        if before not in (None, now) and known and before == known[-1] != now and change["at"] - left > _LEFT_BEFORE:
            found.append(f"{change['correlationId']} was set back from {before} to {now}")
    return found


def orphans(leader: Account, account: Account) -> list[str]:
    """Return the copies that rest although their leader order is over."""
    found = []
    for order in account.orders.values():
        if order["orderStatus"] not in LIVE or not is_ours(order):
            continue
        of = leader.orders.get(leader_order_of(order) or "")
        if of is None or of["orderStatus"] in DEAD:
            state = of["orderStatus"] if of else "unknown"
            found.append(f"{order['correlationId']} rests for {order['quantity']}, the leader's is {state}")
    return found


def undisposed(
    leader: Account, name: str, dispositions: Mapping[tuple[str, str], list[str]], *, only_ended: bool = False
) -> list[str]:
    """Return the leader orders without a row for a follower, and those that are over and still pending in it.

    With ``only_ended`` one that still rests needs no row.
    """
    found = []
    for order_id, order in leader.orders.items():
        statuses = dispositions.get((order_id, name), [])
        if not statuses and not (only_ended and order["orderStatus"] in LIVE):
            found.append(f"leader order {order_id} has no row")
        elif order["orderStatus"] in DEAD and "pending" in statuses:
            found.append(f"leader order {order_id} is pending for ever")
    return found


def dispositions(database: str) -> dict[tuple[str, str], list[str]]:
    """Return the statuses in the copier's database, by leader order and follower."""
    if not Path(database).exists():
        return {}
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)
    try:
        for order_id, follower, status in connection.execute(
            "SELECT leader_order_id, follower, status FROM copy_mappings"
        ):
            found[str(order_id), follower].append(status)
    except sqlite3.OperationalError:
        return {}  # there are no tables yet
    finally:
        connection.close()
    return found
