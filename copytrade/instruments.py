"""Instruments: lot, tick and kind of everything that trades, from the broker's instrument master.

The master is a CSV of some 200,000 rows, published anew each trading morning. Lots, ticks and expiries change several
times a year, and a security id is unique only within its segment, so nothing here is ever guessed.
"""

import csv
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation

import msgspec

from copytrade.orders import SEGMENT_OF, InstrumentKey, Order

Instruments = Mapping[InstrumentKey, "Instrument"]

_PAISE = Decimal(100)


class Instrument(msgspec.Struct, frozen=True, gc=False):
    """One row of the master. ``kind`` is the broker's word (OPTIDX, EQUITY, ...), ``tick`` is in rupees.

    ``expiry`` is a contract's last day, None for what has none.
    """

    key: InstrumentKey
    kind: str
    symbol: str
    underlying: str
    lot_size: int
    tick: Decimal
    expiry: date | None = None


class MasterUnusable(Exception):
    """The file is not an instrument master: the message says why."""


def read_master(lines: Iterable[str]) -> Instruments:
    """Read Dhan's compact instrument master, a CSV with a header.

    Rows of other exchanges or without a usable lot or tick are left out: an order in such an instrument is then
    refused as unknown, never sized by a guess. Raises MasterUnusable where a needed column is missing or no row is
    left.
    """
    try:
        return _read(csv.DictReader(lines))
    except csv.Error as error:
        raise MasterUnusable(f"the instrument master is not a CSV file: {error}") from None


def _read(rows: "csv.DictReader[str]") -> Instruments:
    needed = {"SEM_EXM_EXCH_ID", "SEM_SEGMENT", "SEM_SMST_SECURITY_ID", "SEM_INSTRUMENT_NAME", "SEM_LOT_UNITS"}
    missing = needed - set(rows.fieldnames or ())
    if missing:
        raise MasterUnusable(f"the instrument master lacks the columns {', '.join(sorted(missing))}")
    instruments = {instrument.key: instrument for row in rows if (instrument := _read_row(row)) is not None}
    if not instruments:
        raise MasterUnusable("the instrument master has no usable row")
    return instruments


def _read_row(row: Mapping[str, str | None]) -> Instrument | None:
    segment = SEGMENT_OF.get((row.get("SEM_EXM_EXCH_ID") or "", row.get("SEM_SEGMENT") or ""))
    security_id = row.get("SEM_SMST_SECURITY_ID") or ""
    try:
        lot_size = int(Decimal(row.get("SEM_LOT_UNITS") or "0"))
        tick = Decimal(row.get("SEM_TICK_SIZE") or "0") / _PAISE
    except (InvalidOperation, ValueError, OverflowError):
        return None
    if segment is None or not security_id or lot_size <= 0 or not tick.is_finite() or tick <= 0:
        return None
    symbol = row.get("SEM_TRADING_SYMBOL") or row.get("SEM_CUSTOM_SYMBOL") or security_id
    return Instrument(
        key=InstrumentKey(segment, security_id),
        kind=row.get("SEM_INSTRUMENT_NAME") or "",
        symbol=symbol,
        underlying=symbol.split("-", 1)[0],
        lot_size=lot_size,
        tick=tick,
        expiry=_expiry(row.get("SEM_EXPIRY_DATE") or ""),
    )


def _expiry(text: str) -> date | None:
    """Read ``2026-12-29 14:30:00``; cash has no expiry, or one in the year 1."""
    try:
        day = date.fromisoformat(text[:10])
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
    return Instrument(order.key, order.instrument, order.symbol, underlying, order.lot_size, order.tick_size)
