"""Whether an order in this kind of instrument may trade at this moment.

Asked before an order is sent late: one that the leader placed while the market was open must not become a follower's
after-market order, or enter a closing auction. A timetable is advisory, the broker's refusal is the truth; so it can
hold an order back, and says nothing about an order that was sent.
"""

from collections.abc import Iterator
from datetime import date, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import msgspec

from copytrade.core.market.calendar import (
    Closure,
    Holiday,
    InstrumentClass,
    Phase,
    Span,
    Special,
    Timetable,
    days,
    read_timetable,
)
from copytrade.core.model.orders import IST, Segment

_STOCK_DERIVATIVES = frozenset({"OPTSTK", "FUTSTK"})

#: Where a commodity half-holiday divides the day (NSE/COM/71784).
_MCX_EVENING = time(17, 0)


class Session(StrEnum):
    """Whether orders match as they come. UNCOVERED: the timetable does not know, so nothing should be entered."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"
    UNCOVERED = "UNCOVERED"


class MarketState(msgspec.Struct, frozen=True):
    """The answer. ``phase`` is the part of the day, also where it is one in which an order does not trade at once.

    ``reason`` says why not, and is empty when open. ``next_opening``, in India's time, is known for a closed market
    only, and is None where none comes: after a contract's last day, or within the covered dates.
    """

    session: Session
    phase: Phase | None = None
    reason: str = ""
    next_opening: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether an order would trade as it comes."""
        return self.session is Session.OPEN


def instrument_class(
    segment: Segment, kind: str, *, is_underlying: bool, is_agricultural: bool = False
) -> InstrumentClass:
    """Return what an instrument counts as; ``kind`` is the instrument master's word (OPTIDX, EQUITY, ...).

    ``is_underlying``: whether any exchange lists derivatives on this stock; then it closes by auction, and earlier.
    Where it is not known, True is the cautious answer. ``is_agricultural`` is about commodities alone: the broker's
    master does not tell. A derivative of unknown kind counts as one on an index, which has the shorter hours.

    Raises ValueError for an index itself: it is no instrument that trades.
    """
    match segment:
        case Segment.NSE_EQ | Segment.BSE_EQ:
            return InstrumentClass.CASH_FNO_UNDERLYING if is_underlying else InstrumentClass.CASH_OTHER
        case Segment.NSE_FNO | Segment.BSE_FNO:
            on_stock = kind in _STOCK_DERIVATIVES
            return InstrumentClass.STOCK_DERIVATIVES if on_stock else InstrumentClass.INDEX_DERIVATIVES
        case Segment.NSE_CURRENCY | Segment.BSE_CURRENCY:
            return InstrumentClass.CURRENCY
        case Segment.MCX_COMM:
            return InstrumentClass.MCX_AGRI if is_agricultural else InstrumentClass.MCX_NON_AGRI
        case Segment.INDEX:
            raise ValueError(f"an index ({segment}) does not trade, only what is derived from it does")


class _Day(NamedTuple):
    """A date's phases for one class, and what is unusual about it."""

    spans: tuple[Span, ...]
    note: str = ""


