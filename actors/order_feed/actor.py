"""One account's order updates: the owner of that account's book of today's orders."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from loguru import logger
from pydantic import SecretStr

from actors.messages.feeds import (
    BookMerged,
    BookRead,
    BookSnapshot,
    FeedNews,
    GateClosed,
    GateOpened,
    OrderUnreadable,
    OrderUpdated,
    SearchAnswered,
    SearchMerged,
    Subscribe,
)
from actors.messages.positions import NetRead
from actors.messages.reads import GapRecoveryMessage, ReadBook
from actors.messages.store import StoreMessage, Write, Writer
from actors.messages.tokens import CheckToken, TokenKeeperMessage, TokenLost, TokenReplaced, WantToken
from actors.order_feed.confirmation_reads import ConfirmationReads
from actors.order_feed.connection import FeedReading, connect_feed
from actors.order_feed.leader_positions import LeaderNet
from actors.order_feed.messages import (
    AuditBook,
    Connect,
    ConnectionId,
    FeedConnected,
    FeedLost,
    FrameReceived,
    GlanceAtBook,
    OrderFeedInbox,
    RereadBook,
)
from actors.order_feed.unreadable import Unread
from actors.runtime.actor import ActorUp, GuardedActor, Incarnation
from actors.runtime.address import Recipient
from actors.runtime.timers import Clock, phase_of
from copytrade.brokers.api import FeedConnection, Foreign, OrderUpdateSource, Told, Unreadable
from copytrade.common import wall_clock
from copytrade.common.backoff import Backoff
from copytrade.common.logs import alert, fields
from copytrade.core.engine.copies.unknown_outcomes import UnreadableRow
from copytrade.core.engine.retention import LOOK_BACK
from copytrade.core.market.sessions import MarketHours
from copytrade.core.model.accounts import AccountType
from copytrade.core.model.order_book import Book, Change, chronological
from copytrade.core.model.orders import IST
from copytrade.storage.records import ConfigSet, OrderChanged, Record

#: Seconds after the leader's login at which the book is read again: a login has no acknowledgement, so what happened
#: between the first read and the moment at which the broker really began to send would be missed. A follower's is read
#: up to as long again after that: fifty that read at once kept an order waiting for 150 ms.
REREAD_AFTER = (2.0, 10.0)


#: Seconds between two reads of the book that what could not be read, or is in dispute, asks for: a little more than two
#: reads have to be apart to decide it.
PROMPT_EVERY = 1.1

#: Seconds to wait at least when the broker refuses a handshake because there were too many.
WAIT_AFTER_TOO_MANY = 30.0

_TOO_MANY_REQUESTS = 429

#: Seconds that a connection has to last for the next loss to count as the first.
STABLE_AFTER = 10.0


@dataclass(frozen=True, slots=True)
class FeedAccount:
    """Whose feed it is, and where its updates come from. ``name`` is the leader's or the follower's."""

    name: str
    type: AccountType
    updates: OrderUpdateSource


class OrderFeed(GuardedActor[OrderFeedInbox]):
    """Merges what comes into its book, and tells every subscriber what changed; it does no other work.

    It owns one socket at a time: a thread connects it, the dispatcher reads it, the leader's before all others. It
    reconnects for as long as its token is not known to be refused, and closes the entry gate while something may be
    missing.
    """

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
    ) -> None:
        """``holdings``: shares are copied, so that those the leader holds count."""
        super().__init__(life)
        self._account = account
        self._clock = clock
        self._store = store
        self._recovery = recovery
        self._tokens = tokens
        self._audit_interval = audit_interval
        self._since = since
        self._hours = hours
        self._writer = Writer(life.address.name, life.epoch)
        self._uncovered_on: date | None = None
        self._book = Book()
        self._subscribers: dict[str, Recipient[FeedNews]] = {}
        self._turns = 0
        self._net = LeaderNet(life.address, recovery, account.name, holdings=holdings)
        self._confirmation_reads = ConfirmationReads(life.address, life.epoch, clock, recovery, account.name)
        self._backoff = Backoff()
        self._connection: ConnectionId = (life.epoch, 0)
        self._socket: FeedConnection | None = None
        self._generation = (life.epoch, 0)
        self._gate_open = False
        self._reconnecting = False
        self._updates = self._found = 0
        self._missed = 0
        self._connected_at = 0.0
        self._token: SecretStr | None = None
        self._token_expires: datetime | None = None
        self._token_lost = False
        self._unread = Unread(account.name, is_leader=account.type is AccountType.LEADER)
        self._prompted_at = -PROMPT_EVERY
        self._is_prompted = False

    def set_up(self) -> None:
        """Ask for a token to connect with, and begin the audits."""
        self.health.state = "connecting"
        self._tokens.tell(WantToken(self._account.name, self.address))
        first = 1.0 if self._is_leader else phase_of(self._account.name)
        self._clock.tell_later(self._audit_interval * first, self.address, AuditBook(self.epoch))

    def receive(self, message: OrderFeedInbox) -> None:
        """Merge what arrived; keep connected; answer subscribers."""
        match message:
            case FrameReceived(connection, items, received) if connection == self._connection:
                self._merge_frame(items, received)
            case Subscribe(subscriber):
                self._subscribers[subscriber.name] = subscriber
                orders = tuple(chronological(self._book))
                subscriber.tell(BookSnapshot(self._account.name, orders, self._gate_open, self._unread.shown))
                for order_id, what in self._unread.orders:
                    subscriber.tell(OrderUnreadable(self._account.name, order_id, what))
                if self._net.last is not None:
                    subscriber.tell(self._net.last)
            case BookRead():
                self._merge_read(message)
            case SearchAnswered():
                self._merge_search(message)
            case NetRead():
                self._net.last = message
                self._tell(message)
            case FeedConnected(connection, socket) if connection == self._connection:
                self._connected(socket)
            case FeedLost(connection) if connection == self._connection:
                self._lost(message)
            case Connect(after) if after == self._connection:
                self._connect()
            case GlanceAtBook(epoch, number) if epoch == self.epoch:
                self._confirmation_reads.look(number, time.monotonic())
            case RereadBook(connection) if connection == self._connection:
                self._read_book()
            case TokenReplaced(_, token, expires):
                self._take_token(token, expires)
            case TokenLost():
                self._token_lost = True
                if self._socket is None:
                    self.health.state = "unauthorised"
            case AuditBook(epoch) if epoch == self.epoch:
                self._read_book()
                if self._is_leader:
                    self._net.ask()
                self._clock.tell_later(self._audit_interval, self.address, message)
            case FeedConnected(_, socket):
                socket.release()  # of a connection that was given up meanwhile
            case ActorUp() if message.name == self._tokens.name:
                self._tokens.tell(WantToken(self._account.name, self.address))
            case ActorUp() if message.name == self._store.name:
                self._write_again()
            case ActorUp() if message.name == self._recovery.name:
                self._ask_again()
            case _:
                pass  # from a connection that has been given up

    def figures(self) -> str:
        """Return whether the gate is open, how long the token lives, how many orders there are, and how known."""
        return fields(
            gate="open" if self._gate_open else "closed",
            token=self._token_left(),
            orders=len(self._book),
            updates=self._updates,
            found=self._found,
            unreadable=self._unread.count or "",
            foreign=self._unread.foreign or "",
        )

    def tear_down(self) -> None:
        """Close the socket, which ends the reader thread."""
        if self._socket is not None:
            self._socket.close()

    def _token_left(self) -> str:
        """Return how long the token lives, in a word; nothing where nobody knows."""
        if self._token_lost:
            return "refused"
        if self._token_expires is None:
            return ""
        left = (self._token_expires - wall_clock.now()).total_seconds()
        return f"{left / 3600:.0f}h" if left >= 3600 else f"{max(0.0, left) / 60:.0f}m"

    def _take_token(self, token: SecretStr, expires: datetime | None) -> None:
        """Log in anew if the token is another one, or could not be used until now."""
        is_another, was_lost = token != self._token, self._token_lost
        self._token, self._token_expires, self._token_lost = token, expires, False
        if is_another or (was_lost and self._socket is None):
            if self._socket is not None:
                self._reconnecting = True
                self._socket.close()
                self._socket = None
                self._close_gate()
            self.health.state = "reconnecting" if self._reconnecting else "connecting"
            self._backoff.reset()
            self._connect()

    def _connect(self) -> None:
        """Connect in a thread of its own; whatever an earlier one still says counts no more."""
        if self._token is None or self._token_lost:
            return
        epoch, number = self._connection
        self._connection = (epoch, number + 1)
        self._is_prompted = False
        connecting = threading.Thread(
            target=connect_feed,
            args=(self.address, self._account.updates, self._token, self._connection),
            name=f"{self.address.name}-connecting",
            daemon=True,
        )
        connecting.start()

    def _connected(self, socket: FeedConnection) -> None:
        self._socket = socket
        look = FeedReading(self.address, self._connection, socket)
        self.address.watch(socket.fileno(), look, socket.due, urgent=self._is_leader)
        self._connected_at = time.monotonic()
        self._confirmation_reads.is_down(down=False)
        self.health.state = "live"
        self._unread.logged_in()
        self._book.connected(wall_clock.now())
        self._close_gate()
        who = fields(account=self._account.name)
        if not self._reconnecting:
            logger.info("Feed connected {}", who)
        elif self._account.type is AccountType.LEADER:
            logger.info("Reconnected after disconnect, fetching missed orders... {}", who)
        else:
            logger.info("Feed reconnected {}", who)
        self._read_book()
        stretch = 1.0 if self._is_leader else 1.0 + phase_of(self._account.name)
        for delay in REREAD_AFTER:
            self._clock.tell_later(delay * stretch, self.address, RereadBook(self._connection))

    def _lost(self, message: FeedLost) -> None:
        if self._socket is not None:
            self._reconnecting = True
            if time.monotonic() - self._connected_at > STABLE_AFTER:
                self._backoff.reset()
            elif not message.end.kind.is_ours:  # the broker drops a login that it refuses, and says nothing
                self._tokens.tell(CheckToken(self._account.name, refused=False))
        self._socket = None
        self.health.state = "unauthorised" if self._token_lost else "reconnecting"
        self._close_gate()
        if self._is_leader:
            self._confirmation_reads.is_down(down=True)
        delay = self._backoff.next_delay()
        if message.end.http_status == _TOO_MANY_REQUESTS:
            delay = max(delay, WAIT_AFTER_TOO_MANY)
        why = fields(account=self._account.name, why=message.end.kind, reason=message.end.reason)
        logger.warning("Feed lost, reconnecting in {:.1f}s {}", delay, why)
        self._clock.tell_later(delay, self.address, Connect(self._connection))

    def _close_gate(self) -> None:
        self._generation = (self.epoch, self._generation[1] + 1)
        if self._gate_open:
            self._gate_open = False
            self._tell(GateClosed(self._account.name))

    def _ask_again(self) -> None:
        """Ask for what the predecessor of gap recovery may not have answered."""
        if not self._gate_open:
            self._read_book()
        if self._is_leader:
            self._net.ask_if_unknown()

    def _read_promptly(self) -> None:
        """Have the book read at once because of what a frame or a read leaves open, once a second at most."""
        if self._is_prompted:
            return
        now = time.monotonic()
        if now - self._prompted_at >= PROMPT_EVERY:
            self._prompted_at = now
            self._read_book(urgent=True)
        else:
            self._is_prompted = True
            wait = self._prompted_at + PROMPT_EVERY - now
            self._clock.tell_later(wait, self.address, RereadBook(self._connection))

    def _read_book(self, *, urgent: bool = False) -> None:
        """Have it read; before all else while something may be missing."""
        urgent, self._is_prompted = urgent or self._is_prompted or not self._gate_open, False
        self._recovery.tell(
            ReadBook(self._account.name, self._generation, self._since, self._reconnecting, urgent=urgent)
        )

    def _merge_frame(self, items: Sequence[Told], received: float) -> None:
        if self._is_leader:
            self._confirmation_reads.has_news(received)
        for item in items:
            if isinstance(item, Unreadable):
                self._unread.frame(item)
                self._read_promptly()
            elif isinstance(item, Foreign):
                self._unread.foreign_orders([item])
            else:
                self._unread.own_frame()
                self._confirmation_reads.told(item.id)
                if change := self._book.merge(item):
                    self._updates += 1
                    self._publish([change], received, recovered=False)
        self._settle_disputes()

    def _settle_disputes(self) -> None:
        """Have the leader's book read again where frames and reads differ; on another's terms nothing rests."""
        if self._book.asks_for_read() and self._is_leader:
            self._read_promptly()

    def _merge_read(self, read: BookRead) -> None:
        book = read.book
        self._confirmation_reads.take(read)
        self._unread.foreign_orders(book.foreign)
        changes = self._book.merge_read(book.orders, book.read_from)
        self._settle_disputes()
        opens = not self._gate_open and read.generation == self._generation and self._socket is not None
        self._say_what_was_found(changes, opens, glance=read.glance)
        self._publish(changes, time.monotonic(), recovered=True)
        order_ids = frozenset(order.id for order in book.orders)
        for order_id, what in self._unread.read(book.unreadable, order_ids):
            self._tell(OrderUnreadable(self._account.name, order_id, what))
        if self._unread.is_awaiting:
            self._read_promptly()
        unreadable = tuple(UnreadableRow(row.order_id, row.correlation_id) for row in book.unreadable)
        merged = BookMerged(self._account.name, read.began, order_ids, unreadable, read.skew)
        if merged.names_all and read.skew is not None:  # without the broker's clock it may be any day
            by_broker = wall_clock.at(read.began) + timedelta(seconds=read.skew)
            shown = order_ids | {row.order_id for row in unreadable}
            self._book.forget_before((by_broker - LOOK_BACK).astimezone(IST).date(), shown)
        if changes or not (self._is_leader and read.glance):
            self._tell(merged)
        if opens:
            self._gate_open = True
            self._reconnecting = False
            self._missed = 0
            self._tell(GateOpened(self._account.name))
        if self._is_leader:
            self._net.ask_if_unknown()

    def _merge_search(self, search: SearchAnswered) -> None:
        self._publish(self._book.merge_all(search.orders), time.monotonic(), recovered=True)
        self._tell(SearchMerged(self._account.name, search.correlation_id, search.began, bool(search.orders)))

    def _say_what_was_found(self, changes: Sequence[Change], opens: bool, *, glance: bool) -> None:
        """Count what was missed over all reads until the gate opens; later finds are what a feed did not tell."""
        since = None if self._reconnecting or self._gate_open else self._since
        missed = sum(since is None or change.after.event_at >= since for change in changes)
        if not self._is_leader:
            return
        now = time.monotonic()
        if glance and self._gate_open:
            self._confirmation_reads.is_ahead((change.after.id for change in changes), now)
            missed = 0
        if self._gate_open:
            missed += self._confirmation_reads.take_untold(now)
            self._found += missed
            if missed:
                logger.info(
                    "Audit found what the feed did not tell {}", fields(account=self._account.name, orders=missed)
                )
            return
        self._missed += missed
        if opens and (self._reconnecting or self._since is not None):
            logger.info("Found {} missed orders, processing... {}", self._missed, fields(account=self._account.name))

    @property
    def _is_leader(self) -> bool:
        return self._account.type is AccountType.LEADER

    def _publish(self, changes: Sequence[Change], received: float, *, recovered: bool) -> None:
        records: list[Record] = []
        for change in changes:
            if self._is_leader and change.before is None and change.after.is_ours:
                what = fields(order=change.after.id, id=change.after.correlation_id)
                alert(
                    "own_order",
                    self._account.name,
                    "Leader order with an id of ours, never copied {}",
                    what,
                    level="ERROR",
                )
            if not (self._is_leader and change.after.status.is_ahead_of_exchange):  # nothing follows from that yet
                self._tell(OrderUpdated(self._account.name, change.after, received, recovered))
            records.append(OrderChanged(self._account.name, self._account.type, change.after))
        if not changes:
            return
        if self._is_leader:
            self.health.last_order = time.monotonic()
        latest = max(change.after.event_at for change in changes)
        if self._is_leader and (self._since is None or latest > self._since):
            self._since = latest
            self._warn_where_hours_are_unknown()
            records.append(ConfigSet("last_leader_event_ts", str(int(latest.timestamp()))))
        self._store.tell(Write(tuple(records), self._writer))

    def _warn_where_hours_are_unknown(self) -> None:
        """Say once a day that nobody knows today's sessions: what the leader places is copied all the same."""
        today = wall_clock.now().astimezone(IST).date()
        if self._hours is None or self._uncovered_on == today:
            return
        first, last = self._hours.timetable.covers
        if not first <= today <= last:
            self._uncovered_on = today
            known = f"{first} to {last}"
            logger.warning(
                "Market hours unknown today, live orders are copied, missed entries not {}", fields(known=known)
            )

    def _write_again(self) -> None:
        """Write the whole book down once more: what a store that died was told last may not have been."""
        book = tuple(OrderChanged(self._account.name, self._account.type, order) for order in self._book)
        self._store.tell(Write(book, self._writer))

    def _tell(self, news: FeedNews) -> None:
        """Tell every subscriber, each time another one first: who is served last waits longest."""
        subscribers = list(self._subscribers.values())
        self._turns += 1
        first = self._turns % max(1, len(subscribers))
        for subscriber in (*subscribers[first:], *subscribers[:first]):
            subscriber.tell(news)
