"""The page's charts, drawn by matplotlib where it is installed."""

import importlib
import io
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from copytrade.common.redaction import readable
from copytrade.core.model.copies import MappingStatus
from copytrade.core.model.orders import IST
from copytrade.reports.day.figures import DELAY_PARTS, CopyTotals, DayFigures, FollowerFigures
from copytrade.reports.day.page.svg import inline
from copytrade.reports.day.positions import Course, LineOverDay

#: How many followers, lines and followers of a line are drawn at most; the tables have the rest.
BARS, LINES, COURSES = 30, 6, 8

#: Courses that are shorter have seconds on their axis.
SECONDS_BELOW = timedelta(minutes=10)

#: Colours that can be told apart on white, on black and on paper; the leader has the colour of the text.
_COLOURS = ("#3b82c4", "#c8701a", "#2f9461", "#9a6bc9", "#d04f4f", "#2a94a6", "#9c7a4d", "#cc5fa0")
_DASHES = ("-", "--", "-.", ":")
_OF_OUTCOME = {
    MappingStatus.FILLED: "#2f9461",
    MappingStatus.PLACED: "#3b82c4",
    MappingStatus.PENDING: "#2a94a6",
    MappingStatus.CANCELLED: "#9c7a4d",
    MappingStatus.FAILED: "#d04f4f",
    MappingStatus.SKIPPED: "#8b929b",
}

#: Text stays text and is never taken for a formula; the same figures always give the same drawing.
_STYLE: dict[str, Any] = {
    "font.size": 10,
    "text.parse_math": False,
    "axes.formatter.use_mathtext": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "copytrade",
}

_NOT_INSTALLED = (
    "The charts are left out: they need matplotlib (the extra [report]), which is not installed here."
    " The tables have the same figures."
)

#: matplotlib's style is the process's: one page is drawn at a time.
_drawing = threading.Lock()


class Chart(NamedTuple):
    """A chart as SVG, and what it shows in a sentence."""

    svg: str
    caption: str


def charts(day: DayFigures) -> dict[str, list[Chart]] | str:
    """Return the charts of each section, or why there are none."""
    try:
        matplotlib = importlib.import_module("matplotlib")
        figures = importlib.import_module("matplotlib.figure")
    except ImportError:
        return _NOT_INSTALLED
    except OSError as error:  # it has to have a folder for what it knows of fonts
        return f"The charts are left out: matplotlib cannot be used here ({error}). The tables have the same figures."
    with _drawing, matplotlib.rc_context(_STYLE):
        drawer = _Drawer(figures.Figure)
        return {
            "result": list(drawer.results(day.followers)),
            "outcomes": list(drawer.outcomes(day.followers)),
            "slippage": list(drawer.slippage(day.followers)),
            "delays": list(drawer.delays(day.followers)),
            "positions": list(drawer.positions(day.lines)),
        }


