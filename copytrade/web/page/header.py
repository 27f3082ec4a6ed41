"""The head of the page: mode, market, totals, and the leaders."""

from collections.abc import Mapping, Sequence

from copytrade.reports.percentiles import percentile
from copytrade.reports.queries import was_late
from copytrade.reports.status import FollowerStatus
from copytrade.web.live.view import Day, View
from copytrade.web.page import text

Rows = Mapping[str, Mapping[str, str]]


def header(view: View) -> Rows:
    """Return the one row of the head."""
    status = view.status
    if status is None:
        return {"header": {"why": view.why, "row:lives": "no"}}
    closed = [one.name for one in status.leaders if one.gate != "open"]
    open_now = [kind for kind, session in status.market.items() if session == "open"]
    followers = status.followers
    results = [one.day_result["rupees"] for one in followers if one.day_result]
    slippages = [one.slippage["rupees"] for one in followers if one.slippage]
    return {
        "header": {
            "why": f"Entries wait: orders of {', '.join(closed)} may have been missed (gate closed)" if closed else "",
            "row:lives": "yes",
            "row:mode": status.mode,
            "mode": status.mode,
            "market": "open" if open_now else "closed",
            "markets": ", ".join(open_now),
            "up": text.span(status.up_s),
            "at": text.clock(status.at),
            "followers": str(len(followers)),
            "in_sync": f"{sum(one.in_sync for one in followers)} of {len(followers)}",
            "row:sync": "yes" if not closed and all(one.in_sync for one in followers) else "no",
            "paused": str(sum(bool(one.paused) for one in followers)),
            "open": str(sum(one.open or 0 for one in followers)),
            "in_doubt": str(sum(one.in_doubt or 0 for one in followers)),
            "row:doubt": "yes" if any(one.in_doubt for one in followers) else "",
            "result": text.signed(sum(results)) if results else text.UNKNOWN,
            "row:result": text.sign_of(sum(results)),
            "read": _oldest(followers),
            "slippage": text.signed(sum(slippages)) if slippages else text.UNKNOWN,
            **_delays(view.day),
        }
    }


def leaders(view: View) -> Rows:
    """Return a row a leader."""
    return {
        one.name: {
            "name": one.name,
            "feed": one.feed,
            "row:feed": "good" if one.feed == "live" else "bad",
            "gate": one.gate,
            "row:gate": "good" if one.gate == "open" else "bad",
            "age": text.span(one.age_s),
            "token": text.until(one.token_until),
        }
        for one in (view.shown.leaders if view.shown else ())
    }


def _oldest(followers: Sequence[FollowerStatus]) -> str:
    """Return when the oldest of the results was read, "" where none was."""
    read = [one.day_result["at"] for one in followers if one.day_result and "at" in one.day_result]
    return f"read at {text.clock(min(read))}" if read else ""


def _delays(day: Day | None) -> Mapping[str, str]:
    """Return how late the copies of the day were: the half of them and the worst, by us and by the broker."""
    measured = [copy for copy in day.copies if copy.latency_ms is not None] if day else []
    late = sum(map(was_late, day.copies)) if day else 0
    if not measured:
        return {"delay": text.UNKNOWN, "worst": "", "late": str(late), "row:late": "yes" if late else ""}
    brokers = [copy.broker_ms or 0.0 for copy in measured]
    ours = [(copy.latency_ms or 0.0) - (copy.broker_ms or 0.0) for copy in measured]
    worst = max(measured, key=lambda copy: copy.latency_ms or 0.0)
    most = worst.latency_ms or 0.0
    whose = "broker" if (worst.broker_ms or 0.0) > most / 2 else "us"
    return {
        "delay": f"{_half(ours)} ms us + {_half(brokers)} ms broker",
        "worst": f"worst {text.number(most)} ms, mostly {whose}",
        "late": str(late),
        "row:late": "yes" if late else "",
    }


def _half(values: list[float]) -> str:
    return text.number(percentile(values, 50), 1)
