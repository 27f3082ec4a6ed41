"""The figures of a trading day, from which its page, its table of copies and its JSON are made.

The names of the fields are the names in the JSON. Rupees, milliseconds and counts are numbers, None where they are not
known; times have their zone.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from itertools import groupby
from operator import attrgetter

import msgspec
import peewee

from copytrade.common import wall_clock
from copytrade.common.redaction import readable
from copytrade.core.model.copies import MappingStatus
from copytrade.core.model.orders import IST, ZERO
from copytrade.core.model.reasons import MEANINGS, Reason
from copytrade.reports.day.copies import CopyFigures
from copytrade.reports.day.kept import KeptDay, Result, Stretch, kept_of
from copytrade.reports.day.positions import Holding, LineOverDay, has_later_day, holdings_of, lines_over
from copytrade.reports.day.requests import WindowUse, requests_on, use_of
from copytrade.reports.day.slippage import follower_value, leader_value, slippage_of
from copytrade.reports.percentiles import percentile
from copytrade.reports.queries import RecordedCopy, copies_on, was_late, went_otherwise
from copytrade.reports.snapshot import leader_names, open_to_read, rows_of
from copytrade.settings import Limits

_SENT = (MappingStatus.PLACED, MappingStatus.FILLED, MappingStatus.CANCELLED)
_OPEN = (MappingStatus.PLACED, MappingStatus.PENDING)

#: The parts of a copy's delay, in their order, and what is measured as a whole.
DELAY_PARTS = ("decision", "permit", "request", "broker")
_DELAYS = (*DELAY_PARTS, "latency", "fill")

_UNKNOWN_REASON = "This version does not know what it means."


class SlippageFigures(msgspec.Struct, frozen=True):
    """Slippage in rupees, in rupees a unit, and in basis points; positive is worse for the follower."""

    rupees: float
    a_unit: float
    bps: float


class Delay(msgspec.Struct, frozen=True):
    """One part of the delay: of how many copies it is known, and its percentiles in milliseconds."""

    part: str
    copies: int
    p50_ms: float | None
    p99_ms: float | None


class Outcome(msgspec.Struct, frozen=True):
    """How many copies came to the same, and why; ``reason`` is "" where there is nothing to say."""

    outcome: str
    reason: str
    meaning: str
    copies: int


class CopyTotals(msgspec.Struct, frozen=True):
    """Counts of copies, and what they and the leader's orders came to in rupees.

    ``leader_rupees`` is what the leader traded in orders that were copied, each counted once.
    """

    sent: int
    filled: int
    open: int
    otherwise: int
    failed: int
    skipped: int
    late: int
    leader_rupees: float
    follower_rupees: float
    slippage: SlippageFigures | None
    delays: list[Delay]
    outcomes: list[Outcome]


class FollowerFigures(msgspec.Struct, frozen=True):
    """One follower's day. ``requests`` is the use of the request budget, by window."""

    name: str
    result: Result | None
    copies: CopyTotals
    requests: list[WindowUse]


class FeedGap(msgspec.Struct, frozen=True):
    """A time in which an account's feed may have missed something; ``until`` is None where it was not seen to end."""

    account: str
    since: datetime
    until: datetime | None


class DayFigures(msgspec.Struct, frozen=True):
    """Everything that is known of a trading day. ``not_kept`` says in words what is not, and why."""

    date: date
    made_at: datetime
    leader_orders: int
    totals: CopyTotals
    followers: list[FollowerFigures]
    holdings: list[Holding]
    lines: list[LineOverDay]
    runs: list[Stretch]
    gaps: list[FeedGap]
    gaps_left_out: dict[str, int]
    not_kept: list[str]
    copies: list[CopyFigures]


def day_figures(database: str, day: date, limits: Limits) -> DayFigures:
    """Return the figures of a day; ``limits`` is the request budget of the settings. Raises DatabaseUnusable."""
    with open_to_read(database) as connection:
        return _figures(connection, day, limits)


