"""One follower's own order book: when it is read, and how late the broker shows accepted orders in it."""

import time

from loguru import logger

from actors.follower.messages import FollowerInbox, LookAround
from actors.follower.parts.broker_clock import BrokerClock
from actors.follower.parts.orphan_orders import OrphanOrders
from actors.follower.parts.outbox import Outbox
from actors.follower.parts.takeover import Takeover
from actors.messages.feeds import NO_GAP, BookMerged
from actors.messages.reads import GapRecoveryMessage, ReadBook, ReadNet, SearchOrder
from actors.runtime.address import Address, Recipient
from actors.runtime.timers import Clock, phase_of
from copytrade.brokers.read_budget import ReadLane
from copytrade.common.logs import fields
from copytrade.common.measures import seconds
from copytrade.core.engine.copies.holds import pause
from copytrade.core.engine.engine import CopyEngine
from copytrade.core.model.copies import CopyId

#: Seconds from an acceptance to the read that shows how late the book is. The shortest time between two such reads, and
#: that for each order in the book, because reading a thousand takes 50 ms; either is doubled for some accounts.
LOOK_AROUND_AFTER, LOOK_AROUND_EVERY, LOOK_AROUND_EACH = 1.0, 10.0, 0.1


class OwnBook:
    """A part of a follower, in its thread.

    ``window`` is the seconds over which reads must lack an order, at least, to prove that it does not exist.
    """

    def __init__(
        self,
        address: Address[FollowerInbox],
        epoch: int,
        clock: Clock,
        recovery: Recipient[GapRecoveryMessage],
        engine: CopyEngine,
        outbox: Outbox,
        broker_clock: BrokerClock,
        orphan_orders: OrphanOrders,
        takeover: Takeover,
        window: float,
        *,
        holdings: bool,
    ) -> None:
        self._address = address
        self._around = LookAround(epoch)
        self._clock = clock
        self._recovery = recovery
        self._engine = engine
        self._outbox = outbox
        self._broker_clock = broker_clock
        self._orphan_orders = orphan_orders
        self._takeover = takeover
        self._window = window
        self._holdings = holdings
        self._size = 0
        self._looks_around_after = 0.0
        self._lag_told = 0.0
        self._behind = 0
        self._catches_up_after = 0.0
        #: Whether our orders at the broker are known, so that something may be sent.
        self.is_read = False
        engine.set_own_book(is_read=False)

    def read(self, lane: ReadLane = ReadLane.AWAITED) -> None:
        """Have the book read; before all other reads while nothing may be sent without it."""
        read = ReadBook(self._address.name, NO_GAP, None, after_gap=False, urgent=not self.is_read, lane=lane)
        self._recovery.tell(read)

    def look_around(self) -> None:
        """After an acceptance, read the book now and then to see how late it shows the order."""
        if (now := time.monotonic()) >= self._looks_around_after:
            rest = max(LOOK_AROUND_EVERY, LOOK_AROUND_EACH * self._size)
            self._looks_around_after = now + rest * (1.0 + phase_of(self._address.name))  # not all accounts at once
            self._clock.tell_later(LOOK_AROUND_AFTER, self._address, self._around)

    def look_up(self, copy_id: CopyId) -> None:
        """Have the book read and an order in doubt searched for; if it may be sent again, the positions as well."""
        self.read()
        now = time.monotonic()
        if self._engine.wants_search(copy_id, now):
            self._recovery.tell(SearchOrder(self._address.name, self._engine.copies.copy(copy_id).correlation_id))
        if self._engine.unshown.wants_positions(copy_id, now):
            self._recovery.tell(ReadNet(self._address.name, self._holdings, self._address, urgent=True))

    def take_snapshot(self, *, gate_open: bool) -> None:
        """Take in what the feed knew when we subscribed. With an open gate that is the whole book."""
        if self._takeover.goes_on(time.monotonic()):
            return
        if gate_open and not self._engine.own_orders.orphan_orders:
            self._is_known()

    def take(self, read: BookMerged) -> None:
        """Take in a read: which orders it lacks, how late it is, and how far our clock is from the broker's."""
        self._size = len(read.order_ids)
        now = self._broker_clock.now()
        self._outbox.note(*self._engine.own_orders.book_read(read.began, now, read.order_ids, read.unreadable))
        self._broker_clock.take(read.skew or 0.0)
        self._engine.context.skew = self._broker_clock.skew
        visibility = self._engine.unknown_outcomes.visibility
        if visibility.longest > max(2 * self._lag_told, self._window / 2):
            self._lag_told = visibility.longest
            lag = fields(
                follower=self._address.name, lag=seconds(visibility.longest, 1), absence_window=f"{self._window:g}s"
            )
            logger.warning("Broker shows orders late, absence is proven over a longer time {}", lag)
        self._catch_up(is_behind=visibility.is_behind)
        if self.is_read:
            return
        if self._takeover.goes_on(read.began):
            if self._engine.knows_leaders:
                self._orphan_orders.adopt_now()
        elif self._orphan_orders.adopt(read.began):
            self._is_known()

    def _is_known(self) -> None:
        self.is_read = True
        self._engine.set_own_book(is_read=True)

    def _catch_up(self, *, is_behind: bool) -> None:
        """Have the book read again while it lacks accepted orders, at growing intervals."""
        if not is_behind:
            self._behind = 0
        elif (now := time.monotonic()) >= self._catches_up_after:
            self._behind += 1
            self._catches_up_after = now + pause(self._behind)
            self._clock.tell_later(pause(self._behind), self._address, self._around)
