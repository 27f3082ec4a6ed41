"""Frames and rows that cannot be read, or are another account's: each is told once and counted."""

from collections.abc import Sequence

from loguru import logger

from copytrade.brokers.api import Foreign, Unreadable
from copytrade.common.logs import alert, fields, over

#: Orders of another account in a row, and none of ours, after which the login is taken for the wrong one.
FOREIGN_ALONE = 3

#: Different things that are logged at most: text that differs each time would fill the log.
TOLD_AT_MOST = 1000

#: Reads of the order book that lack an order whose frame could not be read, until it counts as unreadable.
MISSED_READS = 3


class Unread:
    """A part of a feed, in its thread. ``account`` is ``leader`` or the follower's name."""

    def __init__(self, account: str, *, is_leader: bool) -> None:
        self._account = account
        self._is_leader = is_leader
        self._told: set[tuple[str, ...]] = set()
        #: Orders whose frame could not be read: why, and how many reads have not shown them since.
        self._awaited: dict[str, tuple[str, int]] = {}
        self._unreadable: dict[str, str] = {}
        self._foreign_since_login = 0
        self._has_own = False
        #: The ids of the rows in the book that could not be read, if they have one.
        self.shown: tuple[str, ...] = ()
        #: How many frames and rows could not be read, and how many were another account's.
        self.count = self.foreign = 0

    @property
    def orders(self) -> list[tuple[str, str]]:
        """Return the leader's orders that neither frame nor book shows readably, by id, and why."""
        return list(self._unreadable.items())

    @property
    def is_awaiting(self) -> bool:
        """Whether an order whose frame could not be read has to be found in the book."""
        return bool(self._awaited)

    def logged_in(self) -> None:
        """Count anew: the feed has logged in."""
        self._foreign_since_login, self._has_own = 0, False

    def own_frame(self) -> None:
        """Note that the feed tells this account's orders."""
        self._has_own = True

    def frame(self, item: Unreadable) -> None:
        """Log and count a frame that cannot be read."""
        self.count += 1
        if self._is_news("frame", item.order_id, item.what):
            logger.warning("Unreadable frame {}", self._describe(item))
        if item.order_id and len(self._awaited) < TOLD_AT_MOST:
            self._awaited.setdefault(item.order_id, (item.what, 0))

    def foreign_orders(self, items: Sequence[Foreign]) -> None:
        """Log and count orders of another account."""
        for item in items:
            self.foreign += 1
            self._foreign_since_login += item.where == "frame"
            what = fields(account=self._account, where=item.where, client=item.client_id)
            if self._is_news("foreign", item.client_id):
                logger.warning("Order of another account ignored {}", what)
            if not self._has_own and self._foreign_since_login == FOREIGN_ALONE:
                alert("foreign", self._account, "The feed tells of another account's orders alone {}", what)

    def read(self, rows: Sequence[Unreadable], readable: frozenset[str]) -> list[tuple[str, str]]:
        """Take in a read's unreadable rows; return the leader's orders that are newly known to be unreadable.

        An alert is sent about these, because they cannot be copied. Orders that could be read are forgotten.
        """
        self.count += len(rows)
        self.shown = tuple(row.order_id for row in rows if row.order_id)
        for row in rows:
            if self._is_news("row", row.order_id, row.what):
                logger.warning("Unreadable order-book row {}", self._describe(row))
        if not self._is_leader:
            self._awaited.clear()
            return []
        for order_id in [order_id for order_id in self._unreadable if order_id in readable]:
            del self._unreadable[order_id]
            if not self._unreadable:
                over("unreadable", self._account, "Leader's orders can all be read {}", fields(account=self._account))
        news = {row.order_id: row.what for row in rows if row.order_id not in self._unreadable}
        news |= self._missing(readable, {row.order_id for row in rows})
        for order_id, what in news.items():
            if order_id:
                self._unreadable[order_id] = what
            if order_id or self._is_news("nameless", what):
                description = fields(account=self._account, order=order_id, what=what)
                alert("unreadable", self._account, "Leader order unreadable, not copied {}", description)
        return [(order_id, what) for order_id, what in news.items() if order_id]

    def _missing(self, readable: frozenset[str], unreadable: set[str]) -> dict[str, str]:
        """Return orders whose frame could not be read and that several reads have not shown."""
        missing = {}
        for order_id, (what, reads) in list(self._awaited.items()):
            if order_id in readable or order_id in unreadable:
                del self._awaited[order_id]
            elif reads + 1 < MISSED_READS:
                self._awaited[order_id] = what, reads + 1
            else:
                del self._awaited[order_id]
                missing[order_id] = what
        return missing

    def _is_news(self, *what: str) -> bool:
        if what in self._told or len(self._told) >= TOLD_AT_MOST:
            return False
        self._told.add(what)
        return True

    def _describe(self, item: Unreadable) -> str:
        return fields(account=self._account, order=item.order_id, where=item.where, what=item.what)
