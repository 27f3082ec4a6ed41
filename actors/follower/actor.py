"""One follower account: it holds the copies, decides, and sends."""

import time
from collections.abc import Callable
from datetime import datetime

from actors.follower.account import FollowerAccount
from actors.follower.addresses import Peers
from actors.follower.gateway import Sender
from actors.follower.parts.account_state import AccountStanding
from actors.follower.parts.broker_clock import BrokerClock
from actors.follower.parts.commands import Commands
from actors.follower.parts.in_flight import Flights
from actors.follower.parts.loss_limit import Safeguard
from actors.follower.parts.orphan_orders import Strangers
from actors.follower.parts.outbox import Journal
from actors.follower.parts.outcomes import Landing
from actors.follower.parts.own_order_book import OwnBook
from actors.follower.parts.permits import Permits
from actors.follower.parts.position_audit import PositionAudit
from actors.follower.parts.retention import Forgetting
from actors.follower.parts.start_capital import StartCapital
from actors.messages import (
    AdoptStrangers,
    AuditAgain,
    AuditPositions,
    BookMerged,
    BookSnapshot,
    CapitalRead,
    CheckResult,
    CommandGiven,
    CopiesLoaded,
    Drain,
    EntriesSwitched,
    FailOnPurpose,
    FollowerMessage,
    FollowSwitches,
    GateClosed,
    GateOpened,
    InstrumentsLoaded,
    IntentRecorded,
    KeepWarm,
    LoadCopies,
    LookAgain,
    LookAround,
    NetRead,
    OrderUnreadable,
    OrderUpdated,
    PermitDelayed,
    PermitGranted,
    PositionsOverdue,
    RequestFinished,
    RequestLeft,
    ResultRead,
    Resume,
    SearchMerged,
    Subscribe,
    TokenLost,
    TokenReplaced,
    WantInstruments,
    WantToken,
    Writer,
)
from actors.runtime.actor import ActorDied, ActorUp, GuardedActor, Incarnation, Seat
from actors.runtime.timers import Clock, until_turn
from copytrade.brokers.read_budget import ReadLane
from copytrade.common.logs import fields
from copytrade.core.decide.decisions import Skip
from copytrade.core.engine.engine import Changed, Desk
from copytrade.core.model.lane import Lane
from copytrade.core.model.orders import IST
from copytrade.core.model.reasons import Reason
from copytrade.reports import order_log as copy_log

#: Seconds that the broker may be late in showing orders without a word about it in STATUS.
LAG_WORTH_SHOWING = 0.1

#: Seconds between looks whether connections are ready. A connection that idles is replaced before it would be refused.
KEEP_WARM_EVERY = 10.0


