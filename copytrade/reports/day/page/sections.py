"""The sections of the page, each a heading, a word of explanation, its charts and its tables."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from copytrade.common.counts import counted
from copytrade.core.model.orders import IST
from copytrade.reports.day.figures import CopyTotals, DayFigures, Delay, FollowerFigures
from copytrade.reports.day.page.charts import LINES, Chart
from copytrade.reports.day.page.tables import Number, number, rupees, table, text, time_of
from copytrade.reports.day.positions import Course

#: How many rows the longest tables have at most.
ROWS = 2000

Charts = dict[str, list[Chart]]

_OF_TOTALS = (
    "Sent: orders that the broker took. Otherwise: sent, but not to the follower's share of the leader's order. Late:"
    " sent, but taken up again, recovered after a gap, or after a wait for the account. Leader Rs: what he traded"
    " in the orders that were copied."
)
_OF_HOLDINGS = "Units; short positions are negative. What belongs is not rounded. run.py drift explains a difference."
_OF_SLIPPAGE = (
    "Positive is worse than the leader's price, whatever the side; bps are hundredths of a percent of what the copy"
    " would have cost at the leader's price."
)
_OF_DELAYS = (
    "From the leader's update, each part from the end of the one before; the whole fill from the update too. Late"
    " copies are left out."
)
_OF_LINES = (
    "Units bought less units sold, counted from 0 when the day began: the leader's orders, and the followers' copies"
    " alone."
)
_OF_REQUESTS = "Requests count when they were answered. The limit is that of the settings now."
_OF_GAPS = (
    "A gap lasts from the loss of a feed, or from a start, until the order book has been read; what was missed is found"
    " then. Without an end: it had none when this was kept last."
)

_COUNTS = ("sent", "filled", "open", "otherwise", "failed", "skipped", "late")
_PARTS = {
    "decision": "decision",
    "permit": "wait for a permit",
    "request": "request written",
    "broker": "broker's answer",
    "latency": "all of these",
    "fill": "whole fill",
}


def sections(day: DayFigures, drawn: Charts) -> Iterator[str]:
    """Yield the contents, and each section as HTML."""
    content = {
        "Totals": _totals(day),
        "Result and positions": _figures(drawn, "result") + _results(day),
        "Copies by outcome and reason": _figures(drawn, "outcomes") + _outcomes(day),
        "Slippage": _figures(drawn, "slippage") + _slippage(day.followers),
        "Delay": _figures(drawn, "delays") + _delays(day),
        "Positions over the day": _figures(drawn, "positions") + _lines(day),
        "Request budget used": _requests(day.followers),
        "Feed gaps": _gaps(day),
        "Every copy": _copies(day),
    }
    links = "".join(f'<li><a href="#{_anchor(title)}">{text(title)}</a></li>' for title in content)
    yield f'<nav aria-label="Contents"><ul>{links}</ul></nav>\n'
    for title, part in content.items():
        yield f'<section>\n<h2 id="{_anchor(title)}">{text(title)}</h2>\n{part}</section>\n'


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _figures(drawn: Charts, name: str) -> str:
    return "".join(
        f"<figure>{chart.svg}<figcaption>{text(chart.caption)}</figcaption></figure>\n" for chart in drawn.get(name, ())
    )


def _note(explanation: str) -> str:
    return f'<p class="soft">{text(explanation)}</p>\n'


def _totals(day: DayFigures) -> str:
    rows = [_counts("everybody", day.totals), *(_counts(one.name, one.copies) for one in day.followers)]
    heads = ("follower", *_COUNTS, "leader Rs", "follower Rs")
    return (
        f"<p>The leader placed {counted(day.leader_orders, 'order')}.</p>\n"
        + table("Copies of the day", heads, rows)
        + _note(_OF_TOTALS)
    )


def _counts(name: str, copies: CopyTotals) -> list[str]:
    counts = [number(getattr(copies, count)) for count in _COUNTS]
    return [name, *counts, rupees(copies.leader_rupees), rupees(copies.follower_rupees)]


def _results(day: DayFigures) -> str:
    results = [
        [
            one.name,
            rupees(one.result.rupees, is_signed=True),
            rupees(one.result.realised, is_signed=True),
            rupees(one.result.unrealised, is_signed=True),
            time_of(one.result.at),
        ]
        for one in day.followers
        if one.result
    ]
    holdings = [
        [
            one.follower,
            (one.symbol or f"{one.segment} {one.security_id}") + (f" by {one.by}" if one.by else ""),
            one.product,
            number(one.leader),
            number(one.ratio, 4),
            number(one.should_hold, 2),
            number(one.held),
            number(None if one.should_hold is None else one.held - one.should_hold, 2, is_signed=True),
        ]
        for one in day.holdings
    ]
    heads = ("follower", "Rs", "from closed positions", "from open positions", "read at")
    held = ("follower", "instrument", "product", "leader", "share", "should hold", "holds", "differs by")
    return (
        table("Result of the day, of the whole account", heads, results, "No result was read on this day.")
        + table(
            f"Held by copying at {day.made_at:%H:%M:%S on %d %B %Y}",
            held,
            holdings,
            "None is known.",
        )
        + _note(_OF_HOLDINGS)
    )


def _outcomes(day: DayFigures) -> str:
    rows = [[one.outcome, one.reason or "-", number(one.copies), one.meaning] for one in day.totals.outcomes]
    each = [
        [one.name, outcome.outcome, outcome.reason or "-", number(outcome.copies)]
        for one in day.followers
        for outcome in one.copies.outcomes
    ]
    nothing = "Nothing was copied, and nothing was skipped."
    return table("All followers", ("outcome", "reason", "copies", "what it means"), rows, nothing) + (
        table("Each follower", ("follower", "outcome", "reason", "copies"), each) if each else ""
    )


def _slippage(followers: Sequence[FollowerFigures]) -> str:
    rows = [
        [
            one.name,
            rupees(slippage.rupees, is_signed=True),
            number(slippage.a_unit, 4, is_signed=True),
            number(slippage.bps, 1, is_signed=True),
        ]
        for one in followers
        if (slippage := one.copies.slippage)
    ]
    nothing = "No copy has filled at a price that can be compared with the leader's."
    return table("Slippage by follower", ("follower", "Rs", "Rs a unit", "bps"), rows, nothing) + _note(_OF_SLIPPAGE)


def _delays(day: DayFigures) -> str:
    everybody = [("everybody", day.totals), *((one.name, one.copies) for one in day.followers)]
    measured = [(name, copies.delays) for name, copies in everybody if any(delay.copies for delay in copies.delays)]
    half = [[name, *_counted(delays), *(number(one.p50_ms, 1) for one in delays)] for name, delays in measured]
    most = [[name, *_counted(delays), *(number(one.p99_ms, 1) for one in delays)] for name, delays in measured]
    heads = ("follower", "copies", "filled whole", *_PARTS.values())
    nothing = "No delay was measured."
    return table("Half of the copies took no more milliseconds than", heads, half, nothing) + (
        table("99 of 100 copies took no more milliseconds than", heads, most) + _note(_OF_DELAYS) if half else ""
    )


def _counted(delays: Sequence[Delay]) -> list[Number]:
    """Return of how many copies the latency and the fill were measured."""
    counts = {delay.part: delay.copies for delay in delays}
    return [number(counts["latency"]), number(counts["fill"])]


def _lines(day: DayFigures) -> str:
    rows = [
        [
            line.symbol or f"{line.segment} {line.security_id}",
            line.product,
            course.account,
            *_over_day(course),
        ]
        for line in day.lines
        for course in line.courses
    ]
    steps = [
        [line.symbol or f"{line.segment} {line.security_id}", line.product, course.account, *_step(step.at, step.units)]
        for line in day.lines
        for course in line.courses
        for step in course.steps
    ]
    heads = ("instrument", "product", "account", "fills", "first", "last", "lowest", "highest", "at the end")
    note = _note(_OF_LINES)
    if len(day.lines) > LINES:
        note += f"<p>Drawn are the {LINES} of {len(day.lines)} lines with the most fills.</p>\n"
    return (
        table("Change of the position over the day", heads, rows, "Nothing has filled.")
        + note
        + (_long("Each change", ("instrument", "product", "account", "time", "units"), steps) if steps else "")
    )


def _over_day(course: Course) -> list[Number]:
    units = [0, *(step.units for step in course.steps)]
    times = [time_of(course.steps[0].at), time_of(course.steps[-1].at)]
    return [number(len(course.steps)), *times, number(min(units)), number(max(units)), number(units[-1])]


def _step(at: datetime, units: int) -> list[Number]:
    return [time_of(at), number(units)]


def _requests(followers: Sequence[FollowerFigures]) -> str:
    rows = [
        [
            one.name,
            _WINDOWS.get(use.window, use.window),
            number(use.most),
            number(use.limit),
            Number(f"{100 * use.most / use.limit:.1f} %"),
            time_of(use.until),
        ]
        for one in followers
        for use in one.requests
    ]
    heads = ("follower", "window", "most requests", "limit", "used", "up to")
    return table("Order requests in the busiest window", heads, rows, "No request was sent.") + _note(_OF_REQUESTS)


_WINDOWS = {"1s": "a second", "60s": "a minute", "3600s": "an hour", "day": "the day"}


def _gaps(day: DayFigures) -> str:
    gaps = [[gap.account, *_stretch(gap.since, gap.until)] for gap in day.gaps]
    runs = [[Number(str(n)), *_stretch(run.since, run.until)] for n, run in enumerate(day.runs, 1)]
    nothing = "None is known of."
    left_out = "".join(
        f"<p>Of {text(name)} {counted(count, 'earlier gap')} {'is' if count == 1 else 'are'} left out.</p>\n"
        for name, count in day.gaps_left_out.items()
    )
    return (
        table("When the copier ran", ("run", "from", "to", "seconds"), runs, nothing)
        + table("When a feed may have missed something", ("account", "from", "to", "seconds"), gaps, nothing)
        + left_out
        + _note(_OF_GAPS)
    )


def _stretch(since: datetime, until: datetime | None) -> list[Number]:
    return [_moment(since), _moment(until), number((until - since).total_seconds() if until else None, 1)]


def _moment(at: datetime | None) -> Number:
    return Number("-" if at is None else f"{at.astimezone(IST):%d %b %H:%M:%S}")


def _copies(day: DayFigures) -> str:
    rows = [
        [
            time_of(copy.at),
            copy.follower,
            copy.leader_order,
            copy.symbol or "-",
            copy.side or "-",
            copy.status,
            copy.reason or "-",
            Number(f"{copy.filled}/{copy.quantity}"),
            number(copy.leader_price, 4),
            number(copy.follower_price, 4),
            rupees(copy.slippage_rupees, is_signed=True),
            number(copy.latency_ms, 1),
            copy.error or "-",
        ]
        for copy in day.copies
    ]
    heads = (
        *("time", "follower", "leader order", "symbol", "side", "outcome", "reason", "filled", "leader Rs", "copy Rs"),
        *("slippage Rs", "ms", "what the broker said"),
    )
    return _long("Copies, by follower and time", heads, rows)


def _long(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    more = len(rows) - ROWS
    left_out = (
        f"<p>{more} more are left out here: <code>run.py report --csv</code> or <code>--json</code> has all.</p>\n"
    )
    return table(caption, heads, rows[:ROWS]) + (left_out if more > 0 else "")
