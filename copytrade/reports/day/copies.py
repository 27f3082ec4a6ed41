"""One row a copy: what the JSON has of each, and a table of them that a spreadsheet opens."""

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

import msgspec

from copytrade.common.redaction import readable
from copytrade.core.model.orders import IST
from copytrade.reports.queries import RecordedCopy

#: The first characters of a cell that a spreadsheet computes, in their wide forms too.
_COMPUTED = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class CopyFigures(msgspec.Struct, frozen=True, omit_defaults=True):
    """A copy: a row of ``copy_mappings`` with the leader's order. The fields are the columns of the table.

    ``leader`` is whose order it copies, "" and no column where there is only one leader.
    """

    at: datetime
    follower: str
    leader_order: str
    n: int
    part: str
    symbol: str
    side: str
    status: str
    reason: str
    error: str
    leader_quantity: int
    leader_filled: int | None
    quantity: int
    filled: int
    leader_price: float | None
    follower_price: float | None
    slippage_a_unit: float | None
    slippage_rupees: float | None
    slippage_bps: float | None
    decision_ms: float | None
    permit_ms: float | None
    request_ms: float | None
    broker_ms: float | None
    latency_ms: float | None
    fill_ms: float | None
    modifications: int
    sizing: str
    ratio: float | None
    follower_order: str
    correlation_id: str
    leader: str = ""

    @classmethod
    def of(cls, copy: RecordedCopy, leader: str) -> Self:
        """Return the figures of a copy; characters that do not show are escaped."""
        return cls(
            at=copy.created_at.astimezone(IST),
            follower=readable(copy.follower),
            leader_order=readable(copy.leader_order_id),
            n=copy.n,
            part=copy.part,
            symbol=copy.symbol or "",
            side=copy.side or "",
            status=copy.status,
            reason=readable(copy.reason or ""),
            error=readable(copy.error_message),
            leader_quantity=copy.leader_quantity,
            leader_filled=copy.leader_filled,
            quantity=copy.follower_quantity,
            filled=copy.follower_filled,
            leader_price=_number(copy.leader_price),
            follower_price=_number(copy.follower_price),
            slippage_a_unit=_number(copy.slippage),
            slippage_rupees=_number(copy.slippage_rupees),
            slippage_bps=_number(copy.slippage_bps),
            decision_ms=copy.decision_ms,
            permit_ms=copy.permit_ms,
            request_ms=copy.request_ms,
            broker_ms=copy.broker_ms,
            latency_ms=copy.latency_ms,
            fill_ms=copy.fill_ms,
            modifications=copy.modifications,
            sizing=readable(copy.arithmetic),
            ratio=copy.ratio,
            follower_order=readable(copy.follower_order_id),
            correlation_id=readable(copy.correlation_id),
            leader=readable(leader),
        )


def spreadsheet(copies: Iterable[CopyFigures]) -> str:
    """Return a table as CSV, with heads, a row a copy and a byte order mark; numbers are numbers.

    A text that a spreadsheet would compute has an apostrophe before it.
    """
    text = io.StringIO()
    text.write("\ufeff")
    table, copies = csv.writer(text), list(copies)
    columns = [name for name in CopyFigures.__struct_fields__ if name != "leader" or any(one.leader for one in copies)]
    table.writerow(columns)
    for copy in copies:
        table.writerow([_cell(getattr(copy, column)) for column in columns])
    return text.getvalue()


def _cell(value: Any) -> object:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}"
    if isinstance(value, str) and value.lstrip(" ").startswith(_COMPUTED):
        return f"'{value}"
    return value


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
