"""Records as rows: some columns for queries, and the whole state as JSON, from which it is read back."""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from copytrade.core.ledger.arithmetic.entries import ratio_now
from copytrade.core.model.copies import Copy
from copytrade.core.model.encoding import STATE, fraction
from copytrade.core.model.ledger import Allocation, Line
from copytrade.core.model.orders import IST, Order, trade_date
from copytrade.storage.records import OrderChanged, RequestMade

Row = tuple[object, ...]


_ORDER = msgspec.json.Decoder(Order, dec_hook=fraction)
_COPY = msgspec.json.Decoder(Copy, dec_hook=fraction)
_LINE = msgspec.json.Decoder(Line, dec_hook=fraction)
_ALLOCATION = msgspec.json.Decoder(Allocation, dec_hook=fraction)


def read_order(state: str, leader: str = "") -> Order:
    """Return the order of an event; ``leader`` is whose it is, as the engine knows him."""
    order = _ORDER.decode(state)
    return order if order.leader == leader else replace(order, leader=leader)


def read_copy(state: str, leader: str = "") -> Copy:
    """Return the copy of a row; ``leader`` is whose order it copies, as the engine knows him."""
    copy = _COPY.decode(state)
    return copy if copy.leader == leader else replace(copy, leader=leader)


def read_line(state: str, leader: str = "") -> Line:
    """Return the line of a row; ``leader`` is whose line it is, as the engine knows him."""
    line = _LINE.decode(state)
    return line if line.key.leader == leader else replace(line, key=line.key.of(leader))


def read_allocation(state: str, leader: str = "") -> Allocation:
    """Return the allocation of a row; ``leader`` is whose order it is of, as the engine knows him."""
    allocation = _ALLOCATION.decode(state)
    known = allocation.line.leader == leader
    return allocation if known else replace(allocation, line=allocation.line.of(leader))


def order_row(record: OrderChanged) -> Row:
    """Return the row of ``orders``."""
    order = record.order
    return (
        order.id,
        record.account,
        record.account_type,
        trade_date(order).isoformat(),
        order.correlation_id,
        order.status,
        order.side,
        order.product,
        order.order_type,
        order.validity,
        order.key.security_id,
        order.key.segment,
        order.symbol,
        order.quantity,
        order.filled_quantity,
        order.disclosed_quantity,
        float(order.price),
        float(order.trigger_price),
        float(order.average_price),
        order.reason,
        time_text(order.created_at or order.observed_at),
        time_text(order.updated_at or order.created_at or order.observed_at),
    )


def news_row(record: OrderChanged) -> Row:
    """Return the parameters of ``sql.news_of_order``."""
    order = record.order
    return (
        order.id,
        record.account,
        order.status.lower(),
        STATE.encode(order).decode(),
        order.observed_at.timestamp(),
        order.id,
        record.account,
        trade_date(order).isoformat(),
        order.status,
        order.quantity,
        order.filled_quantity,
        float(order.price),
        float(order.trigger_price),
        float(order.average_price),
        order.order_type,
        order.validity,
        order.disclosed_quantity,
        order.reason,
    )


def request_row(record: RequestMade) -> Row:
    """Return the row of ``audit_log`` without its hash."""
    return (
        record.action,
        record.account,
        record.request,
        record.response,
        record.status_code,
        float(record.duration_ms),
        record.at.timestamp(),
    )


def disposition_key(copy: Copy) -> tuple[str, str, str]:
    """Return the key of a copy's row in ``copy_mappings`` without its number."""
    return copy.leader_order_id, copy.follower, copy.trade_date.isoformat()


def line_row(follower: str, leader: str, line: Line, at: datetime) -> Row:
    """Return the row of ``ledger``; ``leader`` is his name."""
    when = time_text(at)
    return (
        follower,
        leader,
        line.key.key.segment,
        line.key.key.security_id,
        line.key.product,
        line.leader_position,
        line.held,
        line.level,
        float(ratio.value) if (ratio := ratio_now(line)) else None,
        STATE.encode(line).decode(),
        when,
        when,
    )


def allocation_row(follower: str, leader: str, allocation: Allocation, at: datetime) -> Row:
    """Return the row of ``allotments``; ``leader`` is his name."""
    when = time_text(at)
    return (
        allocation.leader_order_id,
        follower,
        leader,
        allocation.trade_date.isoformat(),
        allocation.role,
        allocation.base,
        allocation.wanted,
        STATE.encode(allocation).decode(),
        when,
        when,
    )


def time_text(moment: datetime) -> str:
    """Return a time as text: India's time with its offset, to the millisecond."""
    return moment.astimezone(IST).isoformat(sep=" ", timespec="milliseconds")
