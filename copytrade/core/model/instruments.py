"""Instruments: lot, tick and kind of everything that trades, from the broker's instrument master.

The master is a CSV of some 200,000 rows, published anew each trading morning. Lots, ticks and expiries change several
times a year, and a security id is unique only within its segment, so nothing here is ever guessed.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from operator import itemgetter
from typing import TypeVar, overload

import msgspec

from copytrade.core.model.orders import SEGMENT_OF, InstrumentKey, Order, Segment

Default = TypeVar("Default")

#: Lot, tick, expiry and multiplier: few, and the same for many rows.
_Terms = tuple[int, Decimal, date | None, Decimal | None]

_PAISE, ONE = Decimal(100), Decimal(1)

#: The tick of options and most shares in India, for exits of instruments that nothing describes.
_USUAL_TICK = Decimal("0.05")

#: What is read of the master; without any of it nothing can be sized.
_COLUMNS = (
    "SEM_EXM_EXCH_ID",
    "SEM_SEGMENT",
    "SEM_SMST_SECURITY_ID",
    "SEM_INSTRUMENT_NAME",
    "SEM_LOT_UNITS",
    "SEM_TICK_SIZE",
    "SEM_EXPIRY_DATE",
    "SEM_TRADING_SYMBOL",
)

#: Not in the broker's own file (as of November 2026, public descriptions): it is read where an operator's has it.
_MULTIPLIER = "SEM_MULTIPLIER"

_LETTERS = {segment: letters for letters, segment in SEGMENT_OF.items()}


class Instrument(msgspec.Struct, frozen=True, gc=False):
    """One row of the master. ``kind`` is the broker's word (OPTIDX, EQUITY, ...), ``tick`` is in rupees.

    A ``kind`` of "" means that nothing describes it and the lot is that of what is held: it can be exited, not entered.

    ``symbol`` is the one it trades by. ``expiry`` is a contract's last day, None for what has none. Rupees are price x
    quantity x ``multiplier``: 1 but for commodity and currency, and None there while nobody has told it.
    """

    kind: str
    symbol: str
    underlying: str
    lot_size: int
    tick: Decimal
    expiry: date | None = None
    multiplier: Decimal | None = ONE


class Instruments(Mapping[InstrumentKey, Instrument]):
    """All instruments by segment and id. Keys are not stored: 200,000 more objects would slow the garbage collector."""

    def __init__(self, by_segment: Mapping[Segment, Mapping[str, Instrument]]) -> None:
        self._by_segment = by_segment

    def __getitem__(self, key: InstrumentKey) -> Instrument:
        return self._by_segment[key.segment][key.security_id]

    @overload
    def get(self, key: InstrumentKey, /) -> Instrument | None: ...
    @overload
    def get(self, key: InstrumentKey, /, default: Instrument | Default) -> Instrument | Default: ...
    def get(self, key: InstrumentKey, /, default: Instrument | Default | None = None) -> Instrument | Default | None:
        """Return an instrument, or ``default``: each order asks, so no exception is made of an answer."""
        segment = self._by_segment.get(key.segment)
        return default if segment is None else segment.get(key.security_id, default)

    def __iter__(self) -> Iterator[InstrumentKey]:
        return (InstrumentKey(name, number) for name, segment in self._by_segment.items() for number in segment)

    def __len__(self) -> int:
        return sum(map(len, self._by_segment.values()))


class MasterUnusable(Exception):
    """The file is not an instrument master: the message says why."""


def read_master(lines: Iterable[str]) -> Instruments:
    """Read Dhan's compact instrument master, a CSV with a header.

    Rows of what does not trade (indices) or without a usable lot or tick are left out: an order in such an instrument
    is then refused as unknown, never sized by a guess. Raises MasterUnusable where a needed column is missing or no row
    is left.
    """
    try:
        return _read(csv.reader(lines))
    except csv.Error as error:
        raise MasterUnusable(f"the instrument master is not a CSV file: {error}") from None


def _read(rows: Iterator[list[str]]) -> Instruments:
    head = next(rows, [])
    if missing := set(_COLUMNS) - set(head):
        raise MasterUnusable(f"the instrument master lacks the columns {', '.join(sorted(missing))}")
    columns = itemgetter(*map(head.index, _COLUMNS))
    at = head.index(_MULTIPLIER) if _MULTIPLIER in head else None
    by_segment: defaultdict[Segment, dict[str, Instrument]] = defaultdict(dict)
    terms: dict[tuple[str, str, str, str | None], _Terms | None] = {}
    shared: dict[str, str] = {}
    for row in rows:
        if len(row) < len(head):
            continue
        exchange, letter, security_id, kind, lot, tick, expiry, symbol = columns(row)
        segment = SEGMENT_OF.get((exchange, letter))
        if segment is None or not security_id:
            continue
        multiplier = (row[at] if at is not None else "") if segment.has_multiplier else None
        written = lot, tick, expiry[:10], multiplier
        if written not in terms:
            terms[written] = _terms(*written)
        if found := terms[written]:
            symbol = symbol or security_id
            underlying = symbol.split("-", 1)[0]
            kind, underlying = shared.setdefault(kind, kind), shared.setdefault(underlying, underlying)
            by_segment[segment][security_id] = Instrument(kind, symbol, underlying, *found)
    if not by_segment:
        raise MasterUnusable("the instrument master has no usable row")
    return Instruments(dict(by_segment))


def _terms(lot: str, tick: str, expiry: str, multiplier: str | None) -> _Terms | None:
    """Read the terms of a contract; without a ``multiplier`` it is one that has none: 1."""
    try:
        lot_size, rupees = int(Decimal(lot or "0")), Decimal(tick or "0") / _PAISE
    except (InvalidOperation, ValueError, OverflowError):
        return None
    if lot_size <= 0 or not rupees.is_finite() or rupees <= 0:
        return None
    return lot_size, rupees, _expiry(expiry), ONE if multiplier is None else _told_multiplier(multiplier)


def _told_multiplier(text: str) -> Decimal | None:
    try:
        multiplier = Decimal(text or "0")
    except InvalidOperation:
        return None
    return multiplier if multiplier.is_finite() and multiplier > 0 else None


def master_rows(instruments: Instruments) -> Iterator[Sequence[object]]:
    """Yield the rows of an instrument master, its header first, from which the same instruments are read again."""
    yield (*_COLUMNS, _MULTIPLIER)
    for key, item in instruments.items():
        exchange, letter = _LETTERS[key.segment]
        yield (
            exchange,
            letter,
            key.security_id,
            item.kind,
            item.lot_size,
            item.tick * _PAISE,
            item.expiry or "",
            item.symbol,
            item.multiplier or "" if key.segment.has_multiplier else "",
        )


def _expiry(text: str) -> date | None:
    """Read ``2026-12-29``; cash has no expiry, or one in the year 1."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.year > 1 else None


def from_order(order: Order) -> Instrument | None:
    """Return the instrument as a frame of the order-update socket describes it; None if that is not all there.

    The broker's own word about lot and tick, for what trades before the master has been read.
    """
    if not (order.instrument and order.lot_size and order.tick_size):
        return None
    underlying = order.symbol.split("-", 1)[0]
    multiplier = order.multiplier if order.key.segment.has_multiplier else ONE
    return Instrument(order.instrument, order.symbol, underlying, order.lot_size, order.tick_size, None, multiplier)


def held(order: Order, lot_size: int) -> Instrument:
    """Return a held instrument that nothing describes any more, with the holding's lot, so that it can be exited."""
    underlying = order.symbol.split("-", 1)[0]
    multiplier = order.multiplier if order.key.segment.has_multiplier else ONE
    return Instrument("", order.symbol, underlying, lot_size, order.tick_size or _USUAL_TICK, None, multiplier)
