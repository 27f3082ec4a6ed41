"""The timetable of the Indian markets, and its file: when what trades, from which date, by which circular.

Hours change by circular several times a year, so they are data. ``market.json`` is what was known when this version
was made; a file of the operator's, of the same shape but with only what differs, wins over it without a release.
"""

import codecs
import re
from collections.abc import Iterator
from datetime import date, time
from enum import StrEnum
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Annotated, NamedTuple, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationError, model_validator


class InstrumentClass(StrEnum):
    """A class of instruments with the same trading hours."""

    CASH_FNO_UNDERLYING = "CASH_FNO_UNDERLYING"
    CASH_OTHER = "CASH_OTHER"
    INDEX_DERIVATIVES = "INDEX_DERIVATIVES"
    STOCK_DERIVATIVES = "STOCK_DERIVATIVES"
    CURRENCY = "CURRENCY"
    MCX_NON_AGRI = "MCX_NON_AGRI"
    MCX_AGRI = "MCX_AGRI"


class Phase(StrEnum):
    """A part of the trading day. Orders match as they come in CONTINUOUS alone; CAS is the closing auction session.

    In the phases ending in LIMIT market orders are no longer taken. The pre-open of the derivatives is for the
    current month's futures only (NSE/FAOP/71092), hence its name.
    """

    PREOPEN_ENTRY_ALL = "PREOPEN_ENTRY_ALL"
    PREOPEN_ENTRY_LIMIT = "PREOPEN_ENTRY_LIMIT"
    PREOPEN_MATCH = "PREOPEN_MATCH"
    PREOPEN_BUFFER = "PREOPEN_BUFFER"
    FUTURES_PREOPEN_ENTRY_ALL = "FUTURES_PREOPEN_ENTRY_ALL"
    FUTURES_PREOPEN_ENTRY_LIMIT = "FUTURES_PREOPEN_ENTRY_LIMIT"
    CONTINUOUS = "CONTINUOUS"
    CAS_REFERENCE = "CAS_REFERENCE"
    CAS_ENTRY_ALL = "CAS_ENTRY_ALL"
    CAS_ENTRY_LIMIT = "CAS_ENTRY_LIMIT"
    CAS_MATCH = "CAS_MATCH"
    POST_CLOSE = "POST_CLOSE"


class Closure(StrEnum):
    """What a holiday closes, as the exchanges announce it: MCX has a morning (to 17:00) and an evening of its own."""

    EQUITY = "EQUITY"
    CURRENCY = "CURRENCY"
    MCX_MORNING = "MCX_MORNING"
    MCX_EVENING = "MCX_EVENING"


class Span(NamedTuple):
    """A phase and its hours in India; the end is no longer in it."""

    phase: Phase
    start: time
    end: time


class MarketHoursUnusable(Exception):
    """A file of market hours cannot be used: the message says which, where in it, and why."""


_SPAN = re.compile(r"([A-Z_]+) (\d\d:\d\d)-(\d\d:\d\d)", re.ASCII)


def _span(text: object) -> Span:
    match = _SPAN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("a phase is written like 'CONTINUOUS 09:15-15:30'")
    phase, start, end = match.groups()
    return Span(Phase(phase), time.fromisoformat(start), time.fromisoformat(end))


