"""When a crashed actor may be restarted, and when several crashes have one cause."""

from collections import deque
from dataclasses import dataclass
from random import Random

#: Actors that die of one cause within so many seconds of each other make a storm.
ENOUGH, TOGETHER = 3, 10.0

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

    def forgive(self) -> None:
        """Forget every crash: the next one counts as the first."""
        self._crashes.clear()
        self._streak, self._last = 0, None

    def after_crash(self, now: float) -> float | None:
        """Return the seconds to wait before a restart, None if there have been too many.

        The first restart is immediate. Later waits double, and each is up to a fifth longer by chance.
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


class Storms:
    """Detects that several actors die of one cause, and then gives them one shared wait.

    ``members`` is how many actors there are. A storm takes three of them, or three tenths if there are more than ten.
    """

    def __init__(self, members: int, policy: RestartPolicy, rng: Random | None = None) -> None:
        self.members = members
        self._policy = policy
        self._rng = rng or Random()  # noqa: S311 (jitter)
        self._deaths: deque[tuple[float, str, str]] = deque()
        self._waits = 0
        self._last: float | None = None

    @property
    def _enough(self) -> int:
        return max(ENOUGH, -(-self.members * 3 // 10))

    def after_crash(self, name: str, cause: str, now: float) -> float | None:
        """Return the seconds to wait if this crash belongs to a storm, None if it does not.

        The wait grows with each crash of the storm, and starts again after a quiet minute.
        """
        while self._deaths and self._deaths[0][0] + TOGETHER <= now:
            self._deaths.popleft()
        self._deaths.append((now, name, cause))
        if len({who for _, who, of in self._deaths if of == cause}) < self._enough:
            return None
        if self._last is None or now - self._last > STABLE_AFTER:
            self._waits = 0
        self._last = now
        wait = min(self._policy.backoff_max, self._policy.backoff * 2.0 ** (self._waits // self._enough))
        self._waits += 1
        return wait * self._rng.uniform(1.0, 1.2)

    def is_first(self) -> bool:
        """Whether the last crash began a storm, which is then alerted."""
        return self._waits == 1
