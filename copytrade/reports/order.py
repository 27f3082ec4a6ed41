"""One leader order: what happened to it at the leader and at each follower, and why."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import peewee

from copytrade.common.redaction import readable
from copytrade.core.ledger.arithmetic import Part
from copytrade.core.model.copies import MappingStatus
from copytrade.core.model.orders import IST, ZERO
from copytrade.core.model.reasons import Reason
from copytrade.reports import queries as reading
from copytrade.reports.queries import RecordedCopy, RecordedEvent, RecordedRequest
from copytrade.storage.records import LEADER

#: Characters of an answer that are shown.
_ANSWER_SHOWN = 300

MEANINGS: dict[Reason, str] = {
    Reason.OWN_ORDER: "The copier itself placed this order, so it is no order of the leader's to copy.",
    Reason.BEFORE_START: "The leader placed it before copying began, and it left nothing that was copied.",
    Reason.FILTERED_INSTRUMENT: "The settings do not copy this kind, and it left nothing that was copied.",
    Reason.UNKNOWN_INSTRUMENT: "The broker's list lacks the instrument, or its lot there does not fit the order.",
    Reason.UNSUPPORTED: "Orders of this product or kind are not copied, and it left nothing that was copied.",
    Reason.UNREADABLE: "Nothing that the broker tells of the leader's order could be read.",
    Reason.ZERO_LOTS: "The follower's share of the order is less than one lot, and nothing is rounded up.",
    Reason.NO_CAPITAL: "The leader or the follower had no capital at the start of the day to size by.",
    Reason.NO_PRICE: "No price was known by which to hold the order against the follower's limits.",
    Reason.NO_MULTIPLIER: "A commodity or currency contract whose multiplier nobody told: its rupees are not known.",
    Reason.OVER_ORDER_VALUE: "Not even one lot fits into the follower's max_order_value.",
    Reason.BAD_ORDER_ID: "The leader's order id is too long or too odd for the broker to take in a correlation id.",
    Reason.COPYING_DISABLED: "Copying was switched off for this follower.",
    Reason.POISON: "Handling the order crashed the follower again and again, so it was set aside.",
    Reason.SECOND_COPIER: "Orders with our ids that we did not send were seen, so nothing more is entered.",
    Reason.ACCOUNT_SUSPENDED: "The broker refused the follower's access, so nothing could be sent for the account.",
    Reason.BUDGET: "The account's request budget was used up, but for what is kept for leaving.",
    Reason.MISSED_TOO_OLD: "It had filled unseen, too long ago to be copied at a price near the leader's.",
    Reason.MARKET_CLOSED: "It came too late for its session; it is looked at again when the market opens.",
    Reason.PRICE_RULE: "The exchange would refuse the price, so it was not sent.",
    Reason.MAX_DAILY_LOSS: "The account had lost as much as max_daily_loss allows in a day: nothing more was entered.",
    Reason.MAX_OPEN_LOTS: "With this entry, more lots would have been open than max_open_lots allows.",
    Reason.MAX_ORDERS_PER_DAY: "As many entries had been sent that day as max_orders_per_day allows.",
    Reason.NOT_ALLOWED: "Neither its underlying, its symbol nor its segment is among those in allowed.",
    Reason.BLOCKED: "Its underlying, its symbol or its segment is among those in blocked.",
    Reason.OUTSIDE_WINDOW: "It came outside the time of day, trade_from to trade_until, in which the follower enters.",
    Reason.DRY_RUN: "The order that would have been sent had dry_run not been set; nothing was.",
    Reason.NOTHING_HELD: "The leader's order takes from a position of which the follower holds nothing by copying.",
    Reason.EXTERNAL_CLOSE: "What had been copied was closed by other hands: the follower's, or the broker's.",
    Reason.LEADER_EXITED: "The leader had left the position again before the follower was in it.",
    Reason.OVERTAKEN: "Another order closed what this one was to close, or closing was over, before it was sent.",
    Reason.NOT_NEEDED: "The leader's order changed before this one was sent, and it was not needed any more.",
    Reason.EXIT_FIRST: "Its entry waits until what the follower holds on the other side has been left.",
    Reason.LEADER_CANCELLED: "The leader's order was cancelled unfilled before a copy was sent.",
    Reason.LEADER_REJECTED: "The leader's own order was rejected.",
    Reason.LEADER_EXPIRED: "The leader's order expired unfilled before a copy was sent.",
    Reason.BROKER_REFUSED: "The broker would not take the follower's order.",
    Reason.BROKER_REJECTED: "The broker or the exchange rejected the follower's order after it was taken.",
    Reason.ENDED_EXTERNALLY: "The follower's order ended at the broker although the copier had not asked for it.",
    Reason.INVISIBLE: "The broker accepted the follower's order and never showed it; an exit was sent again.",
    Reason.IOC_UNFILLED: "The market had nothing for the follower's immediate order, or not all of it.",
    Reason.UNFILLED: "The follower's order rested long after the leader's was filled; the settings say what is done.",
    Reason.FLATTENED: "All that was copied was closed, by command or by a limit, and this order cancelled with it.",
    Reason.FILLED_OTHERWISE: "Both orders are over, and the follower has got another share of its than the leader.",
    Reason.MISJUDGED: "It was an exit, taken for an entry because the feed had lost what it left; it was taken back.",
}


class UnknownOrder(Exception):
    """The database has nothing about a leader order of this id: the message says so."""


class _Moment(NamedTuple):
    """Something that happened, and what it is called."""

    at: datetime
    name: str
    detail: str


def explain(database: str, leader_order_id: str) -> str:
    """Return what became of a leader order, a section for the leader and one a follower, each oldest first.

    Raises UnknownOrder where there is nothing about it, DatabaseUnusable where the database cannot be read.
    """
    with reading.open_to_read(database) as connection:
        events = reading.events_of(connection, LEADER, leader_order_id)
        copies = reading.copies_of(connection, leader_order_id)
        timelines = [_timeline(connection, copy) for copy in copies]
    if not events and not copies:
        raise UnknownOrder(f"There is no leader order {leader_order_id} in {reading.shown(database)}.")
    lines = [f"Leader order {leader_order_id}{_instrument(copies, events)}, times of India", "", "leader"]
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
    """Collect what a follower did about a leader order and what became of its own."""
    moments = [_Moment(copy.created_at, "considered", "")]
    if copy.updated_at != copy.created_at:
        moments.append(_Moment(copy.updated_at, "last change", f"copy {copy.status}"))
    if not copy.correlation_id:
        return moments
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
    """Return a request as of when it was sent: when its answer was dealt with, less what that took to come."""
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
    """Return what an order asks for, like ``LIMIT 130 at 100.05``; prices in rupees, none or 0 where it has none."""
    limit = f" at {price}" if Decimal(str(price or 0)) else ""
    trigger = f", trigger {trigger_price}" if Decimal(str(trigger_price or 0)) else ""
    return f"{order_type} {quantity}{limit}{trigger}"


def _facts(copy: RecordedCopy) -> list[str]:
    """Return what is known of a copy, a line each."""
    units = f", {copy.follower_filled} of {copy.follower_quantity} units" if copy.n else ""
    part = f", {copy.part}" if copy.n and copy.part != Part.ENTRY else ""
    facts = [("copy", f"n {copy.n}{part}, {copy.status}{units}")]
    if copy.n:
        order = copy.follower_order_id or "id not known"
        facts.append(("order", f"{order}, correlation id {copy.correlation_id}, modifications {copy.modifications}"))
    if copy.ratio is not None:
        facts.append(("sizing", f"{copy.strategy}, ratio {copy.ratio:g}: {copy.arithmetic}"))
    if copy.slippage is not None:
        total = copy.slippage * copy.follower_filled * (copy.multiplier or ZERO)
        prices = f"leader {copy.leader_price:.4f}, follower {copy.follower_price:.4f}"
        in_all = f"{total:+z.2f} in all" if copy.multiplier else "its multiplier is not known"
        facts.append(("slippage", f"{prices}, {copy.slippage:+z.4f} rupees a unit, {in_all}"))
    if copy.latency_ms is not None:
        filled = f", {copy.fill_ms:.1f} ms to the complete fill" if copy.fill_ms is not None else ""
        facts.append(("latency", f"{copy.latency_ms:.1f} ms from the leader's update to the broker's answer{filled}"))
    if copy.ours_ms is not None:
        ours = f"decision {copy.decision_ms:.1f}, wait for a permit {copy.permit_ms:.1f}, request {copy.request_ms:.1f}"
        facts.append(("of which", f"{ours}; broker {copy.broker_ms:.1f}"))
    if copy.reason is not None:
        facts.append(("reason", f"{copy.reason}: {_meaning(copy.reason)}"))
    if copy.error:
        facts.append(("detail" if copy.status == MappingStatus.SKIPPED else "error", readable(copy.error)))
    return [f"  {name:<9} {fact}" for name, fact in facts]


def _meaning(reason: str) -> str:
    try:
        return MEANINGS[Reason(reason)]
    except ValueError:
        return "This version does not know what it means."


def _told(moments: Iterable[_Moment]) -> list[str]:
    """Return a line a moment, oldest first, in the time of India."""
    return [
        f"  {moment.at.astimezone(IST).replace(tzinfo=None).isoformat(' ', 'milliseconds')}"
        f"  {moment.name:<11}  {moment.detail}".rstrip()
        for moment in sorted(moments, key=attrgetter("at"))
    ]
