"""One account's order updates: the owner of that account's book of today's orders."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from loguru import logger

from actors.messages.feeds import (
    BookMerged,
    BookRead,
    BookSnapshot,
    FeedNews,
    OrderUnreadable,
    SearchAnswered,
    SearchMerged,
    Subscribe,
    Unsubscribe,
)
from actors.messages.positions import NetRead
from actors.messages.reads import GapRecoveryMessage
from actors.messages.store import StoreMessage, Writer
from actors.messages.tokens import TokenKeeperMessage, TokenLost, TokenReplaced
from actors.order_feed.account import FeedAccount
from actors.order_feed.confirmation_reads import ConfirmationReads
from actors.order_feed.connection import Connection
from actors.order_feed.connection_log import LASTS_AFTER, ConnectionLog
from actors.order_feed.gate import Gate
from actors.order_feed.leader_positions import LeaderNet
from actors.order_feed.messages import (
    AuditBook,
    Connect,
    FeedConnected,
    FeedLost,
    FrameReceived,
    GlanceAtBook,
    Lasted,
    OrderFeedInbox,
    RereadBook,
)
from actors.order_feed.publisher import Publisher
from actors.order_feed.unreadable import Unread
from actors.runtime.actor import ActorUp, GuardedActor, Incarnation
from actors.runtime.address import Recipient
from actors.runtime.timers import Clock, phase_of
from copytrade.brokers.api import FeedConnection, FeedEnded, Foreign, Told, Unreadable
from copytrade.common import wall_clock
from copytrade.common.logs import fields
from copytrade.common.measures import Figure
from copytrade.core.engine.copies.unknown_outcomes import UnreadableRow
from copytrade.core.engine.retention import LOOK_BACK
from copytrade.core.market.sessions import MarketHours
from copytrade.core.model.order_book import Book, Change, chronological
from copytrade.core.model.orders import IST

#: Seconds after the leader's login at which the book is read again. A login has no acknowledgement, so changes between
#: the first read and the moment at which the broker really begins to send would be missed. For a follower each delay is
#: up to twice as long, because fifty books read at once delayed an order by 150 ms.
REREAD_AFTER = (2.0, 10.0)


class OrderFeed(GuardedActor[OrderFeedInbox]):
    """Merges frames and reads into its book, and tells every subscriber what changed; it does no other work."""

    def __init__(
        self,
        life: Incarnation[OrderFeedInbox],
        account: FeedAccount,
        clock: Clock,
        store: Recipient[StoreMessage],
        recovery: Recipient[GapRecoveryMessage],
        tokens: Recipient[TokenKeeperMessage],
        audit_interval: float,
        since: datetime | None,
        hours: MarketHours | None,
        *,
        holdings: bool,
        book_delay: timedelta = timedelta(0),
    ) -> None:
        """``since`` is the time of the leader's last known event. ``holdings``: shares are copied too.

        ``book_delay`` is by how much the account's order book was late today, as far as it is known.
        """
        super().__init__(life)
        self._account = account
        self._is_leader = account.is_leader
        self._clock = clock
        self._store = store
        self._recovery = recovery
        self._tokens = tokens
        self._audit_interval = audit_interval
        self._book = Book(book_delay)
        writer = Writer(life.address.name, life.epoch)
        self._publisher = Publisher(account, self.health, store, writer, since, hours)
        self._gate = Gate(life.address, life.epoch, clock, recovery, account.name, self._publisher)
        self._connection = Connection(life.address, life.epoch, clock, tokens, account, self.health, self._gate)
        self._log = ConnectionLog(account)
        self._net = LeaderNet(life.address, recovery, account.name, holdings=holdings)
        self._confirmation_reads = ConfirmationReads(life.address, life.epoch, clock, recovery, account.name)
        self._unread = Unread(account.name, is_leader=account.is_leader)
        self._updates = self._found = self._missed = 0

    def set_up(self) -> None:
        """Ask for a token to connect with, and schedule the first audit."""
        self.health.state = "connecting"
        self._connection.ask_for_token()
        first = 1.0 if self._is_leader else phase_of(self._account.name)
        self._clock.tell_later(self._audit_interval * first, self.address, AuditBook(self.epoch))

    def receive(self, message: OrderFeedInbox) -> None:
        """Merge frames and reads, keep connected, answer subscribers."""
        match message:
            case FrameReceived(connection, items, received) if connection == self._connection.id:
                self._merge_frame(items, received)
            case Subscribe(subscriber):
                self._begin_to_tell(subscriber)
            case Unsubscribe(name):
                self._publisher.remove(name)
            case BookRead():
                self._merge_read(message)
            case SearchAnswered():
                self._merge_search(message)
            case NetRead():
                self._net.last = message
                self._publisher.tell(message)
            case FeedConnected(connection, socket) if connection == self._connection.id:
                self._connected(socket)
            case FeedLost(connection, end) if connection == self._connection.id:
                self._lost(end)
            case Connect(after) if after == self._connection.id:
                self._connection.connect()
            case GlanceAtBook(epoch, number) if epoch == self.epoch:
                self._confirmation_reads.look(number, time.monotonic())
            case Lasted(connection) if connection == self._connection.id:
                self._log.lasted()
            case RereadBook(connection) if connection == self._connection.id:
                self._gate.read_book()
            case TokenReplaced(_, token, expires):
                self._connection.take_token(token, expires)
            case TokenLost():
                self._connection.lose_token()
            case AuditBook(epoch) if epoch == self.epoch:
                self._gate.read_book()
                if self._is_leader:
                    self._net.ask()
                self._clock.tell_later(self._audit_interval, self.address, message)
            case FeedConnected(_, socket):
                socket.release()  # of a connection that was given up meanwhile
            case ActorUp() if message.name == self._tokens.name:
                self._connection.ask_for_token()
            case ActorUp() if message.name == self._store.name:
                self._publisher.write_again(self._book)
            case ActorUp() if message.name == self._recovery.name:
                self._ask_again()
            case _:
                pass  # from a connection that has been given up

    def figures(self) -> dict[str, Figure]:
        """Return the gate, the token's remaining life, and counts of orders and of how they became known."""
        return {
            "gate": "open" if self._gate.is_open else "closed",
            "token": self._connection.token_left(),
            "orders": len(self._book),
            "updates": self._updates,
            "found": self._found,
            "unreadable": self._unread.count or "",
            "foreign": self._unread.foreign or "",
        }

    def details(self) -> dict[str, Any]:
        """Return until when the token lives, and the latest gaps."""
        return {"token": self._connection.token_until(), "gaps": list(self._gate.gaps)}

    def tear_down(self) -> None:
        """Close the socket."""
        self._connection.close()

    def _connected(self, socket: FeedConnection) -> None:
        self._connection.use(socket)
        self._confirmation_reads.is_down(down=False)
        self._unread.logged_in()
        self._book.connected(wall_clock.now())
        self._gate.close()
        self._log.connected(again=self._gate.is_reconnecting)
        self._clock.tell_later(LASTS_AFTER, self.address, Lasted(self._connection.id))
        self._gate.read_book()
        stretch = 1.0 if self._is_leader else 1.0 + phase_of(self._account.name)
        for delay in REREAD_AFTER:
            self._clock.tell_later(delay * stretch, self.address, RereadBook(self._connection.id))

    def _lost(self, end: FeedEnded) -> None:
        self._connection.lost(end)
        self._log.lost()
        if self._is_leader:
            self._confirmation_reads.is_down(down=True)

    def _ask_again(self) -> None:
        """Ask a restarted gap recovery again for what its predecessor may not have answered."""
        if not self._gate.is_open:
            self._gate.read_book()
        if self._is_leader:
            self._net.ask_if_unknown()

    def _begin_to_tell(self, subscriber: Recipient[FeedNews]) -> None:
        """Tell a subscriber the book as it is now, and what changes from now on."""
        self._publisher.add(subscriber)
        orders = tuple(self._account.told(order, subscriber.name) for order in chronological(self._book))
        subscriber.tell(BookSnapshot(self._account.name, orders, self._gate.is_open, self._unread.shown))
        for order_id, what in self._unread.orders:
            subscriber.tell(OrderUnreadable(self._account.name, order_id, what))
        if self._net.last is not None:
            subscriber.tell(self._net.last)

    def _merge_frame(self, items: Sequence[Told], received: float) -> None:
        if self._is_leader:
            self._confirmation_reads.has_news(received)
        for item in items:
            if isinstance(item, Unreadable):
                self._unread.frame(item)
                self._gate.read_promptly(self._connection.id)
            elif isinstance(item, Foreign):
                self._unread.foreign_orders([item])
            else:
                self._unread.own_frame()
                self._confirmation_reads.told(item.id)
                if change := self._book.merge(item):
                    self._updates += 1
                    self._publisher.publish([change], received, recovered=False)
        self._settle_disputes()

    def _settle_disputes(self) -> None:
        """Have the leader's book read again where frames and reads differ. For followers the next read is enough."""
        if self._book.asks_for_read() and self._is_leader:
            self._gate.read_promptly(self._connection.id)

    def _merge_read(self, read: BookRead) -> None:
        book = read.book
        self._confirmation_reads.take(read)
        self._unread.foreign_orders(book.foreign)
        changes = self._book.merge_read(book.orders, book.read_from)
        self._settle_disputes()
        opens = self._opens_gate(read)
        self._say_what_was_found(changes, opens, glance=read.glance)
        self._publisher.publish(changes, time.monotonic(), recovered=True)
        order_ids = frozenset(order.id for order in book.orders)
        for order_id, what in self._unread.read(book.unreadable, order_ids):
            self._publisher.tell(OrderUnreadable(self._account.name, order_id, what))
        if self._unread.is_awaiting:
            self._gate.read_promptly(self._connection.id)
        unreadable = tuple(UnreadableRow(row.order_id, row.correlation_id) for row in book.unreadable)
        merged = BookMerged(self._account.name, read.began, order_ids, unreadable, read.skew)
        if merged.names_all and read.skew is not None:  # without the broker's clock the day is unknown
            by_broker = wall_clock.at(read.began) + timedelta(seconds=read.skew)
            shown = order_ids | {row.order_id for row in unreadable}
            self._book.forget_before((by_broker - LOOK_BACK).astimezone(IST).date(), shown)
        if changes or not (self._is_leader and read.glance):
            self._publisher.tell(merged)
        if opens:
            self._missed = 0
            self._gate.open()
        if self._is_leader:
            self._net.ask_if_unknown()
            self._publisher.keep_book_delay(self._book.longest_delay)

    def _opens_gate(self, read: BookRead) -> bool:
        """Whether a read shows all that the feed may have missed. One that is too early for a late book is repeated."""
        if not (self._gate.would_open(read.generation) and self._connection.is_up):
            return False
        early = (self._book.shows_gap_from - read.book.read_from).total_seconds()
        if early > 0:
            self._clock.tell_later(early, self.address, RereadBook(self._connection.id))
        return early <= 0

    def _merge_search(self, search: SearchAnswered) -> None:
        self._publisher.publish(self._book.merge_all(search.orders), time.monotonic(), recovered=True)
        self._publisher.tell(SearchMerged(self._account.name, search.correlation_id, search.began, bool(search.orders)))

    def _say_what_was_found(self, changes: Sequence[Change], opens: bool, *, glance: bool) -> None:
        """Count the orders that a read found first: those missed in a gap, or those that the feed did not tell."""
        since = None if self._gate.is_reconnecting or self._gate.is_open else self._publisher.since
        missed = sum(since is None or change.after.event_at >= since for change in changes)
        if not self._is_leader:
            return
        now = time.monotonic()
        if glance and self._gate.is_open:
            self._confirmation_reads.is_ahead((change.after.id for change in changes), now)
            missed = 0
        if self._gate.is_open:
            missed += self._confirmation_reads.take_untold(now)
            self._found += missed
            if missed:
                logger.info(
                    "Audit found what the feed did not tell {}", fields(account=self._account.name, orders=missed)
                )
            return
        self._missed += missed
        if opens and (self._gate.is_reconnecting or self._publisher.since is not None):
            self._log.found(self._missed)
