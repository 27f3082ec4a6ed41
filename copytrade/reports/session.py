"""The summary of a session, on one screen."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from copytrade.common.counts import counted
from copytrade.core.model.copies import MappingStatus
from copytrade.reports.percentiles import percentile
from copytrade.reports.queries import was_late
from copytrade.reports.text_table import aligned
from copytrade.storage.copies_table import CopyRow

_SENT = (MappingStatus.PLACED, MappingStatus.FILLED, MappingStatus.CANCELLED)
_OPEN = (MappingStatus.PLACED, MappingStatus.PENDING)

_HEADS = ("follower", "copied", "filled", "failed", "open?", "skipped", "late", "p50 ms", "p99 ms", "slippage")

#: Columns of the screen that a summary is written for.
_WIDTH = 80


def summary(rows: Sequence[CopyRow], seconds: float) -> str:
    """Return a table of the copies created in a session of ``seconds``, and why others were skipped."""
    ordered = sorted(rows, key=attrgetter("follower"))
    by_follower = [(name, list(copies)) for name, copies in groupby(ordered, key=attrgetter("follower"))]
    lines = [f"Session of {seconds:.0f} s, {counted(len(rows), 'decision')}"]
    lines += aligned(_HEADS, [_line(follower, copies) for follower, copies in by_follower], {"follower"})
    for follower, copies in by_follower:
        reasons = Counter(row.reason for row in copies if row.status == MappingStatus.SKIPPED)
        if reasons:
            why = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
            lines += textwrap.wrap(f"{follower} skipped: {why}", _WIDTH, subsequent_indent="  ")
    return "\n".join(lines)


def read_next(rows: Sequence[CopyRow], settings_file: Path, log: str) -> str:
    """Return which commands and files say more about a session."""
    program = "python run.py" + ("" if settings_file == Path("settings.toml") else f" --settings {settings_file}")
    order = next((row.leader_order_id for row in rows), "<leader order id>")
    return "\n".join(
        [
            "To read next:",
            f"  {program} report",
            "      the day: a line a follower, and every fill with slippage and latency",
            f"  {program} explain {order}",
            "      everything that became of one order of the leader's, and why",
            f"  {log}",
            "      the log: a line an event",
        ]
    )


def _line(follower: str, rows: Sequence[CopyRow]) -> tuple[str, ...]:
    statuses = Counter(row.status for row in rows)
    latencies = [row.latency_ms for row in rows if row.latency_ms is not None]
    slippages = [row.slippage_rupees for row in rows if row.slippage_rupees is not None]
    return (
        follower,
        str(sum(statuses[status] for status in _SENT)),
        str(statuses[MappingStatus.FILLED]),
        str(statuses[MappingStatus.FAILED]),
        str(sum(statuses[status] for status in _OPEN)),
        str(statuses[MappingStatus.SKIPPED]),
        str(sum(map(was_late, rows))),
        _ms(percentile(latencies, 50)),
        _ms(percentile(latencies, 99)),
        f"{sum(slippages):z.2f}",
    )


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
