"""One follower account: it holds the copies, decides, and sends."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from actors.follower.account import FollowerAccount, Tenure
from actors.follower.addresses import Peers
from actors.follower.assembly import assemble
from actors.follower.figures import details_of, figures_of
from actors.follower.gateway import Gateway
from actors.follower.messages import (
    AccountChanged,
    AdoptOrphanOrders,
    AuditAgain,
    AuditPositions,
    CheckResult,
    FollowerInbox,
    KeepWarm,
    LookAgain,
    LookAround,
    PositionsOverdue,
    RequestFinished,
    RequestLeft,
    Resume,
)
from actors.follower.open_lines import say_what_goes_on
from actors.messages.feeds import (
    BookMerged,
    BookSnapshot,
    GateClosed,
    GateOpened,
    OrderUnreadable,
    OrderUpdated,
    SearchMerged,
    Subscribe,
)
from actors.messages.followers import Drain, FailOnPurpose
from actors.messages.instruments import InstrumentsLoaded, WantInstruments
from actors.messages.permits import PermitDelayed, PermitGranted
from actors.messages.positions import NetRead
from actors.messages.reads import CapitalRead, ResultRead
from actors.messages.store import (
    CommandGiven,
    CopiesLoaded,
    EntriesSwitched,
    FollowSwitches,
    IntentRecorded,
    LoadCopies,
    Writer,
)
from actors.messages.tokens import TokenLost, TokenReplaced, WantToken
from actors.runtime.actor import ActorDied, ActorUp, GuardedActor, Incarnation
from actors.runtime.address import Address
from actors.runtime.timers import Clock, until_turn
from copytrade.brokers.read_budget import ReadLane
from copytrade.common.measures import Figure
from copytrade.core.engine.engine import Changed
from copytrade.core.model.orders import IST, Order

#: Seconds between checks of idle connections, which are replaced before the broker would close them.
KEEP_WARM_EVERY = 10.0


class Follower(GuardedActor[FollowerInbox]):
    """Passes messages to its copy engine and its parts, and then lets the pump act on what is new.

    An update only marks a leader order. The pump decides what is marked, asks for permits, records and sends.
    """

    def __init__(
        self,
        life: Incarnation[FollowerInbox],
        account: FollowerAccount,
        peers: Peers,
        clock: Clock,
        make_gateway: Callable[[Address[FollowerInbox], int], Gateway],
        tenure: Tenure | None = None,
    ) -> None:
        super().__init__(life)
        self._account = account
        self._peers = peers
        self._clock = clock
        self._make_gateway = make_gateway
        self._writer = Writer(life.address.name, life.epoch)
        self._loaded = False
        self._undecided: Sequence[Order] = ()
        self._parts = parts = assemble(life, account, peers, clock, self._writer, tenure)
        self._engine = parts.engine
        self._now = parts.broker_clock.now
        self._outbox = parts.outbox
        self._first_moments = parts.first_moments
        self._account_state = parts.account_state
        self._permits = parts.permits
        self._capital = parts.capital
        self._loss_limit_watch = parts.loss_limit_watch
        self._audit = parts.audit
        self._commands = parts.commands
        self._orphan_orders = parts.orphan_orders
        self._retention = parts.retention
        self._takeover = parts.takeover
        self._own_book = parts.own_book
        self._in_flight = parts.in_flight
        self._outcomes = parts.outcomes
        self._pump = parts.pump

    def set_up(self) -> None:
        """Ask for everything that has to be known before anything is decided."""
        self._gateway = self._make_gateway(self.address, self.epoch)
        self._in_flight.connect(self._gateway)
        self._peers.store.tell(self._load_copies())
        self._peers.instruments.tell(WantInstruments(self.address))
        self._peers.tokens.tell(WantToken(self.address.name, self.address))
        self._capital.ask()
        self._clock.tell_later(until_turn(self.address.name, KEEP_WARM_EVERY), self.address, KeepWarm(self.epoch))
        self._show()

    def tear_down(self) -> None:
        """Close the connections."""
        if hasattr(self, "_gateway"):
            self._gateway.close()

    def subject(self) -> str:
        """Return the id of the leader order that is being handled, "" if none is."""
        return self._engine.work_queue.subject

    def receive(self, message: FollowerInbox) -> None:
        """Take in what is new, then do what follows from it."""
        self._engine.work_queue.subject = ""
        match message:
            case OrderUpdated(account, order, received, recovered) if account in self._peers.leaders:
                self._outbox.note(*self._engine.leader_changed(order, None if recovered else received))
            case OrderUpdated(_, order, received, recovered):
                self._take_own(self._engine.own_orders.seen(order, None if recovered else received))
            case PermitGranted(permit):
                self._permits.take(permit)
            case PermitDelayed(_, lane):
                self._permits.delayed(message, self._engine.scheduler.waiting_in(lane))
            case IntentRecorded(token, epoch) if epoch == self.epoch:
                if self._in_flight.intended(token):
                    self._outbox.write()
                    return
            case RequestLeft(token, epoch) if epoch == self.epoch:
                self._in_flight.left(token)
            case RequestFinished() if message.epoch == self.epoch:
                self._outcomes.finish(message)
            case LookAgain(leader_order_id, epoch) if epoch == self.epoch:
                self._engine.wake(leader_order_id)
            case Resume(epoch) if epoch == self.epoch:
                self._account_state.resume()
            case LookAround(epoch) if epoch == self.epoch:
                self._own_book.read(ReadLane.LAG)
            case AdoptOrphanOrders(epoch) if epoch == self.epoch:
                self._own_book.read()
            case KeepWarm(epoch) if epoch == self.epoch:
                self._gateway.keep_warm(1.5 * KEEP_WARM_EVERY)
                self._clock.tell_later(until_turn(self.address.name, KEEP_WARM_EVERY), self.address, message)
                return  # nothing follows from it
            case FailOnPurpose(seconds):
                _fail(seconds)
            case Drain():
                self._account_state.drain(message)
            case ActorUp():
                self._on_actor_up(message)
            case ActorDied():
                self._on_actor_died(message)
            case _:
                self._learn(message)
        self._takeover.mind()
        self._pump.run(self._now(), is_loaded=self._loaded)
        self._outbox.write()
        self._show()

    def _take_own(self, changed: Changed | None) -> None:
        """Take in a change of one of our own orders."""
        self._outbox.note(changed)
        if self._own_book.is_read:
            self._orphan_orders.mind()
        if changed is not None and changed.after.filled_quantity != changed.before.filled_quantity:
            self._loss_limit_watch.read()

    def _learn(self, message: FollowerInbox) -> None:
        """Take in gates, order books, searches and instruments."""
        match message:
            case GateClosed(account) if account in self._peers.leaders:
                self._close_gate(account)
            case GateOpened(account) if account in self._peers.leaders:
                self._engine.set_gate(is_open=True, leader=self._peers.leaders[account].name)
                self._audit.book_is_known(account)
                self._first_moments[account].say()
            case GateClosed():
                self._engine.own_feed(is_up=False)
            case GateOpened():
                self._audit.feed_opened()
            case BookSnapshot(account) if account in self._peers.leaders:
                if message.gate_open:
                    self._first_moments[account].take_book(message.orders)
                for order in message.orders:
                    self._outbox.note(*self._engine.leader_changed(order, None))
                self._engine.set_gate(is_open=message.gate_open, leader=self._peers.leaders[account].name)
                if message.gate_open:
                    self._audit.book_is_known(account)
                    self._first_moments[account].say()
            case BookSnapshot():
                for order in message.orders:
                    self._outbox.note(self._engine.own_orders.seen(order, None))
                self._engine.own_orders.unread(message.unread)
                self._own_book.take_snapshot(gate_open=message.gate_open)
                self._audit.take_snapshot(gate_open=message.gate_open)
                self._engine.look_again()
            case BookMerged():
                if message.account == self.address.name:
                    self._own_book.take(message)
                self._outbox.note(*self._audit.book_merged(message))
                if self._loaded and self._own_book.is_read:
                    self._settle_undecided()
                    self._retention.take(message)
            case OrderUnreadable(account) if account in self._peers.leaders:
                self._outbox.cannot_read(message.order_id, message.what, self._peers.leaders[account].name)
            case SearchMerged(correlation_id=correlation_id, began=began, found=False):
                self._outbox.note(*self._engine.own_orders.searched(correlation_id, began))
            case InstrumentsLoaded(instruments):
                self._engine.know_instruments(instruments)
            case _:
                self._learn_of_account(message)

    def _learn_of_account(self, message: FollowerInbox) -> None:
        """Take in capital, results, positions, tokens and an operator's commands."""
        match message:
            case CapitalRead(account, capital) if account in self._peers.leaders:
                self._engine.know_leader_capital(capital, self._peers.leaders[account].name)
            case CapitalRead(_, capital):
                self._engine.know_capital(capital)
            case ResultRead(_, result) if self._loaded:
                self._outbox.add(*self._loss_limit_watch.take(result, self._now()))
            case CheckResult(epoch) if epoch == self.epoch:
                self._loss_limit_watch.check(self._now())
            case NetRead() if self._loaded:
                if message.account == self.address.name:
                    self._outbox.note(*self._engine.unshown.net_read(message.net, message.began))
                self._audit.take(message)
            case AuditAgain(epoch) if epoch == self.epoch:
                self._audit.ask_again()
            case PositionsOverdue(epoch) if epoch == self.epoch:
                self._audit.overdue()
            case AuditPositions(epoch) if epoch == self.epoch:
                self._audit.ask()
            case CommandGiven() if self._loaded:
                self._commands.obey(message)
            case EntriesSwitched(pause):
                self._account_state.switch(pause)
            case AccountChanged(account):
                self._change(account)
            case TokenReplaced(_, token):
                self._gateway.take_token(token)
                self._account_state.take_token()
                self._takeover.take_token()
            case TokenLost(_, why):
                self._account_state.lose_token(why)
            case CopiesLoaded() if not self._loaded:
                self._take_copies(message)
            case _:
                pass  # meant for an earlier incarnation

    def _change(self, account: FollowerAccount) -> None:
        """Copy by other settings from now on."""
        self._account = account
        self._engine.change_policy(account.policy, account.policies)
        self._account_state.allow(enters=account.policy.enabled)
        self._in_flight.amo_time_of = account.amo_time_of
        self._capital.need(needed=account.needs_capital)
        self._loss_limit_watch.change(account.policy, account.result_interval, self._now(), begins=self._loaded)

    def _take_copies(self, loaded: CopiesLoaded) -> None:
        """Load what earlier incarnations did, and begin to follow all feeds."""
        self._loaded = True
        self._account_state.switch(loaded.pause)
        today = self._now().astimezone(IST).date()
        earliest = min(loaded.copying_since.values())
        self._engine.load(loaded.copies, loaded.lines, loaded.allocations, earliest, time.monotonic(), today)
        for account, leader in self._peers.leaders.items():
            self._first_moments[account].is_now = leader.name in loaded.begins
            self._engine.context.of(leader.name).copy_since(loaded.copying_since[leader.name])
        self._undecided = loaded.undecided
        for name, policy in self._account.policies.items():
            say_what_goes_on(
                self.address.name, [line for line in loaded.lines if line.key.leader == name], policy.sizing
            )
        self._subscribe()
        self._loss_limit_watch.begin(loaded.breach, self._now())
        self._audit.begin()

    def _settle_undecided(self) -> None:
        """Record why leader orders are not copied that nobody decided before their day was over at the broker."""
        if self._undecided and self._engine.knows_leaders:
            gone = [order for order in self._undecided if order.id not in self._engine.orders]
            self._outbox.note(*self._engine.copies.skip_undecided(gone, self._now()))
            self._undecided = ()

    def _subscribe(self) -> None:
        self._retention.begin()
        for feed in self._peers.feeds:
            feed.tell(Subscribe(self.address))

    def _load_copies(self) -> LoadCopies:
        return LoadCopies(self.address.name, self._writer, self.address, self._peers.leader_names)

    def _close_gate(self, account: str) -> None:
        """Copy no entries of a leader until his book is known again."""
        self._engine.set_gate(is_open=False, leader=self._peers.leaders[account].name)
        self._audit.book_is_unknown(account)

    def _on_actor_up(self, peer: ActorUp) -> None:
        """Ask a restarted peer again for what its predecessor may not have answered."""
        if any(peer.name == feed.name for feed in self._peers.feeds):
            if self._loaded:
                self._subscribe()
        elif peer.name == self._peers.limiter.name:
            self._permits.forget()
        elif peer.name == self._peers.recovery.name:
            self._capital.ask()
            if self._loaded:
                self._audit.ask_for_missing()
        elif peer.name == self._peers.store.name:
            if self._loaded:
                self._peers.store.tell(FollowSwitches(self.address.name, self._writer, self.address))
            else:
                self._peers.store.tell(self._load_copies())
            self._outbox.write_everything()
            self._in_flight.intend_again()
        elif peer.name == self._peers.tokens.name:
            self._peers.tokens.tell(WantToken(self.address.name, self.address))
        elif peer.name == self._peers.instruments.name:
            self._peers.instruments.tell(WantInstruments(self.address))

    def _on_actor_died(self, peer: ActorDied) -> None:
        """Close the gate of a feed that has died."""
        if (found := self._peers.leader_with(peer.name)) is not None:
            self._close_gate(found[0])
        if peer.name == self._peers.own_feed.name:
            self._engine.own_feed(is_up=False)

    def _show(self) -> None:
        is_ready = self._loaded and self._own_book.is_read and self._engine.positions.are_known
        self.health.state = self._account_state.state(is_ready=is_ready)

    def figures(self) -> dict[str, Figure]:
        """Return counts of copies, requests and failures, and latency percentiles of the broker and of our part."""
        return figures_of(self._parts, self._now(), dry_run=self._account.policy.dry_run)

    def details(self) -> dict[str, Any]:
        """Return the account's result, what it holds apart from its copies, and what it waits for."""
        return details_of(self._parts)


def _fail(seconds: float) -> None:
    if not seconds:
        raise RuntimeError("on purpose, to show what happens then")
    time.sleep(seconds)
