"""Orders with ids of ours that the database does not know: adopted when it is new, and later a second copier's."""

import time

from loguru import logger

from actors.follower.parts.broker_clock import BrokerClock
from actors.follower.parts.outbox import Journal
from actors.messages import AdoptStrangers, FollowerMessage
from actors.runtime.actor import Seat
from actors.runtime.timers import Clock
from copytrade.common.logs import alert, fields
from copytrade.core.engine.engine import Desk

#: Seconds between looks whether the leader's orders are known, so that orders of ours can be adopted.
ADOPT_AGAIN_AFTER = 0.5


class Strangers:
    """A part of a follower, in its thread. ``window`` is the seconds after which what is not seen is not there."""

    def __init__(
        self,
        seat: Seat[FollowerMessage],
        epoch: int,
        clock: Clock,
        desk: Desk,
        journal: Journal,
        broker_clock: BrokerClock,
        window: float,
    ) -> None:
        self._seat = seat
        self._again = AdoptStrangers(epoch)
        self._clock = clock
        self._desk = desk
        self._journal = journal
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
        if not self._desk.strangers:
            return True
        if self._adopts_from is None:
            self._adopts_from = time.monotonic() + self._window
            what = fields(follower=self._seat.name, orders=len(self._desk.strangers), wait=f"{self._window:g}s")
            logger.warning("Orders of ours that the database does not know, waiting to adopt them {}", what)
        wait = max(self._adopts_from - began, 0.0 if self._desk.knows_leader else ADOPT_AGAIN_AFTER)
        if wait > 0:
            self._clock.tell_later(wait, self._seat, self._again)
            return False
        adopted = self._desk.adopt_strangers(self._now())
        self._journal.note(*adopted)
        self._known = {order.id for order in self._desk.strangers}
        what = fields(follower=self._seat.name, adopted=len(adopted), left=",".join(sorted(self._known)))
        logger.warning("Orders adopted {}", what)
        return True

    def forget(self) -> None:
        """Forget those that are over."""
        self._known.intersection_update(order.id for order in self._desk.strangers)

    def mind(self) -> None:
        """Enter nothing more once somebody else sends orders with our ids."""
        for order in self._desk.strangers:
            if order.id not in self._known:
                self._known.add(order.id)
                what = fields(follower=self._seat.name, order=order.id, id=order.correlation_id)
                alert(
                    "second_copier",
                    self._seat.name,
                    "Another copier sends orders for this account, entries stop {}",
                    what,
                )
                self._desk.suspect_second_copier()
