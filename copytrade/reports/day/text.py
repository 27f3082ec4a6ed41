"""The report of a trading day as text: how much of the leader's trading each follower copied, and at which prices."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby
from operator import attrgetter

from copytrade.core.model.copies import MappingStatus
from copytrade.core.model.orders import IST, ZERO
from copytrade.reports.day.slippage import follower_value, leader_value, slippage_of
from copytrade.reports.percentiles import percentile
from copytrade.reports.queries import RecordedCopy, copies_on, days_with_copies, was_late
from copytrade.reports.snapshot import open_to_read
from copytrade.reports.text_table import aligned, signed

_SENT = (MappingStatus.PLACED, MappingStatus.FILLED, MappingStatus.CANCELLED)
_OPEN = (MappingStatus.PLACED, MappingStatus.PENDING)

#: How many other days are named at most when a day has no copies.
_DAYS_NAMED = 10

_FOLLOWER_HEADS = (
    *("follower", "sent", "filled", "open", "fails", "skips", "late", "leader Rs", "follower Rs"),
    *("slippage", "a unit", "bps", "p50", "p99", "ours", "fill"),
)
_COPY_HEADS = (
    *("time", "leader order", "symbol", "side", "units", "leader avg", "copy avg", "a unit", "Rs", "bps", "ms"),
)
_TEXT_HEADS = frozenset({"follower", "time", "leader order", "symbol", "side"})

_LEGEND = (
    "leader Rs: what the leader traded in orders copied. slippage: rupees, positive is worse whatever the side;",
    "bps of the copy's units at the leader's average. ms: from the leader's update to the broker's answer;",
    "ours: half of the copies spent no more than so many ms of that here, the rest was the broker's;",
    "fill: half of the copies were filled within so many ms of the update. late: sent, but taken up again,",
    "recovered after a gap, answered by the feed alone, or after a wait for the account; no ms counts them.",
)


def report(database: str, day: date) -> str:
    """Return the report: a line per follower and a line per filled copy. Raises DatabaseUnusable."""
    with open_to_read(database) as connection:
        copies = copies_on(connection, day)
        if not copies:
            return _no_copies(day, days_with_copies(connection))
    by_follower = [(name, list(group)) for name, group in groupby(copies, key=attrgetter("follower"))]
    lines = [f"Copies of {day:%A %d %B %Y}, times of India", ""]
    lines += aligned(_FOLLOWER_HEADS, [_follower(name, group) for name, group in by_follower], _TEXT_HEADS)
    lines += [line for name, group in by_follower for line in _not_copied(name, group)]
    lines += ["", *_LEGEND]
    for name, group in by_follower:
        if filled := [copy for copy in group if copy.follower_filled]:
            lines += ["", f"{name}, filled:"]
            lines += aligned(_COPY_HEADS, [_filled(copy) for copy in filled], _TEXT_HEADS)
    return "\n".join(lines)


def _no_copies(day: date, days: Sequence[str]) -> str:
    if not days:
        return f"There are no copies on {day}, nor on any other day."
    earlier = len(days) - _DAYS_NAMED
    more = f" and {earlier} more" if earlier > 0 else ""
    return f"There are no copies on {day}; there are on {', '.join(days[:_DAYS_NAMED])}{more}."


def _follower(name: str, copies: Sequence[RecordedCopy]) -> tuple[str, ...]:
    statuses = Counter(copy.status for copy in copies)
    latencies = [copy.latency_ms for copy in copies if copy.latency_ms is not None]
    led = {copy.leader_order_id: leader_value(copy) for copy in copies if copy.status in _SENT}
    return (
        name,
        str(sum(statuses[status] for status in _SENT)),
        str(statuses[MappingStatus.FILLED]),
        str(sum(statuses[status] for status in _OPEN)),
        str(statuses[MappingStatus.FAILED]),
        str(statuses[MappingStatus.SKIPPED]),
        str(sum(map(was_late, copies))),
        f"{sum(led.values(), ZERO):.2f}",
        f"{sum(map(follower_value, copies), ZERO):.2f}",
        *_slippage(copies),
        _ms(percentile(latencies, 50)),
        _ms(percentile(latencies, 99)),
        _ms(percentile([copy.ours_ms for copy in copies if copy.ours_ms is not None], 50)),
        _ms(percentile([copy.fill_ms for copy in copies if copy.fill_ms is not None], 50)),
    )


def _slippage(copies: Iterable[RecordedCopy]) -> tuple[str, str, str]:
    found = slippage_of(copies)
    if found is None:
        return "-", "-", "-"
    return signed(found.rupees, 2), signed(found.a_unit, 4), signed(found.bps, 1)


def _not_copied(name: str, copies: Sequence[RecordedCopy]) -> list[str]:
    """Return a line with the reasons of skipped orders and one with those of failed copies, if there are any."""
    lines = []
    for status in (MappingStatus.SKIPPED, MappingStatus.FAILED):
        reasons = Counter(copy.reason or "no reason" for copy in copies if copy.status == status)
        if reasons:
            why = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
            lines.append(f"{name} {status}: {why}")
    return lines


def _filled(copy: RecordedCopy) -> tuple[str, ...]:
    total, per_unit, bps = _slippage([copy])
    is_whole = copy.follower_filled == copy.follower_quantity
    return (
        f"{copy.created_at.astimezone(IST):%H:%M:%S}",
        copy.leader_order_id,
        copy.symbol or "-",
        copy.side or "-",
        str(copy.follower_filled) if is_whole else f"{copy.follower_filled}/{copy.follower_quantity}",
        "-" if copy.slippage is None else _price(copy.leader_price),
        _price(copy.follower_price),
        per_unit,
        total,
        bps,
        _ms(copy.latency_ms),
    )


def _price(rupees: Decimal | None) -> str:
    return "-" if rupees is None else f"{rupees:.4f}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
