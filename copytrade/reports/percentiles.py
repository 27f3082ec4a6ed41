"""Percentiles, and the recent latencies for a line of status. The exact figures of a day are in the database."""

from collections import deque


class Latencies:
    """The last few hundred latencies in milliseconds."""

    def __init__(self, keep: int = 500) -> None:
        self._latest: deque[float] = deque(maxlen=keep)

    def add(self, milliseconds: float) -> None:
        """Add one."""
        self._latest.append(milliseconds)

    def percentile(self, percent: float) -> str:
        """Return the percentile as text, "" if there are no latencies."""
        value = percentile(self._latest, percent)
        return "" if value is None else f"{value:.1f}ms"


def percentile(values: "deque[float] | list[float]", percent: float) -> float | None:
    """Return the smallest value that at least ``percent`` of all do not exceed, None for no values."""
    if not values:
        return None
    ordered = sorted(values)
    rank = max(0, -(-int(len(ordered) * percent) // 100) - 1)
    return ordered[min(rank, len(ordered) - 1)]
