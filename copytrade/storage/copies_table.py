"""A row of ``copy_mappings``, declared once: its table, its insertion, its selection and what readers get follow it."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Self, get_args, get_type_hints

import msgspec
import peewee

from copytrade.core.model.encoding import STATE
from copytrade.storage.leader_names import LeaderNames
from copytrade.storage.records import CopyChanged
from copytrade.storage.rows import Row, time_text


class CopyRow(msgspec.Struct, frozen=True, gc=False):
    """What a follower did about a leader order: a row per order sent, ``n`` 0 where none was.

    The fields are the columns, in their order. Prices are rupees a unit, averages where ``slippage`` is known, else
    they may be limits. ``slippage`` is rupees a unit, ``slippage_rupees`` in all; positive is worse for the follower,
    whatever the side. ``latency_ms`` is from the leader's update to the broker's acceptance: the sum of
    ``decision_ms``, ``permit_ms``, ``request_ms`` and ``broker_ms``. ``state`` is the whole copy as JSON.
    """

    leader_order_id: str
    follower: str
    leader: str
    trade_date: date
    n: int
    part: str
    follower_order_id: str
    correlation_id: str
    leader_quantity: int
    follower_quantity: int
    follower_filled: int
    sizing_strategy: str
    ratio: float | None
    arithmetic: str
    status: str
    reason: str | None
    error_message: str
    leader_price: Decimal | None
    follower_price: Decimal | None
    slippage: Decimal | None
    slippage_rupees: Decimal | None
    slippage_bps: Decimal | None
    latency_ms: float | None
    decision_ms: float | None
    permit_ms: float | None
    request_ms: float | None
    broker_ms: float | None
    fill_ms: float | None
    modifications: int
    state: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, record: CopyChanged, whose: LeaderNames) -> Self:
        """Return the row of a copy; ``whose`` says what its leader is called."""
        copy, leader, breakdown = record.copy, record.leader, record.copy.breakdown
        slippage = copy.slippage(copy.side(leader)) if leader else None
        in_all = None
        if slippage is not None and copy.multiplier is not None:
            in_all = slippage * copy.filled_quantity * copy.multiplier
        return cls(
            leader_order_id=copy.leader_order_id,
            follower=copy.follower,
            leader=whose.stored(copy.leader),
            trade_date=copy.trade_date,
            n=copy.n,
            part=copy.part,
            follower_order_id=copy.order_id,
            correlation_id=copy.correlation_id,
            leader_quantity=leader.quantity if leader else 0,
            follower_quantity=copy.desired.quantity if copy.desired else 0,
            follower_filled=copy.filled_quantity,
            sizing_strategy=copy.strategy,
            ratio=float(copy.ratio.value) if copy.ratio else None,
            arithmetic=copy.arithmetic,
            status=copy.status,
            reason=copy.reason,
            error_message=copy.error,
            leader_price=copy.leader_price or (leader.price if leader else None) or None,
            follower_price=copy.follower_price or (copy.desired.price if copy.desired else None) or None,
            slippage=slippage,
            slippage_rupees=in_all,
            slippage_bps=slippage / copy.leader_price * 10_000 if slippage is not None else None,
            latency_ms=copy.latency_ms,
            decision_ms=breakdown.decision_ms if breakdown else None,
            permit_ms=breakdown.permit_ms if breakdown else None,
            request_ms=breakdown.request_ms if breakdown else None,
            broker_ms=breakdown.broker_ms if breakdown else None,
            fill_ms=copy.fill_ms,
            modifications=copy.modifications,
            state=STATE.encode(copy).decode(),
            created_at=copy.created_at,
            updated_at=record.at,
        )

    def stored(self) -> Row:
        """Return the values of the columns, as the database takes them."""
        return tuple(
            value if encode is None or value is None else encode(value)
            for encode, value in zip(_ENCODE, msgspec.structs.astuple(self), strict=True)
        )


def read(values: Iterable[Any]) -> dict[str, Any]:
    """Return the fields of a row from the values of its columns."""
    return {
        name: value if decode is None or value is None else decode(value)
        for name, decode, value in zip(COLUMNS, _DECODE, values, strict=True)
    }


def fields() -> Mapping[str, peewee.Field]:
    """Return new fields of the table's model, by the column's name."""
    return {name: _TYPES[kind][0](null=is_null) for name, (kind, is_null) in _KINDS.items()}


#: The names of the columns.
COLUMNS = CopyRow.__struct_fields__

#: How each type is kept: the model's field, and how a value is written and read, None where it is as it is.
_TYPES: Mapping[type, tuple[type[peewee.Field], Callable[[Any], object] | None, Callable[[Any], object] | None]] = {
    str: (peewee.TextField, None, None),
    int: (peewee.IntegerField, None, None),
    float: (peewee.FloatField, None, None),
    Decimal: (peewee.FloatField, float, lambda value: Decimal(str(value))),  # the shortest text is what it was
    date: (peewee.TextField, date.isoformat, date.fromisoformat),
    datetime: (peewee.TextField, time_text, datetime.fromisoformat),
}

#: The type of each column, and whether it may be empty.
_KINDS: Mapping[str, tuple[type, bool]] = {
    name: (next(iter(get_args(kind)), kind), type(None) in get_args(kind))
    for name, kind in get_type_hints(CopyRow).items()
}
_ENCODE = tuple(_TYPES[kind][1] for kind, _ in _KINDS.values())
_DECODE = tuple(_TYPES[kind][2] for kind, _ in _KINDS.values())
