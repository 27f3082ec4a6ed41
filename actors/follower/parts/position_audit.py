"""Compares what leader and follower hold with what their orders add up to."""

import time
from collections.abc import Iterable, Mapping
from datetime import datetime

from actors.follower.messages import AuditAgain, AuditPositions, FollowerInbox, PositionsOverdue
from actors.follower.parts.broker_clock import BrokerClock
from actors.messages.feeds import NO_GAP, BookMerged
from actors.messages.positions import NetRead
from actors.messages.reads import GapRecoveryMessage, ReadBook, ReadNet
from actors.runtime.address import Address, Recipient
from actors.runtime.timers import Clock, phase_of
from copytrade.common import wall_clock
from copytrade.common.logs import alert, fields, over
from copytrade.core.engine.engine import Changed, CopyEngine
from copytrade.core.engine.exits.awaited_reads import PATIENCE
from copytrade.core.ledger.drift.apart import Apart
from copytrade.core.ledger.reads.leader_positions import Corrected
from copytrade.core.model.accounts import Result
from copytrade.core.model.ledger import Line, LineKey
from copytrade.core.model.orders import IST
from copytrade.reports.log_lines import order_log

#: Seconds after the lag at which a confirming read begins.
MARGIN = 0.1


class PositionAudit:
    """A part of a follower, in its thread.

    A read of positions is used once the order book of its account has been read, because only then is it known what the
    orders add up to. After a difference the positions are read again after the lag, and then the order book.
    """

    def __init__(
        self,
        address: Address[FollowerInbox],
        epoch: int,
        clock: Clock,
        recovery: Recipient[GapRecoveryMessage],
        leaders: Mapping[str, str],
        engine: CopyEngine,
        broker_clock: BrokerClock,
        interval: float,
        *,
        holdings: bool,
        dry_run: bool,
    ) -> None:
        """``leaders`` are their names for the engine by that of their account, ``interval`` the seconds between reads.

        In a dry run the account holds nothing of what is recorded.
        """
        self._address = address
        self._epoch = epoch
        self._clock = clock
        self._recovery = recovery
        self._leaders = leaders
        self._engine = engine
        self._broker_clock = broker_clock
        self._interval = interval
        self._holdings = holdings
        self._dry_run = dry_run
        self._book_known: set[str] = set()
        self._own_book_began = wall_clock.now()
        self._unread: dict[str, NetRead] = {}
        self._asks_again = False
        self._asked_urgently = False
        self._is_overdue = False
        self._seen: dict[LineKey, tuple[Apart, float]] = {}
        self._told: dict[LineKey, Apart] = {}
        #: What lasts of what the account holds apart from its copies, when its last read began, and the day's result.
        self.apart: tuple[Apart, ...] = ()
        self.read_at: datetime | None = None
        self.result: Result | None = None

    def begin(self) -> None:
        """Read the positions at once, and then at intervals, each account at another time."""
        self._clock.tell_later(PATIENCE.total_seconds(), self._address, PositionsOverdue(self._epoch))
        for leader in self._leaders:
            self._ask(leader, urgent=True)
        if self._dry_run:
            self._engine.positions.holdings.assume()
            return
        self._ask(self._address.name, urgent=True)
        first = self._interval * phase_of(self._address.name)
        self._clock.tell_later(first, self._address, AuditPositions(self._epoch))

    def ask_for_missing(self) -> None:
        """Ask a restarted gap recovery for the reads that its predecessor may not have made."""
        self._asked_urgently = self._asks_again = False
        if not self._engine.positions.are_known:
            for account in (*self._leaders, self._address.name):
                self._ask(account, urgent=True)

    def ask(self) -> None:
        """Have the account's positions read, now and after the interval. A leader's feed asks for the leader's."""
        self._ask(self._address.name)
        self._clock.tell_later(self._interval, self._address, AuditPositions(self._epoch))

    def ask_again(self) -> None:
        """Repeat a read that showed a difference, and then read the order book."""
        self._asks_again = False
        positions = self._engine.positions
        wanted = [account for account, name in self._leaders.items() if positions.needs_leader_read(name)]
        if positions.needs_own_read:
            wanted.append(self._address.name)
        for account in wanted:
            self._ask(account, urgent=account not in self._leaders)
            self._recovery.tell(ReadBook(account, NO_GAP, None, after_gap=False))
        self._follow_up()

    def ask_for_exits(self) -> None:
        """Have the account's book and positions read before all else, if an exit waits for them."""
        if self._engine.context.exit_reads.is_awaited() and not self._asked_urgently:
            self._asked_urgently = True
            self._recovery.tell(ReadBook(self._address.name, NO_GAP, None, after_gap=False, urgent=True))
            self._ask(self._address.name, urgent=True)
        self._follow_up()

    def feed_opened(self) -> None:
        """The account's feed has missed nothing since the last read of its book: exits need the positions now."""
        self._engine.own_feed(is_up=True, at=self._own_book_began)
        if not self._dry_run:
            self._ask(self._address.name, urgent=True)

    def take_snapshot(self, *, gate_open: bool) -> None:
        """Take in what the account's feed knew when we subscribed; all orders, if its gate was open."""
        now = wall_clock.now()
        self._engine.own_feed(is_up=gate_open, at=now)
        if gate_open:
            self._engine.context.exit_reads.book_read(now)
            self.book_is_known(self._address.name)

    def overdue(self) -> None:
        """Use the ledger if positions could not be read in time."""
        if not self._engine.positions.are_known:
            who = self._address.name
            text = "Positions not read in time, going by the ledger {}"
            alert("positions_unread", who, text, fields(follower=who), level="ERROR")
            self._engine.assume_positions()
            self._is_overdue = True

    def take(self, read: NetRead) -> None:
        """Take in a read of leader's or follower's positions, once that account's orders are known."""
        self._engine.context.contracts.know_multipliers(read.multipliers)
        if read.account not in self._book_known:
            self._unread[read.account] = read
        elif read.account in self._leaders:
            self._take_leader(read)
        elif not self._dry_run:
            self._asked_urgently = False
            self.read_at, self.result = wall_clock.at(read.began), read.result or self.result
            self._compare(self._engine.own_positions_read(read.net, wall_clock.at(read.began)))
        self._follow_up()
        if self._is_overdue and self._engine.positions.are_read:
            self._is_overdue = False
            over("positions_unread", self._address.name, "Positions are read {}", fields(follower=self._address.name))

    def _take_leader(self, read: NetRead) -> None:
        at = wall_clock.at(read.began)
        day = (at + self._broker_clock.skew).astimezone(IST).date()
        self._tell(self._engine.leader_positions_read(read.net, at, day, self._leaders[read.account]))

    def book_is_known(self, account: str) -> None:
        """The orders of an account are known: take in an earlier read of its positions."""
        self._book_known.add(account)
        if read := self._unread.pop(account, None):
            self.take(read)

    def book_is_unknown(self, account: str) -> None:
        """Orders of an account may be missing: keep reads of its positions until they are known."""
        self._book_known.discard(account)

    def book_merged(self, read: BookMerged) -> list[Changed]:
        """Correct the ledger where two reads of positions agree and this read of the book does not explain it.

        Returns the copies that this changes.
        """
        at, changed = wall_clock.at(read.began), list[Changed]()
        for before, after in self._engine.rescale(at):
            order_log.scaled(self._address.name, before, after)
        if read.account == self._address.name:
            self._own_book_began = at
            self.book_is_known(read.account)
            if not self._dry_run:
                for before, after in self._engine.own_book_read(at):
                    order_log.moved(self._address.name, before, after)
                    if after.lost < before.lost:
                        changed += self._engine.left_after_all(after)
        elif read.account in self._book_known:
            self._tell(self._engine.leader_book_read(at, self._leaders[read.account]))
        self._follow_up()
        return changed

    def written_off(self, before: Line, after: Line) -> None:
        """Report what an order found closed by other hands, unless a read of the positions has shown it before."""
        keys = [LineKey(before.key.key, product) for product in before.products]
        told = sum(abs(one.closed) for key in keys if (one := self._told.pop(key, None)))
        if told < abs(before.held) - abs(after.held):
            order_log.written_off(self._address.name, before, after)

    def _tell(self, corrected: Iterable[Corrected]) -> None:
        for one in corrected:
            order_log.drifted(self._address.name, one.before, one.after, is_conversion=one.is_conversion)

    def _ask(self, account: str, *, urgent: bool = False) -> None:
        self._recovery.tell(ReadNet(account, self._holdings, self._address, urgent=urgent))

    def _follow_up(self) -> None:
        """Read again, after the lag, positions that differ from the orders."""
        if not self._asks_again and (self._engine.positions.need_leader_reads or self._engine.positions.needs_own_read):
            self._asks_again = True
            self._clock.tell_later(self._engine.positions.lag + MARGIN, self._address, AuditAgain(self._epoch))

    def _compare(self, apart: Iterable[Apart]) -> None:
        """Report what the account holds that its copies do not explain, once it has lasted for the lag.

        A fill that the feed has not told yet looks like such a difference, and is gone the next time. What has not
        lasted is not shown either: no read may follow for long.
        """
        now, found, shown = time.monotonic(), {one.line: one for one in apart}, list[Apart]()
        seen: dict[LineKey, tuple[Apart, float]] = {}
        for line, one in found.items():
            before, since = self._seen.get(line, (one, now))
            seen[line] = one, since if before == one else now
            is_lasting = now - seen[line][1] >= self._engine.positions.lag
            if one.unseen and not is_lasting:
                continue
            shown.append(one)
            if self._told.get(line) != one:
                self._told[line] = one
                order_log.apart(self._address.name, one)
        self.apart = tuple(shown)
        self._told = {line: one for line, one in self._told.items() if line in found}
        self._seen = seen
