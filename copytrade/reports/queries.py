"""Queries over a database that is open for reading (:mod:`copytrade.reports.snapshot`)."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import peewee

from copytrade.common.redaction import readable
from copytrade.core.ledger.closing_orders import is_closing
from copytrade.core.model.commands import LEAVE, book_delay_key
from copytrade.core.model.copies import Copy, MappingStatus
from copytrade.core.model.orders import InstrumentKey, Product, Segment
from copytrade.core.model.reasons import Reason
from copytrade.reports.snapshot import leader_names, open_to_read, rows_of
from copytrade.storage import copies_table
from copytrade.storage.audit_chain import AUDIT_HEAD, AuditRow, Verdict, verify
from copytrade.storage.database import DatabaseUnusable
from copytrade.storage.intent_log import intended
from copytrade.storage.records import CopyChanged
from copytrade.storage.rows import disposition_key, read_copy, time_text

#: The columns of the leader's order that are read with each copy.
_OF_LEADER = (
    "l.side",
    "COALESCE(NULLIF(l.symbol, ''), l.exchange_segment || ' ' || l.security_id)",
    "l.filled_quantity",
    "l.average_price",
    "l.security_id",
)

_COPIES = (
    f"SELECT {', '.join((*(f'c.{column}' for column in copies_table.COLUMNS), *_OF_LEADER))}"  # noqa: S608 (our own words)
    " FROM copy_mappings c LEFT JOIN orders l"
    " ON l.id = c.leader_order_id AND l.account_type = 'leader' AND l.trade_date = c.trade_date"
)


class RecordedCopy(copies_table.CopyRow, frozen=True, gc=False):
    """A row of ``copy_mappings`` with the leader's order, whose fields are None where it was never written down.

    Rupees are price x quantity x ``multiplier``, None where that was not known.
    """

    side: str | None
    symbol: str | None
    leader_filled: int | None
    leader_average: Decimal | None
    security_id: str | None
    multiplier: Decimal | None

    @property
    def ours_ms(self) -> float | None:
        """The part of the latency that this program took."""
        if self.decision_ms is None or self.permit_ms is None or self.request_ms is None:
            return None
        return self.decision_ms + self.permit_ms + self.request_ms


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """A row of ``order_events``; ``order`` is the order as JSON, without fields at their default."""

    at: datetime
    status: str
    order: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A row of ``audit_log``; ``at`` is when the answer was processed, ``body`` the body of the request."""

    at: datetime
    action: str
    body: dict[str, Any]
    response: str
    status_code: int | None
    duration_ms: float


#: States of a copy that the broker took.
_SENT = (MappingStatus.PLACED, MappingStatus.FILLED, MappingStatus.CANCELLED)


def was_late(copy: copies_table.CopyRow) -> bool:
    """Return whether a copy was sent, but not live: it was taken up again, waited for its account, or was recovered.

    Its delay is neither this program's nor the broker's, so it has no latency. What closes a position copies nothing.
    """
    return copy.status in _SENT and copy.latency_ms is None and not is_closing(copy.leader_order_id)


def went_otherwise(copy: copies_table.CopyRow) -> bool:
    """Return whether a copy was sent, and did not come to its share of the leader's order."""
    if copy.status not in _SENT or copy.reason is None or copy.reason not in Reason.__members__.values():
        return False
    return Reason(copy.reason).is_not_as_the_leader


def copies_on(connection: peewee.Database, day: date) -> list[RecordedCopy]:
    """Return every copy of a trading day, by follower and then by time of creation."""
    where = f"{_COPIES} WHERE c.trade_date = ? ORDER BY c.follower, c.created_at, c.leader_order_id, c.n"
    return [_copy(row) for row in rows_of(connection, where, day.isoformat())]


def copies_changed(connection: peewee.Database, day: date, since: datetime) -> list[RecordedCopy]:
    """Return the copies of a trading day that have changed at or after ``since``."""
    where = f"{_COPIES} WHERE c.trade_date = ? AND c.updated_at >= ?"
    return [_copy(row) for row in rows_of(connection, where, day.isoformat(), time_text(since))]


