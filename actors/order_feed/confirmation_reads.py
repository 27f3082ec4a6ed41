"""Reads the leader's order book after his orders changed, so that what a lost frame told is soon known."""

from collections.abc import Iterable

from actors.messages.feeds import NO_GAP, BookRead
from actors.messages.reads import GapRecoveryMessage, ReadBook
from actors.order_feed.messages import GlanceAtBook, OrderFeedInbox
from actors.runtime.address import Address, Recipient
from actors.runtime.timers import Clock
from copytrade.brokers.read_budget import ReadLane

#: Seconds from the change of an order to the read of the book, which mostly shows the order by then; and to a last read
#: once no more changes come, for orders that it shows later.
GLANCE_AFTER, GLANCE_LATER = 1.0, 6.0

#: Seconds between two reads while the feed is down, when only the book shows what the leader does.
GLANCE_WHILE_DOWN = 2.0

#: A read may not show yet what changed so few seconds before it.
TOO_EARLY = 0.5

#: Seconds that the feed has to tell what a read showed first; after that it counts as not told.
TOLD_WITHIN = 2.0

#: Seconds between two reads for each order in the book, so that long books cost no more than short ones.
GLANCE_EACH = 0.002


class ConfirmationReads:
    """A part of the leader's feed, in its thread. It asks for one read a second at most."""

    def __init__(
        self,
        address: Address[OrderFeedInbox],
        epoch: int,
        clock: Clock,
        recovery: Recipient[GapRecoveryMessage],
        leader: str,
    ) -> None:
        self._leader = leader
        self._address = address
        self._epoch = epoch
        self._clock = clock
        self._recovery = recovery
        self._number = 0
        self._is_soon = self._is_last = False
        self._news_at = self._read_at = 0.0
        self._size = 0
        self._ahead: dict[str, float] = {}
        self._is_down = False

    def has_news(self, now: float) -> None:
        """Read the book a second after an order changed."""
        self._news_at, self._is_last = now, False
        if not self._is_soon:
            self._is_soon = True
            self._look_in(max(GLANCE_AFTER, self._read_at + GLANCE_EACH * self._size - now))

    def is_down(self, *, down: bool) -> None:
        """Note that the feed is down or up again; while it is down, read the book every two seconds."""
        if down and not self._is_down and not self._is_soon:
            self._is_soon = True
            self._look_in(GLANCE_WHILE_DOWN)
        self._is_down = down

    def look(self, number: int, now: float) -> None:
        """Have the book read, and schedule the next read: soon after recent news, else one more later."""
        if number != self._number:
            return
        self._is_soon, self._read_at = False, now
        self._recovery.tell(ReadBook(self._leader, NO_GAP, None, after_gap=False, lane=ReadLane.NEWS))
        if self._is_down:
            self._is_soon = True
            self._look_in(max(GLANCE_WHILE_DOWN, GLANCE_EACH * self._size))
        elif now - self._news_at < TOO_EARLY:
            self.has_news(self._news_at)
        elif not self._is_last:
            self._is_last = True
            self._look_in(GLANCE_LATER - GLANCE_AFTER)

    def take(self, read: BookRead) -> None:
        """Note how long the book is: long books are read less often."""
        self._size = len(read.book.orders)

    def is_ahead(self, order_ids: Iterable[str], now: float) -> None:
        """Note orders that a read showed before the feed told them."""
        for order_id in order_ids:
            self._ahead.setdefault(order_id, now)

    def told(self, order_id: str) -> None:
        """Note that the feed has told an order."""
        self._ahead.pop(order_id, None)

    def take_untold(self, now: float) -> int:
        """Return how many orders that reads showed the feed has not told within two seconds; each is counted once."""
        untold = [order_id for order_id, shown in self._ahead.items() if now - shown >= TOLD_WITHIN]
        for order_id in untold:
            del self._ahead[order_id]
        return len(untold)

    def _look_in(self, delay: float) -> None:
        self._number += 1
        self._clock.tell_later(delay, self._address, GlanceAtBook(self._epoch, self._number))
