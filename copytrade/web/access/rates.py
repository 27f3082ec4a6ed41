"""How often somebody may ask."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

#: Addresses that are remembered at most.
MOST_KEPT = 1000


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Rate:
    """At most ``burst`` at once and ``a_second`` over time, for each name."""

    def __init__(self, burst: int, a_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._a_second = a_second
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def allows(self, name: str) -> bool:
        """Whether this one is allowed; it counts if it is."""
        bucket = self._filled(name)
        if bucket.left < 1:
            return False
        bucket.left -= 1
        return True

    def is_used_up(self, name: str) -> bool:
        """Whether the next would not be allowed; nothing counts."""
        return self._filled(name).left < 1

    def _filled(self, name: str) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.get(name)
        if bucket is None:
            while len(self._buckets) >= MOST_KEPT:
                self._buckets.popitem(last=False)
            bucket = self._buckets[name] = _Bucket(float(self._burst), now)
        self._buckets.move_to_end(name)
        bucket.left = min(self._burst, bucket.left + (now - bucket.at) * self._a_second)
        bucket.at = now
        return bucket