def _figures(connection: peewee.Database, day: date, limits: Limits) -> DayFigures:
    copies, whose = copies_on(connection, day), leader_names(connection)
    kept, requests = kept_of(connection, day), requests_on(connection, day)
    by_follower = defaultdict[str, list[RecordedCopy]](list)
    by_follower |= {name: list(group) for name, group in groupby(copies, key=attrgetter("follower"))}
    known = kept or KeptDay()
    names = sorted({*by_follower, *known.results, *requests})
    is_over = has_later_day(connection, day)
    (leader_orders,) = rows_of(
        connection, "SELECT count(*) FROM orders WHERE account_type = 'leader' AND trade_date = ?", day.isoformat()
    )
    return DayFigures(
        date=day,
        made_at=wall_clock.now().astimezone(IST),
        leader_orders=leader_orders[0],
        totals=_totals(copies),
        followers=[
            FollowerFigures(
                name, known.results.get(name), _totals(by_follower[name]), use_of(requests.get(name, ()), limits)
            )
            for name in names
        ],
        holdings=[] if is_over else holdings_of(connection, _in_ledger(connection)),
        lines=lines_over(connection, day),
        runs=known.runs,
        gaps=sorted(
            (FeedGap(name, gap.since, gap.until) for name, gaps in known.gaps.items() for gap in gaps),
            key=lambda gap: (gap.since, gap.account),
        ),
        gaps_left_out=known.gaps_left_out,
        not_kept=_not_kept(names, kept, is_over=is_over),
        copies=[CopyFigures.of(copy, whose.known(copy.leader)) for copy in copies],
    )


def _in_ledger(connection: peewee.Database) -> list[str]:
    return [name for (name,) in rows_of(connection, "SELECT DISTINCT follower FROM ledger ORDER BY follower")]


def _not_kept(names: Sequence[str], kept: KeptDay | None, *, is_over: bool) -> list[str]:
    """Return what is not known of a day, as sentences."""
    lacking = []
    if kept is None:
        lacking.append("Results, feed gaps and running times were not kept: no copier that keeps them ran on this day.")
    elif without := [name for name in names if name not in kept.results]:
        lacking.append(f"The result of the day was never read of {', '.join(without)}.")
    if is_over:
        lacking.append("What was held at the end of this day is not kept: the database has the positions of now alone.")
    return lacking


def _totals(copies: Sequence[RecordedCopy]) -> CopyTotals:
    statuses = Counter(copy.status for copy in copies)
    led = {copy.leader_order_id: leader_value(copy) for copy in copies if copy.status in _SENT}
    slippage = slippage_of(copies)
    return CopyTotals(
        sent=sum(statuses[status] for status in _SENT),
        filled=statuses[MappingStatus.FILLED],
        open=sum(statuses[status] for status in _OPEN),
        otherwise=sum(map(went_otherwise, copies)),
        failed=statuses[MappingStatus.FAILED],
        skipped=statuses[MappingStatus.SKIPPED],
        late=sum(map(was_late, copies)),
        leader_rupees=float(sum(led.values(), ZERO)),
        follower_rupees=float(sum(map(follower_value, copies), ZERO)),
        slippage=SlippageFigures(*map(float, slippage)) if slippage else None,
        delays=[_delay(part, copies) for part in _DELAYS],
        outcomes=_outcomes(copies),
    )


def _delay(part: str, copies: Sequence[RecordedCopy]) -> Delay:
    measured = map(attrgetter(f"{part}_ms"), copies)
    values = [value for value in measured if value is not None]
    return Delay(part, len(values), percentile(values, 50), percentile(values, 99))


def _outcomes(copies: Sequence[RecordedCopy]) -> list[Outcome]:
    counts = Counter((copy.status, copy.reason or "") for copy in copies)
    return [
        Outcome(status, readable(reason), _meaning(reason), count) for (status, reason), count in counts.most_common()
    ]


def _meaning(reason: str) -> str:
    if not reason:
        return ""
    return MEANINGS[Reason(reason)] if reason in Reason.__members__.values() else _UNKNOWN_REASON