def _in_order(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    for span in spans:
        if span.start >= span.end:
            raise ValueError(f"{span.phase} ends before it begins")
    for earlier, later in pairwise(spans):
        if earlier.end > later.start:
            raise ValueError(f"{later.phase} begins before {earlier.phase} has ended")
    return spans


Spans = Annotated[tuple[Annotated[Span, PlainValidator(_span)], ...], AfterValidator(_in_order)]
Classes = Annotated[frozenset[InstrumentClass], Field(min_length=1)]


def _forward(dates: tuple[date, date]) -> tuple[date, date]:
    if dates[0] > dates[1]:
        raise ValueError("the first date is after the last")
    return dates


Covers = Annotated[tuple[date, date], AfterValidator(_forward)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Regular(_Row):
    """The hours of a Monday to Friday without a holiday, on the dates from ``first`` to ``last`` (None: no end known).

    ``expiry_day`` are the hours of a contract on the day it expires, where they differ.
    """

    first: date = Field(alias="from")
    last: date | None = Field(default=None, alias="to")
    classes: Classes
    phases: Spans
    expiry_day: Spans | None = None
    source: str

    def applies(self, kind: InstrumentClass, day: date) -> bool:
        """Whether these are the hours of this class on this date."""
        return kind in self.classes and self.first <= day and (self.last is None or day <= self.last)

    @model_validator(mode="after")
    def _dates(self) -> Self:
        if self.last is not None:
            _forward((self.first, self.last))
        return self


class Holiday(_Row):
    """A date on which markets are closed, or MCX for half the day. An empty ``closed`` is an ordinary day."""

    day: date = Field(alias="date")
    name: str
    closed: frozenset[Closure]
    source: str = ""


class Special(_Row):
    """The hours of some classes on one date, whatever its weekday. No phases: no session, or one of unknown hours."""

    day: date = Field(alias="date")
    name: str
    classes: Classes
    phases: Spans
    source: str = ""


class _Rows(_Row):
    regular: tuple[Regular, ...] = ()
    holidays: tuple[Holiday, ...] = ()
    special: tuple[Special, ...] = ()

    @model_validator(mode="after")
    def _no_date_twice(self) -> Self:
        dates = [row.day for row in self.holidays]
        if twice := sorted({str(day) for day in dates if dates.count(day) > 1}):
            raise ValueError(f"holidays: more than one row for {', '.join(twice)}")
        specials = [(row.day, kind) for row in self.special for kind in row.classes]
        if twice := sorted({f"{day} {kind}" for day, kind in specials if specials.count((day, kind)) > 1}):
            raise ValueError(f"special: more than one row for {', '.join(twice)}")
        return self


class Timetable(_Rows):
    """The timetable. Of several rows for one class and date the last counts; dates outside ``covers`` are unknown."""

    covers: Covers
    as_of: date
    source: str

    def regular_on(self, kind: InstrumentClass, day: date) -> Regular | None:
        """Return the hours of an ordinary day."""
        return next((row for row in reversed(self.regular) if row.applies(kind, day)), None)


class _Override(_Rows):
    covers: Covers | None = None
    as_of: date | None = None
    source: str | None = None


def days(first: date, last: date) -> Iterator[date]:
    """Return the dates from the first to the last, both included."""
    return map(date.fromordinal, range(first.toordinal(), last.toordinal() + 1))


def read_timetable(override: Path | None = None) -> Timetable:
    """Read the timetable of this version, and the operator's file over it.

    A regular session, holiday or special session of the operator's wins over ours of the same class and date, and a
    holiday of the operator's over our special session. Raises MarketHoursUnusable.
    """
    shipped = _parse(
        Timetable, resources.files("copytrade.core.market").joinpath("market.json").read_bytes(), "market.json"
    )
    if override is None:
        return _checked(shipped, "market.json")
    try:
        content = override.read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise MarketHoursUnusable(f"market hours {override}: {error.strerror or error}") from None
    return _checked(_merged(shipped, _parse(_Override, content, str(override))), str(override))


_Model = TypeVar("_Model", bound=_Rows)


def _parse(model: type[_Model], content: bytes, where: str) -> _Model:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        faults = [": ".join(filter(None, (".".join(map(str, e["loc"])), e["msg"]))) for e in error.errors()]
        raise MarketHoursUnusable(f"market hours {where}: {'; '.join(faults)}") from None


def _merged(shipped: Timetable, own: _Override) -> Timetable:
    restated = {row.day for row in own.holidays}
    rows = {
        "regular": shipped.regular + own.regular,
        "holidays": tuple(row for row in shipped.holidays if row.day not in restated) + own.holidays,
        "special": tuple(row for row in shipped.special if row.day not in restated) + own.special,
    }
    about = {name: told for name in ("covers", "as_of", "source") if (told := getattr(own, name)) is not None}
    return shipped.model_copy(update=rows | about)


def _checked(timetable: Timetable, where: str) -> Timetable:
    """Refuse rows without effect, and covered days without hours."""
    first, last = timetable.covers
    dated: tuple[Holiday | Special, ...] = timetable.holidays + timetable.special
    for row in dated:
        if not first <= row.day <= last:
            raise MarketHoursUnusable(
                f"market hours {where}: {row.day} ({row.name}) is not in covers, {first} to {last}"
            )
    for day in days(first, last):
        for kind in InstrumentClass:
            if day.weekday() < 5 and timetable.regular_on(kind, day) is None:
                raise MarketHoursUnusable(f"market hours {where}: no regular session of {kind} on {day}, add one")
    return timetable