def copies_of(connection: peewee.Database, leader_order_id: str) -> list[RecordedCopy]:
    """Return every copy of a leader order, by follower and then by time of creation."""
    where = f"{_COPIES} WHERE c.leader_order_id = ? ORDER BY c.follower, c.created_at, c.n"
    return [_copy(row) for row in rows_of(connection, where, leader_order_id)]


def copies_begun(connection: peewee.Database, since: datetime) -> list[RecordedCopy]:
    """Return every copy created at or after ``since``."""
    return [_copy(row) for row in rows_of(connection, f"{_COPIES} WHERE c.created_at >= ?", time_text(since))]


def days_with_copies(connection: peewee.Database) -> list[str]:
    """Return the trading days with copies as ISO dates, the latest first."""
    query = "SELECT DISTINCT trade_date FROM copy_mappings ORDER BY trade_date DESC"
    return [day for (day,) in rows_of(connection, query)]


def events_of(connection: peewee.Database, account: str, order_id: str) -> list[RecordedEvent]:
    """Return the events of an account's order, oldest first."""
    query = "SELECT event_ts, event_type, event_data FROM order_events WHERE order_id = ? AND account = ? ORDER BY id"
    return [
        RecordedEvent(datetime.fromtimestamp(at, UTC), status, json.loads(order))
        for at, status, order in rows_of(connection, query, order_id, account)
    ]


def leader_of(connection: peewee.Database, leader_order_id: str) -> str:
    """Return the name of the leader whose order this is, ``leader`` if the order is not known."""
    query = "SELECT account FROM orders WHERE id = ? AND account_type = 'leader'"
    return next((str(account) for (account,) in rows_of(connection, query, leader_order_id)), "leader")


def leader_order_of(connection: peewee.Database, order_id: str) -> str:
    """Return the leader order that a follower's order copies, by its id or correlation id; else the id itself."""
    query = (
        "SELECT c.leader_order_id FROM copy_mappings c LEFT JOIN orders o"
        " ON o.account = c.follower AND o.correlation_id = c.correlation_id AND o.correlation_id <> ''"
        " WHERE ? IN (c.follower_order_id, c.correlation_id, o.id) AND c.correlation_id <> ''"
    )
    return next((str(found) for (found,) in rows_of(connection, query, order_id)), order_id)


def orders_of(connection: peewee.Database, account: str, correlation_id: str) -> list[str]:
    """Return the ids of an account's orders that carry a correlation id."""
    query = "SELECT id FROM orders WHERE account = ? AND correlation_id = ?"
    return [order_id for (order_id,) in rows_of(connection, query, account, correlation_id)]


def requests_about(connection: peewee.Database, account: str, *names: str) -> list[RecordedRequest]:
    """Return an account's requests that name one of these order ids or correlation ids, oldest first."""
    query = (
        "SELECT id, ts, action, request_data, response_data, status_code, duration_ms"
        " FROM audit_log WHERE account = ? AND request_data LIKE ?"
    )
    found = {}
    for name in filter(None, names):
        for row_id, at, action, request, *answer in rows_of(connection, query, account, f"%{name}%"):
            if name in re.findall(r"[\w-]+", request):  # and not an id that only begins like this one
                found[row_id] = RecordedRequest(datetime.fromtimestamp(at, UTC), action, _body(request), *answer)
    return [found[row_id] for row_id in sorted(found)]


def audit_verdict(connection: peewee.Database) -> Verdict:
    """Verify the chain of the whole audit trail, a row at a time."""
    head = remembered(connection, AUDIT_HEAD)
    rows = connection.execute_sql(
        "SELECT id, action, account, request_data, response_data, status_code, duration_ms, ts, hash"
        " FROM audit_log ORDER BY id"
    )
    return verify((AuditRow(row[0], row[1:-1], row[-1]) for row in rows), head)


def held_by(connection: peewee.Database, follower: str) -> list[str]:
    """Return each position that a follower holds by copying: units, security id and product."""
    query = "SELECT held, security_id, product, leader FROM ledger WHERE follower = ? AND held <> 0"
    called, found = leader_names(connection), []
    for held, security_id, product, leader in rows_of(connection, query, follower):
        whose = f" by {name}" if (name := called.known(leader)) else ""
        found.append(f"{held} of {security_id} {product}{whose}")
    return found


