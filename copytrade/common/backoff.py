"""Waiting times before retries."""

from random import Random

_FIRST = 0.5
_LONGEST = 30.0
_DOUBLINGS = 6


def backoff_delay(attempt: int, rng: Random) -> float:
    """Return the seconds to wait before retry ``attempt`` (0, 1, ...).

    At most 0.5 s before the first, doubling up to 30 s. Each is drawn from the upper half of its range, so that many
    accounts that lost the broker together do not come back together.
    """
    longest = min(_LONGEST, _FIRST * 2.0 ** min(attempt, _DOUBLINGS))
    return rng.uniform(longest / 2, longest)


class Backoff:
    """The waits of one operation that is retried until it works."""

    def __init__(self, rng: Random | None = None) -> None:
        self._rng = rng or Random()  # noqa: S311 (no secret depends on it)
        self._attempt = 0

    def next_delay(self) -> float:
        """Return the seconds to wait before the next try."""
        delay = backoff_delay(self._attempt, self._rng)
        self._attempt += 1
        return delay

    def reset(self) -> None:
        """Start over: it worked."""
        self._attempt = 0
