"""What is shown at a moment: the copier's status, and the day as the database has it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import peewee

from copytrade.app.commands.status import STALE_AFTER
from copytrade.core.ledger.drift.causes import Drift
from copytrade.core.model.orders import InstrumentKey
from copytrade.reports.queries import RecordedCopy, symbols
from copytrade.reports.snapshot import rows_of
from copytrade.reports.status import Status, Stored, stored_of
from copytrade.web.live.orders import LeaderOrder, orders_on

#: Commands of the day that are shown at most.
_COMMANDS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Given:
    """A command that somebody gave, and its answer, "" while there is none."""

    number: int
    name: str
    follower: str
    at: float
    is_done: bool
    answer: str


@dataclass(frozen=True, slots=True)
class Day:
    """A day as the database has it."""

    copies: Sequence[RecordedCopy]
    orders: Sequence[LeaderOrder]
    drifts: Mapping[str, Sequence[Drift]]
    stored: Mapping[str, Stored]
    symbols: Mapping[InstrumentKey, str]
    commands: Sequence[Given]


@dataclass(frozen=True, slots=True)
class View:
    """What is shown. Where no copier tells its status there is none, ``why`` says so, and ``last`` was the last."""

    status: Status | None = None
    day: Day | None = None
    why: str = "the copier has not told its status yet"
    alerts: Sequence[Mapping[str, str]] = field(default=())
    last: Status | None = None

    def as_of(self, now: datetime) -> "View":
        """Return this view, or what remains of it if nothing newer has come since it was too old to be shown as new."""
        age = (now - self.status.at).total_seconds() if self.status else 0.0
        if age <= STALE_AFTER:
            return self
        return View(None, self.day, f"the copier's status was last read {age:.0f} s ago", self.alerts, self.shown)

    @property
    def shown(self) -> Status | None:
        """The status, or what was the last, which is marked as old."""
        return self.status or self.last


def read_day(
    connection: peewee.Database, day: date, drifts: Mapping[str, Sequence[Drift]], copies: Sequence[RecordedCopy]
) -> Day:
    """Return a day; ``drifts`` are those of the followers to look at, ``copies`` those of the day."""
    named = symbols(connection)
    return Day(
        copies,
        orders_on(connection, day, copies, named),
        drifts,
        stored_of(connection, drifts, copies, named),
        named,
        _commands(connection),
    )


def _commands(connection: peewee.Database) -> list[Given]:
    query = (
        "SELECT id, name, follower, given_at, COALESCE(is_done, 0), COALESCE(answer, '') FROM commands"
        " ORDER BY id DESC LIMIT ?"
    )
    return [
        Given(number, name, follower, at, bool(done), answer)
        for number, name, follower, at, done, answer in rows_of(connection, query, _COMMANDS_SHOWN)
    ]