class _Drawer:
    """Draws one chart after another; each gets a name of its own."""

    def __init__(self, figure: Callable[..., Any]) -> None:
        self._figure = figure
        self._drawn = 0

    def results(self, followers: Sequence[FollowerFigures]) -> Iterator[Chart]:
        of = {one.name: one.result.rupees for one in followers if one.result}
        yield from self._bars(of, "The day's result of each follower's account, in rupees", "rupees")

    def slippage(self, followers: Sequence[FollowerFigures]) -> Iterator[Chart]:
        of = {one.name: one.copies.slippage.rupees for one in followers if one.copies.slippage}
        yield from self._bars(of, "Slippage of each follower, in rupees; to the right is worse", "rupees")

    def outcomes(self, followers: Sequence[FollowerFigures]) -> Iterator[Chart]:
        parts = {
            status: {one.name: float(count) for one in followers if (count := _counts(one.copies)[status])}
            for status in _OF_OUTCOME
        }
        colours = list(_OF_OUTCOME.values())
        yield from self._stacks(parts, colours, "What became of each follower's copies", "copies")

    def delays(self, followers: Sequence[FollowerFigures]) -> Iterator[Chart]:
        parts = {
            part: {
                one.name: delay.p50_ms
                for one in followers
                for delay in one.copies.delays
                if delay.part == part and delay.p50_ms is not None
            }
            for part in DELAY_PARTS
        }
        yield from self._stacks(parts, _COLOURS, "Where the time went: the median of each part, in milliseconds", "ms")

    def positions(self, lines: Sequence[LineOverDay]) -> Iterator[Chart]:
        for line in lines[:LINES]:
            leader = [course for course in line.courses if course.is_leader]
            others = [course for course in line.courses if not course.is_leader]
            others = sorted(others, key=lambda course: -len(course.steps))[:COURSES]
            name = f"{line.symbol or line.security_id} {line.product}"
            yield self._course([*leader, *others], f"{name}: units bought less units sold since the day began")

    def _bars(self, of: dict[str, float], caption: str, unit: str) -> Iterator[Chart]:
        names = sorted(of, key=lambda name: -abs(of[name]))[:BARS]
        if not names:
            return
        figure, axes = self._axes(0.9 + 0.3 * len(names))
        bars = axes.barh([readable(name) for name in names], [of[name] for name in names], color=_COLOURS[0])
        axes.bar_label(bars, [f"{of[name]:,.2f}" for name in names], padding=4)
        axes.axvline(0, color="black", linewidth=0.8)
        axes.margins(x=0.15)
        yield self._finished(figure, axes, caption, unit, drawn=len(names), of=len(of))

    def _stacks(
        self, parts: dict[Any, dict[str, float]], colours: Sequence[str], caption: str, unit: str
    ) -> Iterator[Chart]:
        totals = Counter[str]()
        for of in parts.values():
            totals.update(of)
        names = [name for name, _ in totals.most_common(BARS)]
        if not names:
            return
        figure, axes = self._axes(1.3 + 0.3 * len(names))
        left = dict.fromkeys(names, 0.0)
        for (part, of), colour in zip(parts.items(), colours, strict=False):
            if of:
                widths = [of.get(name, 0) for name in names]
                shown, begins = [readable(name) for name in names], [left[name] for name in names]
                axes.barh(shown, widths, left=begins, color=colour, label=str(part))
                left = {name: left[name] + of.get(name, 0) for name in names}
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=6)
        yield self._finished(figure, axes, caption, unit, drawn=len(names), of=len(totals))

    def _course(self, courses: Sequence[Course], caption: str) -> Chart:
        figure, axes = self._axes(3.2)
        ends = max(course.steps[-1].at for course in courses)
        followers = 0
        for course in courses:
            times = [_time(course.steps[0].at), *(_time(step.at) for step in course.steps), _time(ends)]
            units = [0, *(step.units for step in course.steps), course.steps[-1].units]
            if course.is_leader:
                look: dict[str, Any] = {"color": "black", "linewidth": 2.2}
            else:
                look = {"color": _COLOURS[followers % len(_COLOURS)], "linestyle": _DASHES[followers % len(_DASHES)]}
                followers += 1
            axes.step(times, units, where="post", label=readable(course.account), **look)
        dates = importlib.import_module("matplotlib.dates")
        begins = min(course.steps[0].at for course in courses)
        is_short = ends - begins < SECONDS_BELOW
        axes.xaxis.set_major_locator(dates.AutoDateLocator(minticks=3, maxticks=8))
        axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M:%S" if is_short else "%H:%M"))
        axes.axhline(0, color="black", linewidth=0.5)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return self._finished(figure, axes, f"{caption}, times of India", "", drawn=0, of=0, label="units")

    def _axes(self, height: float) -> tuple[Any, Any]:
        figure = self._figure(figsize=(8.0, height), layout="constrained")
        return figure, figure.subplots()

    def _finished(
        self, figure: Any, axes: Any, caption: str, unit: str, *, drawn: int, of: int, label: str = ""
    ) -> Chart:
        if unit:
            axes.invert_yaxis()
        axes.set_xlabel(unit)
        axes.set_ylabel(label)
        more = f" ({drawn} of {of} followers; the table has all)" if drawn < of else ""
        drawing = io.StringIO()
        figure.savefig(drawing, format="svg", transparent=True, metadata={"Date": None})
        self._drawn += 1
        return Chart(inline(drawing.getvalue(), f"chart{self._drawn}", readable(caption)), f"{caption}{more}.")


def _counts(copies: CopyTotals) -> Counter[str]:
    counts = Counter[str]()
    for outcome in copies.outcomes:
        counts[outcome.outcome] += outcome.copies
    return counts


def _time(at: datetime) -> datetime:
    """Return the time of India without its zone, as matplotlib shows it."""
    return at.astimezone(IST).replace(tzinfo=None)
