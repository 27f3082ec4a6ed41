"""The status of a running copier as text."""

from collections.abc import Iterable

from copytrade.reports.status import FollowerStatus, Status
from copytrade.reports.text_table import aligned

_HEADS = (
    *("follower", "state", "in sync", "open", "in doubt", "wanted", "result", "slippage", "bps"),
    *("p50", "p99", "ours", "left", "token until"),
)
_TEXT_HEADS = frozenset({"follower", "state", "in sync", "token until"})


def table(status: Status) -> str:
    """Return a table of the followers, then the pauses, differences and last alerts."""
    open_now = [kind for kind, session in status.market.items() if session == "open"]
    market = f"market open ({', '.join(open_now)})" if open_now else "market closed"
    lines = [f"{status.mode}, {market}, up {status.up_s:.0f} s"]
    for leader in status.leaders:
        age = "" if leader.age_s is None else f", heard of {leader.age_s:.0f} s ago"
        lines.append(f"leader {leader.name}: feed {leader.feed}, gate {leader.gate}{age}")
    lines += ["", *aligned(_HEADS, [_row(one) for one in status.followers], _TEXT_HEADS)]
    more = [line for one in status.followers for line in _more(one)]
    more += [f"{alert['at']} {alert['kind']}: {alert['text']}" for alert in status.alerts]
    return "\n".join([*lines, *(["", *more] if more else [])])


def _row(one: FollowerStatus) -> tuple[str, ...]:
    result, slippage = one.day_result or {}, one.slippage or {}
    return (
        one.name,
        one.state,
        "yes" if one.in_sync else "no",
        *(_shown(count, "d") for count in (one.open, one.in_doubt, one.wanted)),
        _shown(result.get("rupees"), "z.2f"),
        _shown(slippage.get("rupees"), "+z.2f"),
        _shown(slippage.get("bps"), "+z.1f"),
        *(_shown(one.latency.get(name), ".1f") for name in ("p50_ms", "p99_ms", "ours_p50_ms")),
        "/".join(map(str, one.budget.values())) or "-",
        one.token_until.removesuffix("+05:30") or "-",
    )


def _more(one: FollowerStatus) -> Iterable[str]:
    if one.copies:
        yield f"{one.name}: {one.copies}"
    for pause in one.paused:
        since = " ".join(
            filter(None, (f"since {pause.since}" if pause.since else "", f"by {pause.by}" if pause.by else ""))
        )
        whom = "" if pause.of else " with everybody"
        yield f"{one.name}: entries paused{whom}{f' {since}' if since else ''}; {pause.end} ends it"
    for gap in one.differences:
        units = "" if gap.units is None else f"{gap.units:+z.2f} "
        of = f" leader order {gap.leader_order}" if gap.leader_order else ""
        whose = f"by {gap.leader}" if gap.leader else ""
        name = " ".join(filter(None, (gap.instrument, gap.product, gap.symbol, whose)))
        why = " ".join(filter(None, (gap.cause, gap.detail)))
        yield f"{one.name}: {name} {units}{why}{of}{' (as the settings say)' if gap.is_meant else ''}"
    for alert in one.alerts:
        yield f"{one.name}: last alert {alert['at']} {alert['kind']}: {alert['text']}"


def _shown(value: float | None, how: str) -> str:
    return "-" if value is None else format(value, how)
