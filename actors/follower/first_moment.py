"""From when a leader's orders are copied to a follower, where that begins now."""

from collections.abc import Iterable
from datetime import timedelta

from loguru import logger

from actors.follower.messages import FollowerInbox
from actors.follower.parts.outbox import Outbox
from actors.runtime.address import Address
from copytrade.common.logs import fields
from copytrade.core.engine.engine import CopyEngine
from copytrade.core.model.commands import since_key
from copytrade.core.model.orders import IST, Order
from copytrade.storage.records import ConfigSet

#: The broker tells the time of an order to the second.
_SECOND = timedelta(seconds=1)


class FirstMoment:
    """A part of a follower, in its thread, for one leader."""

    def __init__(
        self, address: Address[FollowerInbox], leader: str, engine: CopyEngine, outbox: Outbox, *, joins: bool
    ) -> None:
        """``joins``: the leader was copied before this follower began, so that what his book has was before."""
        self._address = address
        self._leader = leader
        self._engine = engine
        self._outbox = outbox
        self._joins = joins
        #: Whether this follower begins with him now, and its orders left out have not been counted.
        self.is_now = False

    def take_book(self, orders: Iterable[Order]) -> None:
        """Leave out the leader's orders of the second in which this follower begins, if his book has any already."""
        since = self._engine.context.of(self._leader).policy.copying_since
        if (
            self.is_now
            and self._joins
            and any(since <= (one.created_at or one.event_at) < since + _SECOND for one in orders)
        ):
            since += _SECOND
            self._engine.context.of(self._leader).copy_since(since)
            self._outbox.add(ConfigSet(since_key(self._address.name, self._leader), str(int(since.timestamp()))))

    def say(self) -> None:
        """Log once how many orders the leader had placed before; his whole book is known."""
        since = self._engine.context.of(self._leader).policy.copying_since
        left_out = self._engine.orders.count_before(since, self._leader) if self.is_now else 0
        self.is_now = False
        if left_out:
            began = f"{since.astimezone(IST):%H:%M:%S}"
            what = fields(follower=self._address.name, leader=self._leader, since=began, orders=left_out)
            logger.info("Follower begins, earlier orders of the leader are left out {}", what)
