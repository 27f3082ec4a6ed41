"""Having a follower put away what is over, and forget it once a trading day when both order books have been read."""

from collections import deque
from datetime import date, timedelta

from loguru import logger

from actors.follower.parts.orphan_orders import Strangers
from actors.messages import BookMerged, FollowerMessage, PutAway
from actors.runtime.actor import Seat
from actors.runtime.timers import Clock
from copytrade.common import wall_clock
from copytrade.common.logs import fields
from copytrade.core.decide.risk_limits import trading_day
from copytrade.core.engine.engine import Desk

#: The leader's account and the follower's own.
ACCOUNTS = 2

#: How long ago something has to have been over: what has just ended may be told of once or twice again.
OVER_FOR = timedelta(minutes=1)

#: Leader orders that are put away at once, and seconds until the next: one takes a tenth of a millisecond.
AT_ONCE, EVERY = 16, 0.5


class Forgetting:
    """A part of a follower, in its thread.

    Reads of both books tell of all that the broker still knows of the days before. Nothing of what is forgotten or put
    away is written down: a restart knows all of the last days again, and does the same again.
    """

    def __init__(
        self,
        seat: Seat[FollowerMessage],
        epoch: int,
        clock: Clock,
        desk: Desk,
        strangers: Strangers,
    ) -> None:
        self._seat = seat
        self._clock = clock
        self._go_on = PutAway(epoch)
        self._over: deque[str] = deque()
        self._desk = desk
        self._strangers = strangers
        self._read_on: dict[str, date] = {}

    def begin(self) -> None:
        """Wait for reads anew: the feeds are about to tell what they know."""
        self._read_on.clear()

    def take(self, read: BookMerged) -> None:
        """Take note of a read that has been told of, and forget what is over if both accounts' have."""
        if not read.names_all or read.skew is None:  # without the broker's clock it may be any day
            return
        read_at = wall_clock.at(read.began) + timedelta(seconds=read.skew)
        if not self._over:
            self._over.extend(self._desk.to_put_away(read_at - OVER_FOR))
            self.put_away()
        self._read_on[read.account] = trading_day(read_at)
        if len(self._read_on) == ACCOUNTS:
            self._forget(min(self._read_on.values()))

    def put_away(self) -> None:
        """Put some of it away, and go on with the rest a little later."""
        orders = sum(self._desk.put_away(self._over.popleft()) for _ in range(min(AT_ONCE, len(self._over))))
        if orders:
            logger.debug("Put away what is over {}", fields(follower=self._seat.name, orders=orders))
        if self._over:
            self._clock.tell_later(EVERY, self._seat, self._go_on)

    def _forget(self, day: date) -> None:
        orders = self._desk.forget_before(day)
        self._strangers.forget()
        if orders:
            what = fields(follower=self._seat.name, orders=orders, before=day)
            logger.info("Forgotten what is over of earlier days {}", what)
