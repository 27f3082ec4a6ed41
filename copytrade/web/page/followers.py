"""A row a follower."""

from collections.abc import Mapping

from copytrade.reports.status import Difference, FollowerStatus, Pause
from copytrade.web.live.view import View
from copytrade.web.page import text

#: States of a follower that does what it should.
_WORKS = frozenset({"live", "busy", "paused"})

#: The windows of the request budget.
_WINDOWS = {"1s": "this second", "60s": "this minute", "3600s": "this hour", "day": "today"}


def followers(view: View) -> Mapping[str, Mapping[str, str]]:
    """Return the rows."""
    return {one.name: _row(one) for one in (view.shown.followers if view.shown else ())}


def _row(one: FollowerStatus) -> Mapping[str, str]:
    result, slippage = one.day_result or {}, one.slippage or {}
    alert = one.alerts[0] if one.alerts else {}
    gaps = sorted(one.differences, key=lambda gap: gap.is_meant)
    feed = "" if one.feed == "live" else f"feed {one.feed}"
    return {
        "name": one.name,
        "row:health": _health(one),
        "row:paused": "yes" if one.paused else "",
        "row:quarantined": "yes" if one.state == "quarantined" else "",
        "state": ", ".join(dict.fromkeys(filter(None, (one.state, feed, "paused" if one.paused else "")))),
        "sync": "in sync" if one.in_sync else "differs",
        "row:sync": "yes" if one.in_sync else "no",
        "why": "; ".join(map(difference, gaps)) or ("" if one.in_sync else "positions not read yet"),
        "paused": "; ".join(map(_pause, one.paused)),
        "open": text.number(one.open),
        "in_doubt": text.number(one.in_doubt),
        "row:doubt": "yes" if one.in_doubt else "",
        "wanted": text.number(one.wanted),
        "result": text.signed(result.get("rupees")),
        "row:result": text.sign_of(result.get("rupees")),
        "read": text.clock(result["at"]) if "at" in result else "",
        "realised": text.signed(result.get("realised")),
        "unrealised": text.signed(result.get("unrealised")),
        "slippage": text.signed(slippage.get("rupees")),
        "bps": text.signed(slippage.get("bps"), 1),
        **{
            name: text.number(one.latency.get(f"{name}_ms"), 1)
            for name in ("p50", "p99", "ours_p50", "ours_p99", "broker_p50", "broker_p99")
        },
        "left": ", ".join(f"{left} {_WINDOWS.get(window, window)}" for window, left in one.budget.items()),
        "least": text.number(min(one.budget.values())) if one.budget else text.UNKNOWN,
        "token": text.until(one.token_until),
        "alert": f"{text.clock(alert['at'])} {alert['kind']}: {alert['text']}" if alert else "",
    }


def difference(gap: Difference) -> str:
    """Return how a line differs, and why."""
    return f"{gap.symbol or gap.instrument} {gap.product} {cause(gap)}"


def cause(gap: Difference) -> str:
    """Return by how many units a line differs, and why."""
    units = "" if gap.units is None else text.signed(gap.units, 0 if gap.units == int(gap.units) else 2)
    of = f"(leader order {gap.leader_order})" if gap.leader_order else ""
    why = (gap.cause.replace("_", " "), gap.detail.replace("_", " "), of, "as set" if gap.is_meant else "")
    return " ".join(filter(None, (units, *why)))


def _pause(pause: Pause) -> str:
    whom = "" if pause.of else " with everybody"
    since = f" since {pause.since}" if pause.since else ""
    return f"paused{whom}{since}{f' by {pause.by}' if pause.by else ''}"


def _health(one: FollowerStatus) -> str:
    if one.state not in _WORKS or one.feed != "live":
        return "bad"
    return "good" if one.is_live and one.in_sync and not one.in_doubt else "warning"
