"""A day's leader orders with what each follower did about them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec
import peewee

from copytrade.core.model.copies import MappingStatus
from copytrade.core.model.orders import InstrumentKey, Segment
from copytrade.core.model.reasons import MEANINGS, Reason
from copytrade.reports.queries import RecordedCopy, went_otherwise
from copytrade.reports.snapshot import rows_of

#: How a follower's copies of one order count, the worst first.
_FAILED, _OTHERWISE, _COPIED, _SKIPPED = "failed", "otherwise", "copied", "skipped"


class CopyOf(msgspec.Struct, frozen=True):
    """What a follower did about a leader order. Prices are rupees a unit, ``latency_ms`` milliseconds."""

    follower: str
    n: int
    part: str
    status: str
    reason: str
    meaning: str
    detail: str
    order_id: str
    quantity: int
    filled: int
    price: float | None
    slippage_rupees: float | None
    slippage_bps: float | None
    latency_ms: float | None
    updated_at: str


class LeaderOrder(msgspec.Struct, frozen=True):
    """A leader order, and how many of the followers that looked at it have copied, skipped or failed it.

    ``otherwise``: it was copied, and did not come to the follower's share.
    """

    id: str
    leader: str
    at: str
    symbol: str
    side: str
    order_type: str
    product: str
    status: str
    quantity: int
    filled: int
    price: float
    trigger_price: float
    average_price: float
    copied: int
    skipped: int
    failed: int
    otherwise: int
    of: int
    copies: list[CopyOf]


def orders_on(
    connection: peewee.Database, day: date, copies: Iterable[RecordedCopy], named: Mapping[InstrumentKey, str]
) -> list[LeaderOrder]:
    """Return the leader's orders of a trading day, the latest first. ``copies`` are those of the day."""
    query = (
        "SELECT exchange_segment, security_id, id, account, created_at, side, order_type, product, status, quantity,"
        " filled_quantity, price, trigger_price, average_price"
        " FROM orders WHERE account_type = 'leader' AND trade_date = ? ORDER BY created_at DESC, id DESC"
    )
    by_order: defaultdict[str, list[RecordedCopy]] = defaultdict(list)
    for copy in copies:
        by_order[copy.leader_order_id].append(copy)
    found = []
    for segment, security_id, order_id, leader, at, *terms in rows_of(connection, query, day.isoformat()):
        symbol = named.get(InstrumentKey(Segment(segment), security_id), f"{segment} {security_id}")
        found.append(_order((order_id, leader, at, symbol, *terms), by_order[order_id]))
    return found


def copy_of(copy: RecordedCopy) -> CopyOf:
    """Return a copy as it is shown."""
    return CopyOf(
        follower=copy.follower,
        n=copy.n,
        part=copy.part,
        status=copy.status,
        reason=copy.reason or "",
        meaning=meaning_of(copy.reason),
        detail=copy.error_message,
        order_id=copy.follower_order_id,
        quantity=copy.follower_quantity,
        filled=copy.follower_filled,
        price=None if copy.follower_price is None else float(copy.follower_price),
        slippage_rupees=None if copy.slippage_rupees is None else float(copy.slippage_rupees),
        slippage_bps=None if copy.slippage_bps is None else float(copy.slippage_bps),
        latency_ms=copy.latency_ms,
        updated_at=copy.updated_at.isoformat(),
    )


def meaning_of(reason: str | None) -> str:
    """Return a reason in plain words, "" for none and for one of another version."""
    try:
        return MEANINGS[Reason(reason)] if reason else ""
    except ValueError:
        return ""


def outcome_of(copies: Sequence[RecordedCopy]) -> str:
    """Return how a follower's copies of an order count together."""
    statuses = {copy.status for copy in copies}
    if MappingStatus.FAILED in statuses:
        return _FAILED
    if any(map(went_otherwise, copies)):
        return _OTHERWISE
    return _SKIPPED if statuses == {MappingStatus.SKIPPED} else _COPIED


def _order(row: tuple[Any, ...], copies: list[RecordedCopy]) -> LeaderOrder:
    by_follower: defaultdict[str, list[RecordedCopy]] = defaultdict(list)
    for copy in copies:
        by_follower[copy.follower].append(copy)
    outcomes = [outcome_of(of_one) for of_one in by_follower.values()]
    terms: dict[str, Any] = dict(zip(LeaderOrder.__struct_fields__, row, strict=False))
    terms |= {name: outcomes.count(name) for name in (_COPIED, _SKIPPED, _FAILED, _OTHERWISE)}
    return LeaderOrder(**terms, of=len(outcomes), copies=list(map(copy_of, copies)))