def holds_shares(database: str) -> bool:
    """Return whether any follower holds shares for delivery by copying; False without a database."""
    query = "SELECT 1 FROM ledger WHERE held <> 0 AND product = ? AND exchange_segment IN (?, ?)"
    try:
        with open_to_read(database) as connection:
            return bool(rows_of(connection, query, Product.CNC, Segment.NSE_EQ, Segment.BSE_EQ))
    except DatabaseUnusable:
        return False


def book_delay_on(database: str, leader: str, day: date) -> timedelta:
    """Return by how much a leader's order book was late on a day; zero where that is unknown."""
    try:
        with open_to_read(database) as connection:
            kept_on, _, seconds = (remembered(connection, book_delay_key(leader)) or "").partition(" ")
    except DatabaseUnusable:
        return timedelta(0)
    return timedelta(seconds=float(seconds)) if kept_on == str(day) else timedelta(0)


def requests_since(connection: peewee.Database, moment: datetime) -> dict[str, int]:
    """Return how many requests each account has sent since ``moment``, or was about to send.

    A copy in the intent log counts as one request: it may have been sent, and is not in ``audit_log`` yet.
    """
    query = "SELECT account, count(*) FROM audit_log WHERE ts >= ? GROUP BY account"
    sent = Counter[str](dict(rows_of(connection, query, moment.timestamp())))
    about = [one.copy for one in intended(connection.cursor()) if isinstance(one, CopyChanged) and one.at >= moment]
    sent.update({(disposition_key(copy), copy.n): copy.follower for copy in about if copy.n}.values())
    return sent


def left_by(connection: peewee.Database, follower: str) -> list[tuple[datetime, str]]:
    """Return when a follower's copies were left in the account as his own, and what they were."""
    query = "SELECT answered_at, answer FROM commands WHERE name = ? AND follower = ? AND is_done = 1 ORDER BY id"
    return [(datetime.fromtimestamp(at, UTC), answer) for at, answer in rows_of(connection, query, LEAVE, follower)]


def copies_since(connection: peewee.Database, follower: str, day: date) -> list[Copy]:
    """Return a follower's copies of the trading days from ``day`` on."""
    query = "SELECT state, leader FROM copy_mappings WHERE follower = ? AND trade_date >= ?"
    whose = leader_names(connection)
    rows = rows_of(connection, query, follower, day.isoformat())
    return [read_copy(state, whose.known(leader)) for state, leader in rows]


def symbols(connection: peewee.Database) -> dict[InstrumentKey, str]:
    """Return the known symbols by instrument: one each, although frames and rows spell some differently."""
    query = (
        "SELECT exchange_segment, security_id, MIN(symbol) FROM orders WHERE symbol <> ''"
        " GROUP BY exchange_segment, security_id"
    )
    rows = rows_of(connection, query)
    return {InstrumentKey(Segment(segment), security_id): readable(symbol) for segment, security_id, symbol in rows}


def remembered(connection: peewee.Database, key: str) -> str | None:
    """Return a value of ``config``, None where there is none."""
    return dict(rows_of(connection, "SELECT key, value FROM config WHERE key = ?", key)).get(key)


def _copy(row: tuple[Any, ...]) -> RecordedCopy:
    width = len(copies_table.COLUMNS)
    side, symbol, filled, average, security_id = row[width:]
    return RecordedCopy(
        **copies_table.read(row[:width]),
        side=side,
        symbol=None if symbol is None else readable(symbol),
        leader_filled=filled,
        security_id=security_id,
        leader_average=None if average is None else Decimal(str(average)),
        multiplier=read_copy(row[copies_table.COLUMNS.index("state")]).multiplier,
    )


def _body(request: str) -> dict[str, Any]:
    """Return the body of a request that is stored as method, path and JSON."""
    _, _, body = request.partition("{")
    try:
        fields: dict[str, Any] = json.loads("{" + body)
    except ValueError:
        return {}
    return fields
