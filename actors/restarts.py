"""When a crashed actor may be started again."""

from collections import deque
from dataclasses import dataclass
from random import Random

#: Seconds without a crash after which the next one counts as the first.
STABLE_AFTER = 60.0


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """At most ``max_restarts`` in ``window`` seconds; waits double from ``backoff`` to ``backoff_max`` seconds."""

    max_restarts: int
    window: float
    backoff: float
    backoff_max: float


class Restarts:
    """The crashes of one actor. Times are monotonic seconds."""

    def __init__(self, policy: RestartPolicy, rng: Random | None = None) -> None:
        self._policy = policy
        self._rng = rng or Random()  # noqa: S311 (jitter)
        self._crashes: deque[float] = deque()
        self._streak = 0
        self._last: float | None = None

    def after_crash(self, now: float) -> float | None:
        """Return the seconds to wait before a restart, None if there have been too many.

        The first restart is at once; the waits after it double, each up to a fifth longer by chance.
        """
        while self._crashes and self._crashes[0] + self._policy.window <= now:
            self._crashes.popleft()
        self._crashes.append(now)
        if len(self._crashes) > self._policy.max_restarts:
            return None
        self._streak = 0 if self._last is None or now - self._last > STABLE_AFTER else self._streak + 1
        self._last = now
        if self._streak == 0:
            return 0.0
        wait = min(self._policy.backoff_max, self._policy.backoff * 2.0 ** (self._streak - 1))
        return wait * self._rng.uniform(1.0, 1.2)
