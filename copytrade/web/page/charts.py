"""The charts: what each is of, and where the page finds its picture."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from copytrade.core.model.orders import IST
from copytrade.reports.percentiles import percentile
from copytrade.web.live.view import View
from copytrade.web.page import text

#: Bars that are shown at most.
MOST_BARS = 24


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars with their names, in one unit. ``is_signed``: the sign is told by the colour."""

    title: str
    unit: str
    bars: Sequence[tuple[str, float]]
    is_signed: bool


def chart(view: View, name: str) -> Chart | None:
    """Return a chart by its name, None if there is none of that name."""
    made = {"result": _result, "slippage": _slippage, "delay": _delay}.get(name)
    return None if made is None else made(view)


def charts(view: View) -> Mapping[str, Mapping[str, str]]:
    """Return a row for each chart: the addresses of its picture, which change with it, and its numbers as text."""
    found = {}
    for name in ("result", "slippage", "delay"):
        one = chart(view, name)
        if one is not None and one.bars:
            version = hashlib.sha256(json.dumps(one.bars).encode()).hexdigest()[:12]
            numbers = ", ".join(f"{of} {text.number(value, 2)}" for of, value in one.bars)
            found[name] = {
                "title": one.title,
                "src": f"/charts/{name}.svg?theme=light&v={version}",
                "dark": f"/charts/{name}.svg?theme=dark&v={version}",
                "numbers": f"{one.title}, {one.unit}: {numbers}",
            }
    return found


def _result(view: View) -> Chart:
    followers = view.shown.followers if view.shown else ()
    bars = [(one.name, float(one.day_result["rupees"])) for one in followers if one.day_result]
    return Chart("Result of the day", "rupees", _largest(bars), True)


def _slippage(view: View) -> Chart:
    followers = view.shown.followers if view.shown else ()
    bars = [(one.name, one.slippage["rupees"]) for one in followers if one.slippage]
    return Chart("Slippage of the day (more is worse)", "rupees", _largest(bars), False)


def _delay(view: View) -> Chart:
    by_hour: defaultdict[int, list[float]] = defaultdict(list)
    for copy in view.day.copies if view.day else ():
        if copy.latency_ms is not None:
            by_hour[copy.created_at.astimezone(IST).hour].append(copy.latency_ms)
    bars = [(f"{hour:02}:00", round(percentile(took, 50) or 0.0, 1)) for hour, took in sorted(by_hour.items())]
    return Chart("Delay by the hour, half of the copies within", "ms", bars, False)


def _largest(bars: Sequence[tuple[str, float]]) -> Sequence[tuple[str, float]]:
    kept = {name for name, _ in sorted(bars, key=lambda bar: -abs(bar[1]))[:MOST_BARS]}
    return [bar for bar in bars if bar[0] in kept]
