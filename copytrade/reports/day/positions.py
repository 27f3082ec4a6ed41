"""How the positions of the leader and of each follower changed over a day, and what followers hold now."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime

import msgspec
import peewee

from copytrade.core.model.ledger import Line, LineKey
from copytrade.core.model.orders import CORRELATION_PREFIX, IST, InstrumentKey, Segment, Side
from copytrade.reports.drift.history import drifts_from, histories_of
from copytrade.reports.queries import symbols
from copytrade.reports.snapshot import rows_of


class Step(msgspec.Struct, frozen=True, array_like=True):
    """What an account has bought on the day less what it has sold, in units, from a moment on."""

    at: datetime
    units: int


class Course(msgspec.Struct, frozen=True):
    """One account's course over the day on one line, from 0 when the day began."""

    account: str
    is_leader: bool
    steps: list[Step]


class LineOverDay(msgspec.Struct, frozen=True):
    """One instrument and product: the leader's course, and those of the followers by copying."""

    segment: str
    security_id: str
    symbol: str
    product: str
    courses: list[Course]


class Holding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a follower holds of one line by copying, and what the leader holds; ``ratio`` is the follower's share.

    The ratio is None where nothing was ever sized. ``should_hold`` is the share of the leader's position in units, not
    rounded, as ``drift`` computes it.
    """

    follower: str
    segment: str
    security_id: str
    symbol: str
    product: str
    leader: int
    ratio: float | None
    should_hold: float | None
    held: int
    by: str = ""


class _Fill(msgspec.Struct, frozen=True):
    """The part of an order's state that is read."""

    filled_quantity: int = 0


_DECODER = msgspec.json.Decoder(_Fill)

_FILLS = (
    "SELECT e.account, e.order_id, e.event_ts, e.event_data, o.account_type, o.exchange_segment, o.security_id,"
    " o.product, o.side FROM orders o JOIN order_events e ON e.order_id = o.id AND e.account = o.account"
    " WHERE o.trade_date = ? AND o.filled_quantity > 0"
    " AND (o.account_type = 'leader' OR o.correlation_id LIKE ?) ORDER BY e.id"
)

_Line = tuple[str, str, str]


def lines_over(connection: peewee.Database, day: date) -> list[LineOverDay]:
    """Return each line on which the leader or a copy has filled on a day, those that moved most first."""
    filled: defaultdict[tuple[str, str], int] = defaultdict(int)
    steps: defaultdict[_Line, dict[tuple[str, bool], list[Step]]] = defaultdict(dict)
    names = symbols(connection)
    rows = rows_of(connection, _FILLS, day.isoformat(), f"{CORRELATION_PREFIX}%")
    for account, order_id, ts, event, kind, segment, security_id, product, side in rows:
        units = _DECODER.decode(event).filled_quantity - filled[account, order_id]
        if not units:
            continue
        filled[account, order_id] += units
        line = segment, security_id, product
        course = steps[line].setdefault((account, kind == "leader"), [])
        before = course[-1].units if course else 0
        course.append(Step(datetime.fromtimestamp(ts, IST), before + units * Side(side).sign))
    lines = [
        LineOverDay(
            segment,
            security_id,
            names.get(InstrumentKey(Segment(segment), security_id), ""),
            product,
            [Course(name, is_leader, course) for (name, is_leader), course in _leader_first(courses)],
        )
        for (segment, security_id, product), courses in steps.items()
    ]
    return sorted(lines, key=lambda line: -sum(len(course.steps) for course in line.courses))


def holdings_of(connection: peewee.Database, followers: Sequence[str]) -> list[Holding]:
    """Return each line of the followers' ledgers on which the leader or the follower holds anything now."""
    names = symbols(connection)
    return [
        Holding(
            follower=follower,
            segment=drift.line.key.segment,
            security_id=drift.line.key.security_id,
            symbol=names.get(drift.line.key, ""),
            product=drift.line.product,
            leader=drift.leader,
            ratio=None if drift.ratio is None else float(drift.ratio),
            should_hold=None if drift.ratio is None and drift.leader else float(drift.expected),
            held=drift.held,
            by=drift.line.leader,
        )
        for follower, history in histories_of(connection, followers).items()
        for drift in drifts_from(history, _copied(history.lines))
        if drift.held or drift.leader
    ]


def _copied(lines: Iterable[Line]) -> Counter[LineKey]:
    """Return what an account holds by copying."""
    copied = Counter[LineKey]()
    for line in lines:
        for product in line.products:
            copied[LineKey(line.key.key, product)] += line.held_in(product)
    return copied


def has_later_day(connection: peewee.Database, day: date) -> bool:
    """Whether there are orders of a later trading day, so that what is held now is not what was held then."""
    return bool(rows_of(connection, "SELECT 1 FROM orders WHERE trade_date > ? LIMIT 1", day.isoformat()))


def _leader_first(
    courses: dict[tuple[str, bool], list[Step]],
) -> list[tuple[tuple[str, bool], list[Step]]]:
    return sorted(courses.items(), key=lambda one: (not one[0][1], one[0][0]))
