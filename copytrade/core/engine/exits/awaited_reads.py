"""The reads of the account that an exit waits for: they show what was filled or closed while the feed was down.

After a start, a takeover or a loss of the account's own feed an exit needs one read of the own order book and one of
the positions that began since. It waits for them for three seconds at most: an exit that waits is as fatal as one that
oversells.
"""

from datetime import datetime, timedelta

#: How long an exit waits for the reads.
PATIENCE = timedelta(seconds=3)

#: How long it is remembered that an exit waited.
FORGOTTEN_AFTER = timedelta(minutes=1)


class ExitReads:
    """Keeps since when the account's own feed is complete, and when its book and positions were last read.

    All times are by our clock. Without a feed that is up, only reads begun after the exit was wanted count.
    """

    def __init__(self) -> None:
        self._told_since: datetime | None = None
        self._book: datetime | None = None
        self._positions: datetime | None = None
        self._wanted: dict[str, datetime] = {}
        self._told: set[str] = set()
        self._unseen = False

    def read_twice(self) -> None:
        """Count the second read of the book as the first: another node may have had a request under way at that one."""
        self._unseen = True

    def feed_is_up(self, since: datetime) -> None:
        """The own feed is complete from ``since`` on."""
        self._told_since = since

    def feed_is_down(self) -> None:
        """The own feed may miss something from now on."""
        self._told_since = None

    def book_read(self, began: datetime) -> None:
        """The own order book was read."""
        if self._unseen:
            self._unseen = False
            return
        self._book = max(began, self._book or began)
        self._forget()

    def positions_read(self, began: datetime) -> None:
        """The own positions were read."""
        self._positions = max(began, self._positions or began)
        self._forget()

    def wait_until(self, leader_order_id: str, now: datetime) -> datetime | None:
        """Return until when an exit waits for reads, None where it can leave."""
        if self._are_read_since(self._told_since):
            self._wanted.clear()
            return None
        wanted = self._wanted.setdefault(leader_order_id, now)
        if self._are_read_since(wanted) or now >= wanted + PATIENCE:
            return None
        return wanted + PATIENCE

    def is_awaited(self) -> bool:
        """Whether an exit waits for reads, or has left without them."""
        return not all(self._are_read_since(wanted) for wanted in self._wanted.values())

    def take_unread(self, leader_order_id: str) -> bool:
        """Return whether an exit leaves now without the reads that it waited for; True once for each leader order."""
        wanted = self._wanted.get(leader_order_id)
        if wanted is None or leader_order_id in self._told:
            return False
        if self._are_read_since(wanted) or self._are_read_since(self._told_since):
            return False
        self._told.add(leader_order_id)
        return True

    def _forget(self) -> None:
        """Forget exits that can leave since long, or by what the feed tells."""
        if self._are_read_since(self._told_since):
            self._wanted.clear()
        elif self._positions is not None:
            since = self._positions - FORGOTTEN_AFTER
            self._wanted = {order_id: wanted for order_id, wanted in self._wanted.items() if wanted > since}
        self._told &= self._wanted.keys()

    def _are_read_since(self, moment: datetime | None) -> bool:
        if moment is None or self._book is None or self._positions is None:
            return False
        return self._book >= moment and self._positions >= moment
