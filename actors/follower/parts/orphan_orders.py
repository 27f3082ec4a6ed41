"""Orders with ids of ours that the database does not know: of a lost database, or of a second copier."""

import time

from loguru import logger

from actors.follower.messages import AdoptOrphanOrders, FollowerInbox
from actors.follower.parts.broker_clock import BrokerClock
from actors.follower.parts.outbox import Outbox
from actors.runtime.address import Address
from actors.runtime.timers import Clock
from copytrade.common.logs import alert, fields
from copytrade.core.engine.engine import CopyEngine

#: Seconds between looks whether the leader's orders are known, so that orders of ours can be adopted.
ADOPT_AGAIN_AFTER = 0.5


class OrphanOrders:
    """A part of a follower, in its thread.

    ``window`` is the seconds after which an order that is not visible does not exist.
    """

    def __init__(
        self,
        address: Address[FollowerInbox],
        epoch: int,
        clock: Clock,
        engine: CopyEngine,
        outbox: Outbox,
        broker_clock: BrokerClock,
        window: float,
    ) -> None:
        self._address = address
        self._again = AdoptOrphanOrders(epoch)
        self._clock = clock
        self._engine = engine
        self._outbox = outbox
        self._now = broker_clock.now
        self._window = window
        self._adopts_from: float | None = None
        self._known: set[str] = set()

    def adopt(self, began: float) -> bool:
        """Adopt orders of ours that the database does not know; return whether that is done.

        ``began`` is when the read that shows them began, a monotonic time. They are adopted once everything that an
        earlier run sent is visible and the leader's orders are known. Until then nothing is sent.
        """
        if not self._engine.own_orders.orphan_orders:
            return True
        if self._adopts_from is None:
            self._adopts_from = time.monotonic() + self._window
            what = fields(
                follower=self._address.name,
                orders=len(self._engine.own_orders.orphan_orders),
                wait=f"{self._window:g}s",
            )
            logger.warning("Orders of ours that the database does not know, waiting to adopt them {}", what)
        wait = max(self._adopts_from - began, 0.0 if self._engine.knows_leaders else ADOPT_AGAIN_AFTER)
        if wait > 0:
            self._clock.tell_later(wait, self._address, self._again)
            return False
        self.adopt_now()
        return True

    def adopt_now(self) -> None:
        """Adopt those that fit an order of a leader's."""
        orphans = self._engine.own_orders.orphan_orders
        if all(order.id in self._known for order in orphans):
            return
        adopted = self._engine.own_orders.adopt_orphan_orders(self._now())
        self._outbox.note(*adopted)
        self._known = {order.id for order in self._engine.own_orders.orphan_orders}
        what = fields(follower=self._address.name, adopted=len(adopted), left=",".join(sorted(self._known)))
        logger.warning("Orders adopted {}", what)

    def forget(self) -> None:
        """Drop orders that the engine has forgotten."""
        self._known.intersection_update(order.id for order in self._engine.own_orders.orphan_orders)

    def mind(self) -> None:
        """Stop entries once a new order with an id of ours appears: another copier sends for this account."""
        for order in self._engine.own_orders.orphan_orders:
            if order.id not in self._known:
                self._known.add(order.id)
                what = fields(follower=self._address.name, order=order.id, id=order.correlation_id)
                alert(
                    "second_copier",
                    self._address.name,
                    "Another copier sends orders for this account, entries stop {}",
                    what,
                )
                self._engine.suspect_second_copier()
