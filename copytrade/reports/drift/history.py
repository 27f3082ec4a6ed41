"""What the database has of followers to explain by it how their accounts drift."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import peewee

from copytrade.core.ledger.drift.causes import Drift, Fill, LeaderOrder
from copytrade.core.ledger.drift.explanation import explained
from copytrade.core.ledger.drift.netted import by_line
from copytrade.core.model.copies import Copy
from copytrade.core.model.ledger import Allocation, Line, LineKey, Part
from copytrade.core.model.orders import InstrumentKey, Product, Segment
from copytrade.reports.snapshot import leader_names, rows_of
from copytrade.storage.rows import read_allocation, read_copy, read_line


def lines_of(connection: peewee.Database, follower: str) -> list[Line]:
    """Return a follower's ledger."""
    return [read_line(state, leader) for _, state, leader in _of(connection, "ledger", [follower])]


def drifts_of(connection: peewee.Database, follower: str, net: Mapping[LineKey, int]) -> list[Drift]:
    """Explain the drift of each line of a follower from the database and the account's ``net`` positions."""
    return drifts_from(histories_of(connection, [follower])[follower], net)


@dataclass(frozen=True, slots=True)
class History:
    """What the database has of a follower to explain its drift by.

    ``fills`` are the leader's, and those of the follower's entries, in the order of their arrival. ``by_hand`` are the
    filled orders of its account that no copier sent, as text.
    """

    lines: list[Line] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    allocations: list[Allocation] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    by_hand: defaultdict[LineKey, list[str]] = field(default_factory=lambda: defaultdict(list))


def histories_of(connection: peewee.Database, followers: Sequence[str]) -> dict[str, History]:
    """Return the histories of several followers; each table is gone through once."""
    found = {name: History() for name in followers}
    for name, state, leader in _of(connection, "ledger", followers):
        found[name].lines.append(read_line(state, leader))
    for name, state, leader in _of(connection, "copy_mappings", followers):
        found[name].copies.append(read_copy(state, leader))
    for name, state, leader in _of(connection, "allotments", followers):
        found[name].allocations.append(read_allocation(state, leader))
    _add_fills(connection, found)
    _add_what_was_done_by_hand(connection, found)
    return found


def drifts_from(history: History, net: Mapping[LineKey, int]) -> list[Drift]:
    """Explain the drift of each line of a follower by its history and the account's ``net`` positions."""
    lines = {line.key: line for line in history.lines}
    by_order: defaultdict[str, list[Copy]] = defaultdict(list)
    for copy in history.copies:
        by_order[copy.leader_order_id].append(copy)
    orders: defaultdict[LineKey, list[LeaderOrder]] = defaultdict(list)
    for one in sorted(history.allocations, key=lambda one: (one.created_at, one.leader_order_id)):
        orders[one.line].append(LeaderOrder(one, by_order[one.leader_order_id]))
    of_lines, by_hand = by_line(net, lines.values(), history.allocations), history.by_hand
    keys = sorted({*lines, *(key for key, units in of_lines.items() if units)}, key=str)
    return [
        explained(lines.get(key) or Line(key), orders[key], history.fills, of_lines[key], by_hand[key.account])
        for key in keys
    ]


def _of(connection: peewee.Database, table: str, followers: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return the state of each row of a table, with whose row it is and which leader's, "" where there is only one."""
    some, whose = ", ".join("?" * len(followers)), leader_names(connection)
    query = f"SELECT follower, state, leader FROM {table} WHERE follower IN ({some})"  # noqa: S608 (our own words)
    rows = rows_of(connection, query, *followers)
    return [(str(name), str(state), whose.known(str(leader))) for name, state, leader in rows]


def _add_fills(connection: peewee.Database, histories: Mapping[str, History]) -> None:
    """Add the leader's fills to all histories, and each follower's own to its own."""
    entries = {
        (name, copy.order_id): copy.leader_order_id
        for name, history in histories.items()
        for copy in history.copies
        if copy.order_id and copy.part is Part.ENTRY
    }
    some = ", ".join("?" * len(histories))
    query = (
        f"SELECT account, order_id, event_data FROM order_events WHERE account IN ({some})"  # noqa: S608 (our own words)
        " OR account IN (SELECT account FROM orders WHERE account_type = 'leader') ORDER BY id"
    )
    of_leaders = rows_of(connection, "SELECT DISTINCT account FROM orders WHERE account_type = 'leader'")
    leaders = {account for (account,) in of_leaders}
    filled: defaultdict[tuple[str, str], int] = defaultdict(int)
    for account, order_id, event in rows_of(connection, query, *histories):
        units = json.loads(event).get("filled_quantity", 0) - filled[account, order_id]
        filled[account, order_id] += units
        own, copied = histories.get(account), entries.get((account, order_id))
        if not units:
            continue
        if own is not None and copied is not None:
            own.fills.append(Fill(copied, units, by_copying=True))
        elif account in leaders:
            for history in histories.values():
                history.fills.append(Fill(order_id, units))


def _add_what_was_done_by_hand(connection: peewee.Database, histories: Mapping[str, History]) -> None:
    query = (
        "SELECT account, id, exchange_segment, security_id, product, side, filled_quantity, trade_date FROM orders"
        " WHERE filled_quantity > 0 AND correlation_id NOT LIKE ? ORDER BY created_at, id"
    )
    for account, order_id, segment, security_id, product, side, filled, day in rows_of(connection, query, "ct-%"):
        if account in histories:
            key = LineKey(InstrumentKey(Segment(segment), security_id), Product(product))
            histories[account].by_hand[key].append(f"{side} {filled} by order {order_id} of {day}")