class Follower(GuardedActor[FollowerMessage]):
    """Tells its desk what happened, and does what the desk wants: asks for permits, records, sends.

    An update only marks a leader order dirty. While something is wanted and no permit is on its way, one is asked for;
    when it comes, the most urgent order is decided afresh, so that what waits in line is never a stale command.
    """

    def __init__(
        self,
        life: Incarnation[FollowerMessage],
        account: FollowerAccount,
        peers: Peers,
        clock: Clock,
        make_sender: Callable[[Seat[FollowerMessage], int], Sender],
    ) -> None:
        super().__init__(life)
        self._account = account
        self._peers = peers
        self._clock = clock
        self._make_sender = make_sender
        self._writer = Writer(life.seat.name, life.epoch)
        self._loaded = False
        seat, epoch, policy, window = life.seat, life.epoch, account.policy, account.absence_window
        desk = self._desk = Desk(
            seat.name,
            policy,
            account.capitals,
            account.surroundings,
            window,
            life.set_aside,
            only_closes=account.only_closes,
            per_hour=account.per_hour,
        )
        broker_clock = BrokerClock(seat.name)
        self._now = broker_clock.now
        self._journal = Journal(seat, self._writer, peers.store, desk, broker_clock, dry_run=policy.dry_run)
        self._standing = AccountStanding(seat, epoch, clock, peers.tokens, desk, enters=policy.enabled)
        self._permits = Permits(seat, epoch, peers.limiter)
        self._capital = StartCapital(
            seat,
            peers.recovery,
            peers.leader,
            needed=account.needs_capital,
            with_collateral=account.with_collateral,
            own_capital=account.capitals.follower,
        )
        self._safeguard = Safeguard(seat, epoch, clock, peers.recovery, desk, policy, account.result_interval)
        self._audit = PositionAudit(
            seat,
            epoch,
            clock,
            peers.recovery,
            peers.leader,
            desk,
            broker_clock,
            account.audit_interval,
            holdings=account.needs_holdings,
            dry_run=policy.dry_run,
        )
        self._commands = Commands(seat.name, desk, self._journal, broker_clock, self._safeguard, dry_run=policy.dry_run)
        self._strangers = Strangers(seat, epoch, clock, desk, self._journal, broker_clock, window)
        self._forgetting = Forgetting(seat.name, desk, self._strangers)
        self._own_book = OwnBook(
            seat,
            epoch,
            clock,
            peers.recovery,
            desk,
            self._journal,
            broker_clock,
            self._strangers,
            window,
            holdings=account.needs_holdings,
        )
        self._flights = Flights(
            seat,
            epoch,
            desk,
            self._journal,
            self._permits,
            self._standing,
            account.amo_time,
            account.connections,
            dry_run=policy.dry_run,
        )
        self._landing = Landing(
            seat.name,
            desk,
            self._journal,
            self._permits,
            self._standing,
            self._own_book,
            self._flights,
            broker_clock.now,
        )

    def set_up(self) -> None:
        """Ask for everything that deciding rests on."""
        self._sender = self._make_sender(self.seat, self.epoch)
        self._flights.connect(self._sender)
        self._peers.store.tell(LoadCopies(self.seat.name, self._writer, self.seat))
        self._peers.instruments.tell(WantInstruments(self.seat))
        self._peers.tokens.tell(WantToken(self.seat.name, self.seat))
        self._capital.ask()
        self._clock.tell_later(until_turn(self.seat.name, KEEP_WARM_EVERY), self.seat, KeepWarm(self.epoch))
        self._show()

    def tear_down(self) -> None:
        """Begin no more requests."""
        if hasattr(self, "_sender"):
            self._sender.close()

    def subject(self) -> str:
        """Return the leader order in hand."""
        return self._desk.subject

    def receive(self, message: FollowerMessage) -> None:
        """Take note of what is new, then do what follows from it."""
        self._desk.subject = ""
        match message:
            case OrderUpdated(account, order, received, recovered) if account == self._peers.leader:
                self._journal.note(*self._desk.leader_changed(order, None if recovered else received))
            case OrderUpdated(_, order, received, recovered):
                self._take_own(self._desk.own_changed(order, None if recovered else received))
            case PermitGranted(permit):
                self._permits.take(permit)
            case PermitDelayed(_, lane):
                self._permits.delayed(message, self._desk.waiting_in(lane))
            case IntentRecorded(token, epoch) if epoch == self.epoch:
                if self._flights.intended(token):
                    self._journal.write()
                    return
            case RequestLeft(token, epoch) if epoch == self.epoch:
                self._flights.left(token)
            case RequestFinished() if message.epoch == self.epoch:
                self._landing.finish(message)
            case LookAgain(leader_order_id, epoch) if epoch == self.epoch:
                self._desk.wake(leader_order_id)
            case Resume(epoch) if epoch == self.epoch:
                self._standing.resume()
            case LookAround(epoch) if epoch == self.epoch:
                self._own_book.read(ReadLane.LAG)
            case AdoptStrangers(epoch) if epoch == self.epoch:
                self._own_book.read()
            case KeepWarm(epoch) if epoch == self.epoch:
                self._sender.keep_warm(1.5 * KEEP_WARM_EVERY)
                self._clock.tell_later(until_turn(self.seat.name, KEEP_WARM_EVERY), self.seat, message)
                return  # nothing is to be decided because of it
            case FailOnPurpose(seconds):
                _fail(seconds)
            case Drain():
                self._standing.drain(message)
            case ActorUp():
                self._greet(message)
            case ActorDied():
                self._mourn(message)
            case _:
                self._learn(message)
        self._pump()
        self._journal.write()
        self._show()

    def _take_own(self, changed: Changed | None) -> None:
        """Take note of the broker's word about one of our own orders."""
        self._journal.note(changed)
        if self._own_book.is_read:
            self._strangers.mind()
        if changed is not None and changed.after.filled_quantity != changed.before.filled_quantity:
            self._safeguard.read()

    def _learn(self, message: FollowerMessage) -> None:
        """Take note of what lies around the orders."""
        match message:
            case GateClosed() if message.account == self._peers.leader:
                self._desk.set_gate(is_open=False)
                self._audit.book_is_unknown(self._peers.leader)
            case GateOpened() if message.account == self._peers.leader:
                self._desk.set_gate(is_open=True)
                self._audit.book_is_known(self._peers.leader)
            case GateClosed():
                self._desk.own_feed(is_up=False)
            case GateOpened():
                self._audit.feed_opened()
            case BookSnapshot() if message.account == self._peers.leader:
                for order in message.orders:
                    self._journal.note(*self._desk.leader_changed(order, None))
                self._desk.set_gate(is_open=message.gate_open)
                if message.gate_open:
                    self._audit.book_is_known(self._peers.leader)
            case BookSnapshot():
                for order in message.orders:
                    self._journal.note(self._desk.own_changed(order, None))
                self._desk.own_unread(message.unread)
                self._own_book.take_snapshot(gate_open=message.gate_open)
                self._audit.take_snapshot(gate_open=message.gate_open)
                self._desk.look_again()
            case BookMerged():
                if message.account == self.seat.name:
                    self._own_book.take(message)
                self._journal.note(*self._audit.book_merged(message))
                if self._loaded and self._own_book.is_read:
                    self._forgetting.take(message)
            case OrderUnreadable() if message.account == self._peers.leader:
                self._journal.cannot_read(message.order_id, message.what)
            case SearchMerged(correlation_id=correlation_id, began=began, found=False):
                self._journal.note(*self._desk.searched(correlation_id, began))
            case InstrumentsLoaded(instruments):
                self._desk.know_instruments(instruments)
            case _:
                self._learn_of_account(message)

    def _learn_of_account(self, message: FollowerMessage) -> None:
        """Take note of what the account has, may do and is to do."""
        match message:
            case CapitalRead(account, capital) if account == self._peers.leader:
                self._desk.know_leader_capital(capital)
            case CapitalRead(_, capital):
                self._desk.know_capital(capital)
            case ResultRead(_, result) if self._loaded:
                self._journal.add(*self._safeguard.take(result, self._now()))
            case CheckResult(epoch) if epoch == self.epoch:
                self._safeguard.check(self._now())
            case NetRead() if self._loaded:
                if message.account == self.seat.name:
                    self._journal.note(*self._desk.net_read(message.net, message.began))
                self._audit.take(message)
            case AuditAgain(epoch) if epoch == self.epoch:
                self._audit.ask_again()
            case PositionsOverdue(epoch) if epoch == self.epoch:
                self._audit.overdue()
            case AuditPositions(epoch) if epoch == self.epoch:
                self._audit.ask()
            case CommandGiven() if self._loaded:
                self._commands.obey(message)
            case EntriesSwitched(enabled):
                self._standing.switch(enabled=enabled)
            case TokenReplaced(_, token):
                self._sender.take_token(token)
                self._standing.take_token()
            case TokenLost(_, why):
                self._standing.lose_token(why)
            case CopiesLoaded() if not self._loaded:
                self._take_copies(message)
            case _:
                pass  # told to an earlier incarnation

    def _take_copies(self, loaded: CopiesLoaded) -> None:
        """Go on from where the follower was before."""
        self._loaded = True
        self._standing.switch(enabled=loaded.enabled)
        today = self._now().astimezone(IST).date()
        self._desk.load(loaded.copies, loaded.lines, loaded.allotments, loaded.copying_since, time.monotonic(), today)
        self._subscribe()
        self._safeguard.begin(loaded.breach, self._now())
        self._audit.begin()

    def _subscribe(self) -> None:
        self._forgetting.begin()
        for feed in (self._peers.own_feed, self._peers.leader_feed):
            feed.tell(Subscribe(self.seat))

    def _greet(self, peer: ActorUp) -> None:
        """Ask a peer that was restarted again for what its predecessor may not have answered."""
        if peer.name in (self._peers.leader_feed.name, self._peers.own_feed.name):
            if self._loaded:
                self._subscribe()
        elif peer.name == self._peers.limiter.name:
            self._permits.forget()
        elif peer.name == self._peers.recovery.name:
            self._capital.ask()
            if self._loaded:
                self._audit.ask_for_missing()
        elif peer.name == self._peers.store.name:
            ask = FollowSwitches if self._loaded else LoadCopies
            self._peers.store.tell(ask(self.seat.name, self._writer, self.seat))
            self._journal.write_everything()
            self._flights.intend_again()
        elif peer.name == self._peers.tokens.name:
            self._peers.tokens.tell(WantToken(self.seat.name, self.seat))
        elif peer.name == self._peers.instruments.name:
            self._peers.instruments.tell(WantInstruments(self.seat))

    def _mourn(self, peer: ActorDied) -> None:
        """Take note that a feed says nothing for a while."""
        if peer.name == self._peers.leader_feed.name:
            self._desk.set_gate(is_open=False)
            self._audit.book_is_unknown(self._peers.leader)
        elif peer.name == self._peers.own_feed.name:
            self._desk.own_feed(is_up=False)

    def _pump(self) -> None:
        """Decide what is dirty, then do it or see to a permit."""
        now = self._now()
        is_ready = self._loaded and (self._own_book.is_read or not self._desk.strangers)
        if is_ready and not self._standing.is_draining:
            self._consider(now)
            self._audit.ask_for_exits()
        if obstacle := self._standing.obstacle:
            self._journal.note(*self._desk.skip_unsent(Skip(Reason.ACCOUNT_SUSPENDED, obstacle), self._now()))
        if (waits_in := self._permits.waits_long_in) is not None:
            skip = Skip(Reason.BUDGET, "the account's request budget is used up for now")
            self._journal.note(*self._desk.note_waiting(waits_in, skip, now))
        self._flights.land_what_must_not_leave()
        may_send = is_ready and self._standing.may_send
        lane = self._wanted_lane() if may_send else None
        permit = self._permits.spend(lane)
        if permit is not None:
            self._flights.begin(permit, now)
            lane = self._wanted_lane()
        if lane is not None:
            self._permits.request(lane)
        elif may_send and not self._flights:
            self._permits.request(Lane.SPARE)
        if self._standing.is_draining and not self._flights:
            self._standing.end_draining()

    def _consider(self, now: datetime) -> None:
        """Decide what is dirty; what is to be sent for it comes later."""
        considered = self._desk.consider(now)
        self._journal.note(*considered.changed)
        for difference in self._desk.take_differences():
            copy_log.differs(self.seat.name, difference)
        self._flights.decided(considered.wanted)
        for copy_id in considered.in_doubt:
            self._own_book.look_up(copy_id)
        for leader_order_id, until in considered.wake:
            delay = max(0.0, (until - now).total_seconds())
            self._clock.tell_later(delay, self.seat, LookAgain(leader_order_id, self.epoch))
        if self._desk.is_closing:
            self._journal.add(*self._safeguard.mind_closing(now, self._standing.suspended))

    def _wanted_lane(self) -> Lane | None:
        """Return the most urgent lane in which something is to be sent now, None if there is nothing."""
        lane = self._desk.lane()
        return lane if lane is not None and self._flights.have_room(lane) else None

    def _show(self) -> None:
        is_ready = self._loaded and self._own_book.is_read and self._desk.are_positions_known
        self.vitals.state = self._standing.state(is_ready=is_ready)

    def figures(self) -> str:
        """Return what rests, what is not known, how fast the broker has taken what was sent, and what of it is ours."""
        latencies, ours = self._landing.latencies, self._landing.ours
        return fields(
            dry_run="yes" if self._account.policy.dry_run else "",
            open=self._desk.open_copies,
            in_doubt=self._desk.in_doubt or "",
            result=f"{result.rupees:.2f}" if (result := self._desk.result) else "",
            close_only="daily_loss" if self._desk.is_breached(self._now()) else "",
            requests=self._flights.requests,
            failed=self._landing.failures or "",
            rate_limited=self._standing.rate_limited or "",
            lag=f"{lag:.1f}s" if (lag := self._desk.visibility.longest) >= LAG_WORTH_SHOWING else "",
            p50=latencies.percentile(50),
            p99=latencies.percentile(99),
            ours_p50=ours.percentile(50),
            ours_p99=ours.percentile(99),
        )


def _fail(seconds: float) -> None:
    if not seconds:
        raise RuntimeError("on purpose, to show what happens then")
    time.sleep(seconds)
