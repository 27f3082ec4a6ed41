"""Percentiles, and the recent latencies for a line of status. The exact figures of a day are in the database."""

from collections import deque


class Latencies:
    """The last few hundred latencies in milliseconds."""

    def __init__(self, keep: int = 500) -> None:
        self._latest: deque[float] = deque(maxlen=keep)
        self._sorted: list[float] | None = None

    def add(self, milliseconds: float) -> None:
        """Add one."""
        self._latest.append(milliseconds)
        self._sorted = None

    def percentile(self, percent: float) -> float | None:
        """Return the percentile, None if there are no latencies."""
        if self._sorted is None:
            self._sorted = sorted(self._latest)
        return _ranked(self._sorted, percent)


def percentile(values: list[float], percent: float) -> float | None:
    """Return the smallest value that at least ``percent`` of all do not exceed, None for no values."""
    return _ranked(sorted(values), percent)


def _ranked(ordered: list[float], percent: float) -> float | None:
    if not ordered:
        return None
    rank = max(0, -(-int(len(ordered) * percent) // 100) - 1)
    return ordered[min(rank, len(ordered) - 1)]