class MarketHours:
    """Answers from a timetable. Immutable, so it can be asked from any thread."""

    def __init__(self, timetable: Timetable) -> None:
        self.timetable = timetable
        self._dated: dict[tuple[date, InstrumentClass], Holiday | Special] = {}
        self._dated |= {(row.day, kind): row for row in timetable.holidays for kind in InstrumentClass}
        self._dated |= {(row.day, kind): row for row in timetable.special for kind in row.classes}

    def state(self, kind: InstrumentClass, at: datetime, *, expiry: date | None = None) -> MarketState:
        """Return whether an order in this class would trade at this moment; ``expiry`` is the contract's last day.

        Raises ValueError for a datetime without a time zone.
        """
        if at.utcoffset() is None:
            raise ValueError(f"{at} has no time zone")
        here = at.astimezone(IST)
        today, now = here.date(), here.time()
        if not self.covers(today):
            first, last = self.timetable.covers
            return MarketState(Session.UNCOVERED, reason=f"market hours are known from {first} to {last} only")
        day = self._day(kind, today, expiry)
        phase = next((span.phase for span in day.spans if span.start <= now < span.end), None)
        if phase is Phase.CONTINUOUS:
            return MarketState(Session.OPEN, phase)
        opening = next((moment for moment in self._openings(kind, today, expiry) if moment > here), None)
        return MarketState(Session.CLOSED, phase, _why_closed(day, now, phase), opening)

    def covers(self, day: date) -> bool:
        """Whether the hours of a date are known."""
        first, last = self.timetable.covers
        return first <= day <= last

    def end(self, kind: InstrumentClass, day: date) -> datetime | None:
        """Return when the last phase of a covered date ends, None if there is no session."""
        spans = self._day(kind, day, None).spans
        return datetime.combine(day, spans[-1].end, IST) if spans else None

    def _day(self, kind: InstrumentClass, day: date, expiry: date | None) -> _Day:
        if expiry is not None and day > expiry:
            return _Day((), f"the contract expired on {expiry}")
        dated = self._dated.get((day, kind))
        if isinstance(dated, Special):
            return _Day(dated.phases, dated.name)
        regular = self.timetable.regular_on(kind, day)
        if day.weekday() >= 5 or regular is None:
            return _Day((), "weekend")
        spans = regular.phases
        if day == expiry and regular.expiry_day is not None:
            spans = regular.expiry_day
        if dated is None or (left := _left_open(kind, spans, dated.closed)) == spans:
            return _Day(spans)
        return _Day(left, dated.name)

    def _openings(self, kind: InstrumentClass, today: date, expiry: date | None) -> Iterator[datetime]:
        """Yield when continuous trading begins, from the beginning of today to the end of what is covered."""
        last = self.timetable.covers[1]
        for day in days(today, last if expiry is None else min(expiry, last)):
            for span in _continuous(self._day(kind, day, expiry)):
                yield datetime.combine(day, span.start, IST)


def last_day_known(override: Path | None = None) -> date:
    """Return the last date that the market hours cover. Raises MarketHoursUnusable."""
    return read_timetable(override).covers[1]


def load_market_hours(override: Path | None = None) -> MarketHours:
    """Read the market hours of this version, and an operator's file of corrections over them.

    Raises :class:`~copytrade.core.market.calendar.MarketHoursUnusable`, which says what is wrong and where.
    """
    return MarketHours(read_timetable(override))


def _continuous(day: _Day) -> tuple[Span, ...]:
    return tuple(span for span in day.spans if span.phase is Phase.CONTINUOUS)


def _left_open(kind: InstrumentClass, spans: tuple[Span, ...], closed: frozenset[Closure]) -> tuple[Span, ...]:
    match kind:
        case InstrumentClass.MCX_NON_AGRI | InstrumentClass.MCX_AGRI:
            start = _MCX_EVENING if Closure.MCX_MORNING in closed else time.min
            end = _MCX_EVENING if Closure.MCX_EVENING in closed else time.max
            parts = (Span(span.phase, max(span.start, start), min(span.end, end)) for span in spans)
            return tuple(part for part in parts if part.start < part.end)
        case InstrumentClass.CURRENCY:
            return () if Closure.CURRENCY in closed else spans
        case _:
            return () if Closure.EQUITY in closed else spans


def _why_closed(day: _Day, now: time, phase: Phase | None) -> str:
    continuous = _continuous(day)
    if phase is not None:
        what = f"{phase} is not continuous trading"
    elif not continuous:
        what = ""
    elif now < continuous[0].start:
        what = f"opens at {continuous[0].start:%H:%M}"
    elif now >= continuous[-1].end:
        what = f"closed at {continuous[-1].end:%H:%M}"
    else:
        what = "between two sessions"
    return ", ".join(filter(None, (day.note, what)))
