"""Figures from the broker's records: the time from the leader's frame to the arrival of each follower's request."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from copytrade.reports.percentiles import percentile


@dataclass(frozen=True, slots=True)
class Reaction:
    """The milliseconds from the frame of a leader order to the first and the last follower's request.

    ``at`` is when the frame left, in monotonic seconds; ``missed`` counts followers without a request.
    """

    at: float
    first: float
    last: float
    missed: int

    @property
    def spread(self) -> float:
        """The milliseconds between the first follower and the last."""
        return self.last - self.first


def first_frames(frames: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return when the first frame of each leader order had left the broker, in monotonic seconds."""
    found: dict[str, float] = {}
    for frame in frames:
        order_id = str(json.loads(frame["message"])["Data"]["orderNo"])
        found.setdefault(order_id, frame["at"])
    return found


def reactions(
    orders: Sequence[str], frames: Mapping[str, float], writes: Iterable[Sequence[Mapping[str, Any]]]
) -> list[Reaction]:
    """Return the reaction to each leader order. ``writes`` has the requests of each follower."""
    arrived: dict[str, list[float]] = defaultdict(list)
    followers = 0
    for account in writes:
        followers += 1
        seen = set()
        for write in account:
            named = str((write["payload"] or {}).get("correlationId", "")).split("-")
            if write["kind"] == "place" and len(named) == 3 and named[1] not in seen:
                seen.add(named[1])
                arrived[named[1]].append(write["at"])
    found = []
    for order_id in orders:
        times = [(at - frames[order_id]) * 1000 for at in arrived[order_id]]
        if times:
            found.append(Reaction(frames[order_id], min(times), max(times), followers - len(times)))
        else:
            found.append(Reaction(frames[order_id], float("inf"), float("inf"), followers))
    return found


def figures(values: Iterable[float]) -> dict[str, float]:
    """Return p50, p99 and the maximum of some values."""
    known = list(values)
    named = {"p50": percentile(known, 50), "p99": percentile(known, 99), "max": max(known, default=None)}
    return {name: round(value, 2) for name, value in named.items() if value is not None}


def busiest_second(times: Iterable[float]) -> int:
    """Return the largest number of requests in any sliding second."""
    ordered = sorted(times)
    first = most = 0
    for number, at in enumerate(ordered):
        while ordered[first] <= at - 1.0:
            first += 1
        most = max(most, number - first + 1)
    return most
