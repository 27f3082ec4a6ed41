"""Orders with ids of ours that the database does not know: adopted when it is new, and later a second copier's."""

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
    """A part of a follower, in its thread. ``window`` is the seconds after which what is not seen is not there."""

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
        """Adopt orders of ours that the database does not know: it is new, or older than they are.

        ``began`` is when the read began that shows them. Not before whatever was still on its way when the program was
        last at work can be seen, and the leader's orders are known; until then nothing is sent. Return whether it is
        done.
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
        wait = max(self._adopts_from - began, 0.0 if self._engine.knows_leader else ADOPT_AGAIN_AFTER)
        if wait > 0:
            self._clock.tell_later(wait, self._address, self._again)
            return False
        adopted = self._engine.own_orders.adopt_orphan_orders(self._now())
        self._outbox.note(*adopted)
        self._known = {order.id for order in self._engine.own_orders.orphan_orders}
        what = fields(follower=self._address.name, adopted=len(adopted), left=",".join(sorted(self._known)))
        logger.warning("Orders adopted {}", what)
        return True

    def forget(self) -> None:
        """Forget those that are over."""
        self._known.intersection_update(order.id for order in self._engine.own_orders.orphan_orders)

    def mind(self) -> None:
        """Enter nothing more once somebody else sends orders with our ids."""
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
