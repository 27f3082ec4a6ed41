"""The summary of a session, on one screen."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from copytrade.core.model.copies import MappingStatus
from copytrade.reports.percentiles import percentile
from copytrade.storage.copy_row import CopyRow

_SENT = (MappingStatus.PLACED, MappingStatus.FILLED, MappingStatus.CANCELLED)


def summary(rows: Sequence[CopyRow], seconds: float) -> str:
    """Return a table of the copies created in a session of ``seconds``, one line per follower."""
    by_follower: dict[str, list[CopyRow]] = defaultdict(list)
    for row in rows:
        by_follower[row.follower].append(row)
    heads = f"{'follower':<16} {'copied':>6} {'filled':>6} {'failed':>6} {'open?':>6} {'skipped':>7}"
    lines = [
        f"Session of {seconds:.0f} s, {len(rows)} decisions",
        f"{heads} {'p50 ms':>8} {'p99 ms':>8} {'slippage':>9}  skipped because",
    ]
    lines += [_line(follower, copies) for follower, copies in sorted(by_follower.items())]
    return "\n".join(lines)


def _line(follower: str, rows: Sequence[CopyRow]) -> str:
    statuses = Counter(row.status for row in rows)
    reasons = Counter(row.reason for row in rows if row.status == MappingStatus.SKIPPED)
    latencies = [row.latency_ms for row in rows if row.latency_ms is not None]
    slippages = [row.slippage_rupees for row in rows if row.slippage_rupees is not None]
    why = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
    return (
        f"{follower:<16} {sum(statuses[status] for status in _SENT):>6} {statuses[MappingStatus.FILLED]:>6}"
        f" {statuses[MappingStatus.FAILED]:>6} {statuses[MappingStatus.PLACED] + statuses[MappingStatus.PENDING]:>6}"
        f" {statuses[MappingStatus.SKIPPED]:>7} {_ms(percentile(latencies, 50)):>8} {_ms(percentile(latencies, 99)):>8}"
        f" {sum(slippages):>9.2f}  {why}"
    )


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
