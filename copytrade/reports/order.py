"""One leader order: what happened to it at the leader and at each follower, and why."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import peewee

from copytrade.common.redaction import readable
from copytrade.core.model.copies import MappingStatus
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import IST, ZERO
from copytrade.core.model.reasons import MEANINGS, Reason
from copytrade.reports import queries as reading
from copytrade.reports.queries import RecordedCopy, RecordedEvent, RecordedRequest
from copytrade.reports.snapshot import open_to_read, shown
from copytrade.reports.text_table import signed

#: Characters of an answer that are shown.
_ANSWER_SHOWN = 300


class UnknownOrder(Exception):
    """The database has nothing about a leader order of this id: the message says so."""


class _Moment(NamedTuple):
    """One line of a timeline."""

    at: datetime
    name: str
    detail: str


def explain(database: str, leader_order_id: str) -> str:
    """Return the history of a leader order, named by its own id or by that of a copy.

    There is a section for the leader and one per follower, each oldest first.

    Raises UnknownOrder if the database has nothing about it, DatabaseUnusable if it cannot be read.
    """
    with open_to_read(database) as connection:
        leader_order_id = reading.leader_order_of(connection, leader_order_id)
        leader = reading.leader_of(connection, leader_order_id)
        events = reading.events_of(connection, leader, leader_order_id)
        copies = reading.copies_of(connection, leader_order_id)
        timelines = [_timeline(connection, copy) for copy in copies]
    if not events and not copies:
        raise UnknownOrder(f"There is no leader order {leader_order_id} in {shown(database)}.")
    lines = [f"Leader order {leader_order_id}{_instrument(copies, events)}, times of India", "", leader]
    lines += _told(map(_of_event, events)) or ["  nothing was learnt of the order itself"]
    for follower, sections in groupby(zip(copies, timelines, strict=True), key=lambda section: section[0].follower):
        lines += ["", follower]
        for copy, timeline in sections:
            lines += [*_facts(copy), *_told(timeline)]
    if not copies:
        lines += ["", "No follower has decided about it."]
    return "\n".join(lines)


def _instrument(copies: Sequence[RecordedCopy], events: Sequence[RecordedEvent]) -> str:
    if copies and copies[0].side and copies[0].symbol:
        return f": {copies[0].side} {copies[0].symbol}"
    if events:
        order = events[-1].order
        return f": {order['side']} {order.get('symbol') or ' '.join(order['key'])}"
    return ""


def _timeline(connection: peewee.Database, copy: RecordedCopy) -> list[_Moment]:
    """Collect what a follower did about a leader order, and what happened to its own order."""
    moments = [_Moment(copy.created_at, "considered", "")]
    if copy.updated_at != copy.created_at:
        moments.append(_Moment(copy.updated_at, "last change", f"copy {copy.status}"))
    if not copy.correlation_id:
        return moments
    if copy.follower_filled and copy.security_id:
        left, what_it_is = reading.left_by(connection, copy.follower), f"({copy.security_id})"
        moments += [_Moment(at, "left", what) for at, what in left if at > copy.updated_at and what_it_is in what]
    order_ids = {copy.follower_order_id, *reading.orders_of(connection, copy.follower, copy.correlation_id)} - {""}
    moments += map(_of_request, reading.requests_about(connection, copy.follower, copy.correlation_id, *order_ids))
    for order_id in order_ids:
        moments += map(_of_event, reading.events_of(connection, copy.follower, order_id))
    return moments


def _of_event(event: RecordedEvent) -> _Moment:
    order = event.order
    terms = [_terms(order["order_type"], order["quantity"], order.get("price"), order.get("trigger_price"))]
    if filled := order.get("filled_quantity"):
        terms.append(f"filled {filled} at {order.get('average_price', 'an unknown price')}")
    if reason := order.get("reason"):
        terms.append(readable(reason))
    if order["source"] == "book":
        terms.append("read in the order book")
    return _Moment(event.at, event.status, ", ".join(terms))


def _of_request(request: RecordedRequest) -> _Moment:
    """Return a request at the time it was sent: the time of its answer less its duration."""
    body = request.body
    terms = ""
    if "quantity" in body:
        terms = f"{_terms(body.get('orderType'), body['quantity'], body.get('price'), body.get('triggerPrice'))}, "
    answer = "no answer" if request.status_code is None else f"answer {request.status_code}"
    is_taken = request.status_code is not None and 200 <= request.status_code < 300
    response = "" if is_taken else readable(" ".join(request.response.split()))[:_ANSWER_SHOWN]
    return _Moment(
        request.at - timedelta(milliseconds=request.duration_ms),
        f"> {request.action}",
        f"{terms}{answer} after {request.duration_ms:.1f} ms{response and f': {response}'}",
    )


def _terms(order_type: Any, quantity: Any, price: Any, trigger_price: Any) -> str:
    """Return the terms of an order, like ``LIMIT 130 at 100.05``. Prices are rupees; None or 0 means no price."""
    limit = f" at {price}" if Decimal(str(price or 0)) else ""
    trigger = f", trigger {trigger_price}" if Decimal(str(trigger_price or 0)) else ""
    return f"{order_type} {quantity}{limit}{trigger}"


def _facts(copy: RecordedCopy) -> list[str]:
    """Return the facts of a copy, one per line."""
    units = f", {copy.follower_filled} of {copy.follower_quantity} units" if copy.n else ""
    part = f", {copy.part}" if copy.n and copy.part != Part.ENTRY else ""
    facts = [("copy", f"n {copy.n}{part}, {copy.status}{units}")]
    if copy.n:
        order = copy.follower_order_id or "id not known"
        facts.append(("order", f"{order}, correlation id {copy.correlation_id}, modifications {copy.modifications}"))
    if copy.ratio is not None:
        facts.append(("sizing", f"{copy.sizing_strategy}, ratio {copy.ratio:g}: {copy.arithmetic}"))
    if copy.slippage is not None:
        total = copy.slippage * copy.follower_filled * (copy.multiplier or ZERO)
        prices = f"leader {copy.leader_price:.4f}, follower {copy.follower_price:.4f}"
        in_all = f"{signed(total, 2)} in all" if copy.multiplier else "its multiplier is not known"
        facts.append(("slippage", f"{prices}, {signed(copy.slippage, 4)} rupees a unit, {in_all}"))
    if copy.latency_ms is not None:
        filled = f", {copy.fill_ms:.1f} ms to the complete fill" if copy.fill_ms is not None else ""
        facts.append(("latency", f"{copy.latency_ms:.1f} ms from the leader's update to the broker's answer{filled}"))
    if copy.ours_ms is not None:
        ours = f"decision {copy.decision_ms:.1f}, wait for a permit {copy.permit_ms:.1f}, request {copy.request_ms:.1f}"
        facts.append(("of which", f"{ours}; broker {copy.broker_ms:.1f}"))
    if copy.reason is not None:
        facts.append(("reason", f"{copy.reason}: {_meaning(copy.reason)}"))
    if copy.error_message:
        facts.append(("detail" if copy.status == MappingStatus.SKIPPED else "error", readable(copy.error_message)))
    return [f"  {name:<9} {fact}" for name, fact in facts]


def _meaning(reason: str) -> str:
    try:
        return MEANINGS[Reason(reason)]
    except ValueError:
        return "This version does not know what it means."


def _told(moments: Iterable[_Moment]) -> list[str]:
    """Return a line per moment, oldest first, in India's time."""
    return [
        f"  {moment.at.astimezone(IST).replace(tzinfo=None).isoformat(' ', 'milliseconds')}"
        f"  {moment.name:<11}  {moment.detail}".rstrip()
        for moment in sorted(moments, key=attrgetter("at"))
    ]
