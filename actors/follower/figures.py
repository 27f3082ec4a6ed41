"""What a follower shows of itself: the numbers of its line of status, and the rest of a snapshot."""

from datetime import datetime
from typing import Any

from actors.follower.assembly import Parts
from copytrade.common.measures import Figure, milliseconds, rupees, seconds
from copytrade.core.decide.decisions import Mode, ways_of_copying
from copytrade.core.model.accounts import Result
from copytrade.core.model.orders import IST

#: Seconds by which the broker shows orders late, from which on STATUS shows it.
LAG_WORTH_SHOWING = 0.1


def figures_of(parts: Parts, now: datetime, *, dry_run: bool) -> dict[str, Figure]:
    """Return counts of copies, requests and failures, and latency percentiles of the broker and of our part."""
    engine, latencies, ours = parts.engine, parts.outcomes.latencies, parts.outcomes.ours
    usage = engine.limit_usage
    lag = engine.unknown_outcomes.visibility.longest
    return {
        "dry_run": "yes" if dry_run else "",
        "mode": "/".join(sorted({one.policy.mode for one in engine.context.leaders.values()} - {Mode.ORDERS})),
        "open": len(engine.copies.live),
        "in_doubt": len(engine.copies.in_doubt) or "",
        "result": rupees(usage.result.rupees) if usage.result else "",
        "close_only": "daily_loss" if usage.is_breached(now) else "",
        "requests": parts.in_flight.requests,
        "failed": parts.outcomes.failures or "",
        "rate_limited": parts.account_state.rate_limited or "",
        "lag": seconds(lag, 1) if lag >= LAG_WORTH_SHOWING else "",
        "p50": milliseconds(latencies.percentile(50)),
        "p99": milliseconds(latencies.percentile(99)),
        "ours_p50": milliseconds(ours.percentile(50)),
        "ours_p99": milliseconds(ours.percentile(99)),
    }


def details_of(parts: Parts) -> dict[str, Any]:
    """Return the account's result, what it holds apart from its copies, and what it waits for.

    Each line of ``apart`` is segment, security id, product, and the units that its copies do not explain.
    """
    engine, audit, all_ = parts.engine, parts.audit, parts.outcomes.latencies
    results = [result for result in (engine.limit_usage.result, audit.result) if result is not None]
    return {
        "paused": parts.account_state.is_paused,
        "obstacle": parts.account_state.obstacle,
        "copies": ways_of_copying({name: one.policy for name, one in engine.context.leaders.items()}),
        "wanted": len(engine.work_queue.wanting()),
        "positions_read": _time(audit.read_at) if audit.read_at else None,
        "apart": [
            (one.line.key.segment, one.line.key.security_id, one.line.product, one.manual + one.closed)
            for one in audit.apart
        ],
        "latency": {
            f"{whose}p{percent}_ms": latencies.percentile(percent)
            for whose, latencies in (("", all_), ("ours_", parts.outcomes.ours), ("broker_", parts.outcomes.brokers))
            for percent in (50, 99)
        },
        "day_result": _result(max(results, key=lambda result: result.at)) if results else None,
    }


def _result(result: Result) -> dict[str, Any]:
    return {
        "rupees": float(result.rupees),
        "realised": None if result.realised is None else float(result.realised),
        "unrealised": None if result.unrealised is None else float(result.unrealised),
        "at": _time(result.at),
    }


def _time(at: datetime) -> str:
    return at.astimezone(IST).isoformat(timespec="seconds")
