"""Tells subscribers what has changed in an account's book, and has it written down."""

import time
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from loguru import logger

from actors.messages.feeds import FeedNews, OrderUpdated
from actors.messages.store import StoreMessage, Write, Writer
from actors.order_feed.account import FeedAccount
from actors.runtime.address import Health, Recipient
from copytrade.common import wall_clock
from copytrade.common.logs import alert, fields
from copytrade.core.market.sessions import MarketHours
from copytrade.core.model.commands import book_delay_key
from copytrade.core.model.order_book import Book, Change
from copytrade.core.model.orders import IST, Order
from copytrade.storage.records import ConfigSet, OrderChanged, Record


class Publisher:
    """A part of a feed, in its thread."""

    def __init__(
        self,
        account: FeedAccount,
        health: Health,
        store: Recipient[StoreMessage],
        writer: Writer,
        since: datetime | None,
        hours: MarketHours | None,
    ) -> None:
        self._account = account
        self._warns_of_ours = account.is_leader and not account.follows
        self._health = health
        self._store = store
        self._writer = writer
        self._hours = hours
        self._uncovered_on: date | None = None
        self._subscribers: dict[str, Recipient[FeedNews]] = {}
        self._turns = 0
        self._book_delay = timedelta(0)
        #: The time of the leader's last known event.
        self.since = since

    def add(self, subscriber: Recipient[FeedNews]) -> None:
        """Tell a subscriber everything from now on."""
        self._subscribers[subscriber.name] = subscriber

    def remove(self, name: str) -> None:
        """Tell a subscriber nothing more."""
        self._subscribers.pop(name, None)

    def tell(self, news: FeedNews) -> None:
        """Tell every subscriber, starting with another one each time, because the last one waits longest."""
        subscribers = list(self._subscribers.values())
        self._turns += 1
        first = self._turns % max(1, len(subscribers))
        for subscriber in (*subscribers[first:], *subscribers[:first]):
            subscriber.tell(news)

    def publish(self, changes: Sequence[Change], received: float, *, recovered: bool) -> None:
        """Tell subscribers of changes that were learnt of at a monotonic time, and have them written down."""
        if not changes:
            return
        records: list[Record] = []
        for change in changes:
            if self._warns_of_ours and change.before is None and change.after.is_ours:
                what = fields(order=change.after.id, id=change.after.correlation_id)
                text = "Leader order with an id of ours, never copied {}"
                alert("own_order", self._account.name, text, what, level="ERROR")
            if self._account.follows:
                self._tell_apart(change.after, received, recovered=recovered)
            elif not (self._account.is_leader and change.after.status.is_ahead_of_exchange):  # nothing follows yet
                order = self._account.told(change.after)
                self.tell(OrderUpdated(self._account.name, order, received, recovered))
            records.append(OrderChanged(self._account.name, self._account.type_of(change.after), change.after))
        if self._account.is_leader:
            self._health.last_order = time.monotonic()
        latest = max(change.after.event_at for change in changes)
        if self._account.is_leader and (self.since is None or latest > self.since):
            self.since = latest
            self._warn_where_hours_are_unknown()
            records.append(ConfigSet("last_leader_event_ts", str(int(latest.timestamp()))))
        self._store.tell(Write(tuple(records), self._writer))

    def _tell_apart(self, order: Order, received: float, *, recovered: bool) -> None:
        """Tell the account's own follower of an order of its own, and all others of a leader's order."""
        name = self._account.name
        for subscriber in list(self._subscribers.values()):
            subscriber.tell(OrderUpdated(name, self._account.told(order, subscriber.name), received, recovered))

    def keep_book_delay(self, delay: timedelta) -> None:
        """Write down by how much the leader's book is late, so that it is known after a restart too."""
        if delay > self._book_delay:
            self._book_delay = delay
            today = wall_clock.now().astimezone(IST).date()
            value = f"{today} {delay.total_seconds():.3f}"
            self._store.tell(Write((ConfigSet(book_delay_key(self._account.name), value),), self._writer))

    def write_again(self, book: Book) -> None:
        """Write the whole book down: a store that died may have lost what it was told last."""
        orders = tuple(OrderChanged(self._account.name, self._account.type_of(order), order) for order in book)
        self._store.tell(Write(orders, self._writer))

    def _warn_where_hours_are_unknown(self) -> None:
        """Say once a day that today's sessions are unknown: live orders are copied all the same."""
        today = wall_clock.now().astimezone(IST).date()
        if self._hours is None or self._uncovered_on == today:
            return
        first, last = self._hours.timetable.covers
        if not first <= today <= last:
            self._uncovered_on = today
            known = fields(known=f"{first} to {last}")
            logger.warning("Market hours unknown today, live orders are copied, missed entries not {}", known)
