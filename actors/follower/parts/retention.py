"""Has a follower forget ended orders of earlier days, once a day when both order books have been read."""

from datetime import date, timedelta

from loguru import logger

from actors.follower.parts.orphan_orders import OrphanOrders
from actors.messages.feeds import BookMerged
from copytrade.common import wall_clock
from copytrade.common.logs import fields
from copytrade.core.decide.risk_limits import trading_day
from copytrade.core.engine.engine import CopyEngine


class Retention:
    """A part of a follower, in its thread.

    Reads of all books show what the broker still knows of earlier days. It is not recorded what is forgotten: a
    restart loads all of the last days and forgets the same again.
    """

    def __init__(
        self,
        follower: str,
        engine: CopyEngine,
        orphan_orders: OrphanOrders,
        *,
        accounts: int,
    ) -> None:
        """``accounts`` is how many have a book that has to be read: the leaders' and the follower's own."""
        self._accounts = accounts
        self._follower = follower
        self._engine = engine
        self._orphan_orders = orphan_orders
        self._read_on: dict[str, date] = {}

    def begin(self) -> None:
        """Wait for new reads: the feeds are about to tell everything that they know."""
        self._read_on.clear()

    def take(self, read: BookMerged) -> None:
        """Note that an account's book was read, and forget ended orders once all were."""
        if not read.names_all or read.skew is None:  # without the broker's clock the day is unknown
            return
        read_at = wall_clock.at(read.began) + timedelta(seconds=read.skew)
        self._read_on[read.account] = trading_day(read_at)
        if len(self._read_on) == self._accounts:
            self._forget(min(self._read_on.values()))

    def _forget(self, day: date) -> None:
        orders = self._engine.forget_before(day)
        self._orphan_orders.forget()
        if orders:
            what = fields(follower=self._follower, orders=orders, before=day)
            logger.info("Ended orders of earlier days forgotten {}", what)
