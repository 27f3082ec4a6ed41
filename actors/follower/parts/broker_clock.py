"""The time of day by the broker's clock."""

from datetime import datetime, timedelta

from loguru import logger

from copytrade.common import wall_clock
from copytrade.common.logs import fields
from copytrade.common.measures import seconds

#: Differences from the broker's clock up to so many seconds are ignored: they are known no better.
SKEW_THAT_MATTERS = 1.5


class BrokerClock:
    """A part of a follower, in its thread."""

    def __init__(self, follower: str) -> None:
        self._follower = follower
        self._skew = 0.0

    def now(self) -> datetime:
        """Return the time of day by the broker's clock; ages of orders are reckoned by it."""
        now = wall_clock.now()
        return now + timedelta(seconds=self._skew) if self._skew else now

    @property
    def skew(self) -> timedelta:
        """How far the broker's clock is ahead of ours."""
        return timedelta(seconds=self._skew)

    def take(self, skew: float) -> None:
        """Take over by how many seconds the broker is ahead, and log a change that matters."""
        if abs(skew) > SKEW_THAT_MATTERS and abs(skew - self._skew) > SKEW_THAT_MATTERS:
            ahead = fields(follower=self._follower, broker_is_ahead=seconds(skew))
            logger.warning("Our clock is not the broker's, ages are reckoned by the broker's {}", ahead)
        self._skew = skew if abs(skew) > SKEW_THAT_MATTERS else 0.0
