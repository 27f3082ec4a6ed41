"""One follower account: it holds the copies, decides, and sends."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from loguru import logger
from msgspec.structs import replace
from pydantic import SecretStr

from actors import copy_log
from actors.base import ActorDied, ActorUp, Address, GuardedActor, Incarnation, Seat
from actors.clock import Clock, phase_of
from actors.messages import (
    NO_GAP,
    AdoptStrangers,
    AuditPositions,
    BookMerged,
    BookSnapshot,
    CapitalRead,
    CheckResult,
    CheckToken,
    CommandGiven,
    CopiesLoaded,
    Drain,
    Drained,
    EntriesSwitched,
    FailOnPurpose,
    FeedMessage,
    FollowerMessage,
    FollowSwitches,
    GapRecoveryMessage,
    GateClosed,
    GateOpened,
    InstrumentMasterMessage,
    InstrumentsLoaded,
    IntentRecorded,
    KeepWarm,
    LoadCopies,
    LookAgain,
    LookAround,
    NetRead,
    OrderUpdated,
    PermitGranted,
    PermitId,
    PositionsRead,
    RateLimiterMessage,
    ReadBook,
    ReadCapital,
    ReadPositions,
    RecordIntent,
    ReleasePermit,
    RequestFinished,
    RequestLeft,
    RequestPermit,
    ResultRead,
    Resume,
    Retry,
    SearchMerged,
    SearchOrder,
    SettlePermit,
    StoreMessage,
    Subscribe,
    TokenKeeperMessage,
    TokenLost,
    TokenReplaced,
    WantInstruments,
    WantToken,
    Write,
    Writer,
)
from actors.position_audit import PositionAudit
from actors.safeguard import Safeguard
from actors.sender import Sender, audit_of, request_for
from copytrade import lifecycle, shadow, wall_clock
from copytrade.agenda import CopyId
from copytrade.budget import Lane
from copytrade.copies import Copy, Split, Stage
from copytrade.decisions import Cancel, Modify, Place, Policy, Skip
from copytrade.desk import Action, Changed, Desk, Surroundings
from copytrade.dhan.outcomes import Accepted, Refusal, Refused
from copytrade.latency import Latencies
from copytrade.ledger import Allotment, Line
from copytrade.logs import alert, fields
from copytrade.orders import AmoTime, Order
from copytrade.preflight import ADDRESS_REFUSED
from copytrade.reasons import Reason
from copytrade.records import LEADER, CommandAnswered, CopyChanged, LedgerChanged, Record
from copytrade.sizing import Capitals
from copytrade.store import FLATTEN, TRY_AGAIN

#: Seconds before a request that the broker or the network prevented is tried again, doubling up to the last.
RETRY_FIRST, RETRY_LAST = 1.0, 30.0

#: The fewest seconds between two look-ups of an order in doubt.
LOOK_UP_AT_MOST = 0.1

#: Seconds after an acceptance at which the order book is read to see how late it shows orders, and how often at most:
#: so many seconds, or so many for each order in it, since reading a thousand takes a twentieth of one; or up to twice.
LOOK_AROUND_AFTER, LOOK_AROUND_EVERY, LOOK_AROUND_EACH = 1.0, 10.0, 0.1

#: Seconds that the broker's clock may differ from ours; the difference is known no better.
SKEW_THAT_MATTERS = 1.5

#: Seconds that the broker may be late in showing orders without a word about it in STATUS.
LAG_WORTH_SHOWING = 0.1

#: Seconds between looks whether connections are ready. A connection that idles is replaced before it would be refused.
KEEP_WARM_EVERY = 10.0

#: Seconds between looks whether the leader's orders are known, so that orders of ours can be adopted.
ADOPT_AGAIN_AFTER = 0.5

#: Requests that may be under way beyond the account's connections, for cancellations alone: they wait for no entry.
CANCEL_RESERVE = 1

#: Refusals after which the same request may succeed later.
_TRANSIENT = (Refusal.NOT_SENT, Refusal.RATE_LIMITED)

#: Refusals that concern the account, whatever the order, and that nothing here can mend.
_SUSPENDING = (Refusal.ADDRESS, Refusal.ACCOUNT)

#: Refusals after which nothing is known to be wrong with the order.
_NOT_ITS_FAULT = (*_TRANSIENT, *_SUSPENDING, Refusal.TOKEN)


@dataclass(frozen=True, slots=True)
class FollowerAccount:
    """Whose copies these are, and how they are made. ``capitals`` holds what the settings say of them."""

    name: str
    policy: Policy
    surroundings: Surroundings
    needs_holdings: bool
    amo_time: AmoTime
    needs_capital: bool
    capitals: Capitals
    connections: int
    absence_window: float
    result_interval: float | None
    audit_interval: float
    only_closes: bool = False


@dataclass(frozen=True, slots=True)
class Peers:
    """Whom a follower tells."""

    leader_feed: Address[FeedMessage]
    own_feed: Address[FeedMessage]
    limiter: Address[RateLimiterMessage]
    store: Address[StoreMessage]
    recovery: Address[GapRecoveryMessage]
    instruments: Address[InstrumentMasterMessage]
    tokens: Address[TokenKeeperMessage]


@dataclass(slots=True)
class _Flight:
    """A request between its decision and its outcome."""

    leader: Order
    action: Action
    permit: PermitId
    decided: float
    begun: float
    lane: Lane
    sent: bool = False

    @property
    def copy_id(self) -> CopyId:
        return self.leader.id, self.action.n


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
        self._desk = Desk(
            life.seat.name,
            account.policy,
            account.capitals,
            account.surroundings,
            account.absence_window,
            life.set_aside,
            only_closes=account.only_closes,
        )
        self._safeguard = Safeguard(
            life.seat, life.epoch, clock, peers.recovery, self._desk, account.policy, account.result_interval
        )
        self._audit = PositionAudit(
            life.seat, life.epoch, clock, peers.recovery, account.audit_interval, holdings=account.needs_holdings
        )
        self._writer = Writer(life.seat.name, life.epoch)
        self._numbers = itertools.count(1)
        self._flights: dict[int, _Flight] = {}
        self._permit: tuple[PermitId, Lane] | None = None
        self._spare: tuple[PermitId, Lane] | None = None
        self._tries: dict[CopyId, int] = {}
        self._decided: dict[str, float] = {}
        self._loaded = self._own_book_read = False
        self._known_positions: set[str] = set()
        self._known_strangers: set[str] = set()
        self._rebuilt_from: float | None = None
        self._looks_around_after = 0.0
        self._book_size = 0
        self._lag_told = 0.0
        self._skew = 0.0
        self._enabled = True
        self._suspended = ""
        self._token_since: float | None = None
        self._token_lost = ""
        self._throttled = False
        self._throttles = self._rate_limited = 0
        self._drain: Drain | None = None
        self._drained = False
        self._unwritten: list[Record] = []
        self._latencies, self._ours = Latencies(), Latencies()
        self._requests = self._failures = 0

    def set_up(self) -> None:
        """Ask for everything that deciding rests on."""
        self._sender = self._make_sender(self.seat, self.epoch)
        self._peers.store.tell(LoadCopies(self.seat.name, self._writer, self.seat))
        self._peers.instruments.tell(WantInstruments(self.seat))
        self._peers.tokens.tell(WantToken(self.seat.name, self.seat))
        self._ask_what_is_held()
        self._clock.tell_later(KEEP_WARM_EVERY, self.seat, KeepWarm(self.epoch))
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
            case OrderUpdated(account, order, received, recovered) if account == LEADER:
                self._note(*self._desk.leader_changed(order, None if recovered else received))
            case OrderUpdated(_, order, received, recovered):
                self._take_own(self._desk.own_changed(order, None if recovered else received))
            case PermitGranted(permit):
                self._take_permit(permit)
            case IntentRecorded(token, epoch) if epoch == self.epoch:
                self._land_what_must_not_leave()
                if token in self._flights:
                    self._send(token)
                    self._write()
                    return
            case RequestLeft(token, epoch) if epoch == self.epoch:
                self._sender.listen(token)
                self._request_permit(Lane.SPARE)
                flight = self._flights.get(token)
                if flight is not None and isinstance(flight.action, Place):
                    copy_log.placing(self._desk.copy(flight.copy_id), flight.leader)
            case RequestFinished() if message.epoch == self.epoch:
                self._finish(message)
            case Retry(copy_id, epoch) if epoch == self.epoch:
                self._desk.release(copy_id)
            case LookAgain(leader_order_id, epoch) if epoch == self.epoch:
                self._desk.wake(leader_order_id)
            case Resume(epoch) if epoch == self.epoch:
                self._throttled = False
            case LookAround(epoch) if epoch == self.epoch:
                self._read_own_book()
            case KeepWarm(epoch) if epoch == self.epoch:
                self._sender.keep_warm(1.5 * KEEP_WARM_EVERY)
                self._clock.tell_later(KEEP_WARM_EVERY, self.seat, message)
            case AdoptStrangers(epoch) if epoch == self.epoch:
                self._read_own_book()
            case FailOnPurpose(seconds):
                _fail(seconds)
            case Drain():
                self._drain = message
            case ActorUp():
                self._greet(message)
            case ActorDied():
                self._mourn(message)
            case _:
                self._learn(message)
        self._pump()
        self._write()
        self._show()

    def _take_own(self, changed: Changed | None) -> None:
        """Take note of the broker's word about one of our own orders."""
        self._note(changed)
        self._mind_strangers()
        if changed is not None and changed.after.filled_quantity != changed.before.filled_quantity:
            self._safeguard.read()

    def _learn(self, message: FollowerMessage) -> None:
        """Take note of what lies around the orders."""
        match message:
            case GateClosed() if message.account == LEADER:
                self._desk.set_gate(is_open=False)
            case GateOpened() if message.account == LEADER:
                self._desk.set_gate(is_open=True)
            case GateClosed():
                self._desk.own_feed(is_up=False)
            case GateOpened():
                self._desk.own_feed(is_up=True)
            case BookSnapshot() if message.account == LEADER:
                for order in message.orders:
                    self._note(*self._desk.leader_changed(order, None))
                self._desk.set_gate(is_open=message.gate_open)
            case BookSnapshot():
                for order in message.orders:
                    self._note(self._desk.own_changed(order, None))
                self._desk.own_feed(is_up=message.gate_open)
                self._own_book_read = self._own_book_read or (message.gate_open and not self._desk.strangers)
                self._desk.look_again()
            case BookMerged() if message.account == self.seat.name:
                self._take_own_book(message)
            case SearchMerged(correlation_id=correlation_id, began=began, found=False):
                self._note(*self._desk.searched(correlation_id, began))
            case InstrumentsLoaded(instruments):
                self._desk.know_instruments(instruments)
            case _:
                self._learn_of_account(message)

    def _learn_of_account(self, message: FollowerMessage) -> None:
        """Take note of what the account has, may do and is to do."""
        match message:
            case CapitalRead(account, capital) if account == LEADER:
                self._desk.know_leader_capital(capital)
            case CapitalRead(_, capital):
                self._desk.know_capital(capital)
            case PositionsRead() if self._loaded:
                self._take_positions(message)
            case ResultRead(_, result):
                self._unwritten += self._safeguard.take(result, self._now())
            case CheckResult(epoch) if epoch == self.epoch:
                self._safeguard.check(self._now())
            case NetRead(_, net):
                self._audit.compare(self._desk.apart(net))
            case AuditPositions(epoch) if epoch == self.epoch:
                self._audit.ask()
            case CommandGiven():
                self._obey(message)
            case EntriesSwitched(enabled):
                self._switch(enabled=enabled)
            case TokenReplaced(_, token):
                self._take_token(token)
            case TokenLost(_, why):
                self._lose_token(why)
            case CopiesLoaded() if not self._loaded:
                self._take_copies(message)
            case _:
                pass  # told to an earlier incarnation

    def _take_copies(self, loaded: CopiesLoaded) -> None:
        """Go on from where the follower was before."""
        self._loaded = True
        self._switch(enabled=loaded.enabled)
        self._desk.load(loaded.copies, loaded.lines, loaded.allotments, loaded.copying_since, time.monotonic())
        self._subscribe()
        self._ask_for_positions()
        self._safeguard.begin(loaded.breach, self._now())
        if not self._account.policy.dry_run:  # what is copied then is in no account
            self._audit.begin()

    def _switch(self, *, enabled: bool) -> None:
        """Enter nothing more, or enter again; what the settings switch off stays off."""
        if enabled is not self._enabled:
            self._enabled = enabled
            logger.warning("Entries {} {}", "resumed" if enabled else "paused", fields(follower=self.seat.name))
        self._desk.switch_entries(enabled=enabled and self._account.policy.enabled)

    def _obey(self, command: CommandGiven) -> None:
        """Do what an operator wants, or say why not."""
        name, *arguments = command.name.split()
        if name not in (FLATTEN, TRY_AGAIN):
            self._answer(command.number, f"{command.name} is no command of this version", is_done=False)
        elif self._account.policy.dry_run:
            self._answer(command.number, "dry_run is set: nothing is sent", is_done=False)
        elif name == TRY_AGAIN:
            self._try_again(command.number, *arguments)
        else:
            self._safeguard.close_for(command.number)

    def _try_again(self, number: int, order_id: str, units: str) -> None:
        """Have a leader order decided afresh, on an operator's word."""
        changed = self._desk.try_again(order_id, int(units))
        if changed is None:
            answer = f"{order_id} cannot be taken up: it is not of today, its copy rests, or it never had a size"
            self._answer(number, answer, is_done=False)
            return
        logger.warning("Taken up again {}", fields(follower=self.seat.name, leader_order=order_id, command=number))
        self._note(*changed)
        self._answer(number, f"{order_id} is decided afresh", is_done=True)

    def _answer(self, number: int, answer: str, *, is_done: bool) -> None:
        self._unwritten.append(CommandAnswered(number, is_done, answer, self._now()))

    def _take_token(self, token: SecretStr) -> None:
        """Go on with a token that works: everything is decided afresh, for the market has gone on meanwhile."""
        self._sender.take_token(token)
        if self._token_lost:
            logger.info("Account goes on with a token that works {}", fields(follower=self.seat.name))
        if self._token_since is None:
            self._desk.look_again()
        self._token_since, self._token_lost = time.monotonic(), ""

    def _lose_token(self, why: str) -> None:
        """Wait for another token; what cannot be copied meanwhile is recorded, and decided afresh when there is one."""
        if not self._token_lost:
            what = fields(follower=self.seat.name, why="token", error=why, open=self._desk.open_copies)
            alert("suspended", self.seat.name, "Account waits for a token that works {}", what, level="ERROR")
        self._token_since, self._token_lost = None, why

    def _read_own_book(self) -> None:
        self._peers.recovery.tell(ReadBook(self.seat.name, NO_GAP, None, after_gap=False))

    def _take_own_book(self, read: BookMerged) -> None:
        self._book_size = len(read.order_ids)
        self._note(*self._desk.book_read(read.began, read.order_ids, complete=read.complete))
        if abs(read.skew) > SKEW_THAT_MATTERS and abs(read.skew - self._skew) > SKEW_THAT_MATTERS:
            ahead = fields(follower=self.seat.name, broker_is_ahead=f"{read.skew:.0f}s")
            logger.warning("Our clock is not the broker's, ages are reckoned by the broker's {}", ahead)
        self._skew = read.skew if abs(read.skew) > SKEW_THAT_MATTERS else 0.0
        visibility, window = self._desk.visibility, self._account.absence_window
        if visibility.longest > max(self._lag_told, window / 2):
            self._lag_told = visibility.longest
            lag = fields(follower=self.seat.name, lag=f"{visibility.longest:.1f}s", absence_window=f"{window:g}s")
            logger.warning("Broker shows orders late, absence is proven over a longer time {}", lag)
        if visibility.is_behind:
            self._clock.tell_later(LOOK_AROUND_AFTER, self.seat, LookAround(self.epoch))
        if not self._own_book_read:
            self._own_book_read = self._has_adopted(read)

    def _has_adopted(self, read: BookMerged) -> bool:
        """Adopt orders of ours that the database does not know: it is new, or older than they are.

        Not before whatever was still on its way when the program was last at work can be seen, and the leader's orders
        are known; until then nothing is sent.
        """
        if not self._desk.strangers:
            return True
        window = self._account.absence_window
        if self._rebuilt_from is None:
            self._rebuilt_from = time.monotonic() + window
            what = fields(follower=self.seat.name, orders=len(self._desk.strangers), wait=f"{window:g}s")
            logger.warning("Orders of ours that the database does not know, waiting to adopt them {}", what)
        wait = max(self._rebuilt_from - read.began, 0.0 if self._desk.knows_leader else ADOPT_AGAIN_AFTER)
        if wait > 0:
            self._clock.tell_later(wait, self.seat, AdoptStrangers(self.epoch))
            return False
        adopted = self._desk.adopt_strangers(self._now())
        self._note(*adopted)
        self._known_strangers = {order.id for order in self._desk.strangers}
        what = fields(follower=self.seat.name, adopted=len(adopted), left=",".join(sorted(self._known_strangers)))
        logger.warning("Orders adopted {}", what)
        return True

    def _mind_strangers(self) -> None:
        """Enter nothing more once somebody else sends orders with our ids."""
        if not self._own_book_read:
            return
        for order in self._desk.strangers:
            if order.id not in self._known_strangers:
                self._known_strangers.add(order.id)
                what = fields(follower=self.seat.name, order=order.id, id=order.correlation_id)
                alert(
                    "second_copier",
                    self.seat.name,
                    "Another copier sends orders for this account, entries stop {}",
                    what,
                )
                self._desk.suspect_second_copier()

    def _mourn(self, peer: ActorDied) -> None:
        """Take note that a feed says nothing for a while."""
        if peer.name == self._peers.leader_feed.name:
            self._desk.set_gate(is_open=False)
        elif peer.name == self._peers.own_feed.name:
            self._desk.own_feed(is_up=False)

    def _ask_what_is_held(self) -> None:
        if self._account.needs_capital:
            for whose in (LEADER, self.seat.name):
                self._peers.recovery.tell(ReadCapital(whose, self.seat))
        if self._loaded:
            self._ask_for_positions()

    def _ask_for_positions(self) -> None:
        """Ask for the positions that are not known yet; the ledger has to be loaded before they are of use."""
        for whose in (LEADER, self.seat.name):
            if whose not in self._known_positions:
                self._peers.recovery.tell(ReadPositions(whose, self._account.needs_holdings, self.seat))

    def _take_positions(self, read: PositionsRead) -> None:
        if read.account in self._known_positions:
            return
        self._known_positions.add(read.account)
        if read.account == LEADER:
            for before, after in self._desk.know_leader_positions(read.baseline):
                copy_log.drifted(self.seat.name, before, after)
        else:
            self._desk.know_own_positions(read.baseline)

    def _subscribe(self) -> None:
        for feed in (self._peers.own_feed, self._peers.leader_feed):
            feed.tell(Subscribe(self.seat))

    def _greet(self, peer: ActorUp) -> None:
        """Ask a peer that was restarted again for what its predecessor may not have answered."""
        if peer.name in (self._peers.leader_feed.name, self._peers.own_feed.name):
            if self._loaded:
                self._subscribe()
        elif peer.name == self._peers.limiter.name:
            self._permit = self._spare = None
        elif peer.name == self._peers.recovery.name:
            self._ask_what_is_held()
        elif peer.name == self._peers.store.name:
            ask = FollowSwitches if self._loaded else LoadCopies
            self._peers.store.tell(ask(self.seat.name, self._writer, self.seat))
            held = self._ledger_records(self._desk.positions.everything())
            copies = [CopyChanged(copy, leader, self._now()) for copy, leader in self._desk.everything()]
            self._peers.store.tell(Write((*held, *filter(None, map(self._to_write, copies))), self._writer))
            for token, flight in self._flights.items():
                if not flight.sent:
                    self._record_intent(token, flight)
        elif peer.name == self._peers.tokens.name:
            self._peers.tokens.tell(WantToken(self.seat.name, self.seat))
        elif peer.name == self._peers.instruments.name:
            self._peers.instruments.tell(WantInstruments(self.seat))

    @property
    def _may_send(self) -> bool:
        ready = self._loaded and self._own_book_read and self._drain is None
        return ready and self._token_since is not None and not self._suspended and not self._throttled

    def _pump(self) -> None:
        """Decide what is dirty, then do it or see to a permit."""
        now = self._now()
        if self._loaded and self._own_book_read and not self._drain:
            considered = self._desk.consider(now)
            self._note(*considered.changed)
            decided = dict.fromkeys(considered.wanted, time.monotonic())
            self._decided = decided | {wanted: at for wanted, at in self._decided.items() if self._desk.wants(wanted)}
            for copy_id in considered.in_doubt:
                self._look_up(copy_id)
            for leader_order_id, until in considered.wake:
                delay = max(0.0, (until - now).total_seconds())
                self._clock.tell_later(delay, self.seat, LookAgain(leader_order_id, self.epoch))
            if self._desk.is_closing:
                self._unwritten += self._safeguard.mind_closing(now, self._suspended)
        if self._suspended or self._token_lost:
            self._skip_wanted()
        self._land_what_must_not_leave()
        lane = self._wanted_lane()
        if self._spare is not None:
            permit, granted_for = self._spare
            if lane is not None and lane <= granted_for:
                self._spare = None
                self._use(permit, now)
                lane = self._wanted_lane()
            elif granted_for.may_use_reserve:  # what it was for is gone, and no entry is to have it
                self._spare = None
                self._peers.limiter.tell(ReleasePermit(self.seat.name, permit))
        if lane is not None:
            self._request_permit(lane)
        elif self._may_send and not self._flights:
            self._request_permit(Lane.SPARE)
        if self._drain and not self._flights and not self._drained:
            self._drained = True
            self._drain.reply_to.tell(Drained(self.seat.name))

    def _wanted_lane(self) -> Lane | None:
        """Return the most urgent lane in which something is to be sent now, None if there is nothing."""
        lane = self._desk.lane() if self._may_send else None
        return lane if lane is not None and self._has_room(lane) else None

    def _request_permit(self, lane: Lane) -> None:
        if self._spare is None and (self._permit is None or lane < self._permit[1]):
            permit = self._permit[0] if self._permit else PermitId(self.epoch, next(self._numbers))
            self._permit = (permit, lane)
            self._peers.limiter.tell(RequestPermit(self.seat.name, permit, lane, self.seat))

    def _has_room(self, lane: Lane) -> bool:
        """Whether another request may be under way.

        What waits for the database holds a permit: it counts for all that is no more urgent. A cancellation waits for
        other cancellations alone, as long as there are no more exits under way than connections.
        """
        connections = self._account.connections
        if lane is Lane.CANCEL:
            return sum(flight.sent for flight in self._flights.values()) < connections + CANCEL_RESERVE
        return sum(flight.sent or flight.lane <= lane for flight in self._flights.values()) < connections

    def _land_what_must_not_leave(self) -> None:
        """Give up what has not been sent yet for an account that may not send, or for a leader order that has ended.

        The cancellation of such an order does not wait for it.
        """
        barred = bool(self._suspended) or self._token_since is None
        for token, flight in list(self._flights.items()):
            if not flight.sent and (barred or self._desk.is_overtaken(flight.leader.id, flight.action)):
                copy = self._desk.copy(flight.copy_id)
                unsent = lifecycle.not_sent if isinstance(flight.action, Place) else lifecycle.modify_not_sent
                self._land(token, unsent(copy))
                self._peers.limiter.tell(ReleasePermit(self.seat.name, flight.permit))

    def _look_up(self, copy_id: CopyId) -> None:
        """Have our own book read and the order searched, and come back to it a little later."""
        self._read_own_book()
        copy = self._desk.copy(copy_id)
        if not copy.order_id:
            self._peers.recovery.tell(SearchOrder(self.seat.name, copy.correlation_id))
        self._leave_alone(copy_id, min(RETRY_FIRST, max(LOOK_UP_AT_MOST, self._account.absence_window / 4)))

    def _hold(self, copy_id: CopyId) -> None:
        tries = self._tries[copy_id] = self._tries.get(copy_id, 0) + 1
        self._leave_alone(copy_id, _doubled(tries))

    def _leave_alone(self, copy_id: CopyId, seconds: float) -> None:
        self._desk.hold(copy_id)
        self._clock.tell_later(seconds, self.seat, Retry(copy_id, self.epoch))

    def _take_permit(self, permit: PermitId) -> None:
        """Take a permit that was asked for; what it is used for is seen to with whatever else there is to do."""
        if self._permit is None or permit != self._permit[0]:
            self._peers.limiter.tell(ReleasePermit(self.seat.name, permit))
        else:
            self._permit, self._spare = None, self._permit

    def _use(self, permit: PermitId, now: datetime) -> None:
        """Do the most urgent thing with a permit, or give it back."""
        picked = self._desk.pick(now)
        if picked is None:
            self._peers.limiter.tell(ReleasePermit(self.seat.name, permit))
            return
        leader, action = picked
        if self._account.policy.dry_run:
            self._keep_back(leader, action, permit, now)
            return
        token = next(self._numbers)
        try:
            changed = self._desk.begin(leader, action, now)
        except ValueError as error:
            self._peers.limiter.tell(ReleasePermit(self.seat.name, permit))
            self._note(*self._desk.skip(leader.id, Skip(Reason.BAD_ORDER_ID, str(error)), now))
            return
        begun = time.monotonic()
        lane = self._desk.lane_of(leader, action)
        flight = _Flight(leader, action, permit, self._decided.pop(leader.id, begun), begun, lane)
        self._flights[token] = flight
        if isinstance(action, Cancel):
            logger.info("Processing cancellation for leader order: {} {}", leader.id, copy_log.who(changed.after))
            self._note(changed)
            self._send(token)
        else:
            self._record_intent(token, flight)

    def _keep_back(self, leader: Order, action: Action, permit: PermitId, now: datetime) -> None:
        """Send nothing, and go on as if it had been sent."""
        self._peers.limiter.tell(ReleasePermit(self.seat.name, permit))
        try:
            changed = self._desk.keep_back(leader, action, now)
        except ValueError as error:
            changed = self._desk.skip(leader.id, Skip(Reason.BAD_ORDER_ID, str(error)), now)
        else:
            copy_log.kept_back(action, changed[0])
        self._note(*changed)

    def _record_intent(self, token: int, flight: _Flight) -> None:
        record = CopyChanged(self._desk.copy(flight.copy_id), flight.leader, self._now())
        self._peers.store.tell(RecordIntent(record, self._take_unwritten(), token, self._writer, self.seat))

    def _send(self, token: int) -> None:
        flight = self._flights[token]
        if flight.sent:
            return
        copy = self._desk.copy(flight.copy_id)
        flight.sent = True
        self._requests += 1
        self.seat.tell(RequestLeft(token, self.epoch))
        self._sender.send(token, request_for(flight.action, copy, flight.leader, self._account.amo_time))

    def _land(self, token: int, after: Copy) -> None:
        """End a flight with the copy as it is after it."""
        flight = self._flights.pop(token)
        self._note(*self._desk.settle(flight.copy_id, after, time.monotonic()))

    def _finish(self, finished: RequestFinished) -> None:
        """Take note of what became of a request."""
        flight = self._flights.get(finished.token)
        if flight is None:
            return
        self._peers.limiter.tell(SettlePermit(self.seat.name, flight.permit, finished.finished))
        audit = audit_of(self.seat.name, flight.action, finished.outcome.exchange)
        self._unwritten.append(audit)
        copy = self._desk.copy(flight.copy_id)
        match finished.outcome:
            case Accepted(value=value):
                self._tries.pop(flight.copy_id, None)
                self._throttles = 0
                self._land(finished.token, self._accepted(flight, copy, value.order_id, finished))
            case Refused(refusal, code, message):
                self._failures += 1
                if refusal is Refusal.TOKEN:
                    self._doubt_token(finished.started)
                self._land(finished.token, self._refused(flight, copy, refusal, f"{code} {message}".strip()))
            case unknown:
                self._failures += 1
                copy_log.failed(flight.action, copy, f"outcome unknown: {unknown.cause}")
                self._land(finished.token, lifecycle.in_doubt(copy, unknown.cause))

    def _accepted(self, flight: _Flight, copy: Copy, order_id: str, finished: RequestFinished) -> Copy:
        match flight.action:
            case Place():
                split = self._split(flight, finished)
                latency = split.ours_ms + split.broker_ms if split else None
                self._look_around()
                after = lifecycle.accepted(copy, order_id, latency, split)
                if after.stage is not Stage.ENDED:
                    copy_log.replicated(after)
            case Modify():
                after = lifecycle.accepted(copy, order_id, copy.latency_ms)
                copy_log.modified(after)
            case Cancel():
                after = lifecycle.cancel_accepted(copy)
                copy_log.cancelled(after)
        return after

    def _split(self, flight: _Flight, finished: RequestFinished) -> Split | None:
        """Return where the time of a placement went, None if its leader order was not told of live."""
        received = self._desk.received(flight.leader.id)
        if received is None:
            return None
        moments = (received, flight.decided, flight.begun, finished.started, finished.finished)
        split = Split(*((after - before) * 1000 for before, after in itertools.pairwise(moments)))
        self._latencies.add(split.ours_ms + split.broker_ms)
        self._ours.add(split.ours_ms)
        return split

    def _look_around(self) -> None:
        """See now and then how late the broker's order book shows what was accepted."""
        if (now := time.monotonic()) >= self._looks_around_after:
            rest = max(LOOK_AROUND_EVERY, LOOK_AROUND_EACH * self._book_size)
            self._looks_around_after = now + rest * (1.0 + phase_of(self.seat.name))  # not all accounts at once
            self._clock.tell_later(LOOK_AROUND_AFTER, self.seat, LookAround(self.epoch))

    def _refused(self, flight: _Flight, copy: Copy, refusal: Refusal, error: str) -> Copy:
        copy_log.failed(flight.action, copy, error)
        if refusal in _SUSPENDING:
            if not self._suspended:
                why = fields(follower=self.seat.name, why=refusal, error=error, open=self._desk.open_copies)
                what_to_do = f" {ADDRESS_REFUSED}" if refusal is Refusal.ADDRESS else ""
                alert("suspended", self.seat.name, "Account suspended {}{}", why, what_to_do)
            self._suspended = error
        elif refusal is Refusal.RATE_LIMITED:
            self._back_off()
        elif refusal in _TRANSIENT or (isinstance(flight.action, Cancel) and refusal is not Refusal.TOKEN):
            self._hold(flight.copy_id)
        again = refusal in _NOT_ITS_FAULT
        match flight.action:
            case Place():
                return lifecycle.not_sent(copy) if again else lifecycle.place_refused(copy, error)
            case Modify():
                return lifecycle.modify_not_sent(copy) if again else lifecycle.modify_refused(copy, error)
            case Cancel():
                return lifecycle.cancel_not_sent(copy) if again else lifecycle.in_doubt(copy, error)

    def _doubt_token(self, sent: float) -> None:
        """Send nothing until the token is known to work, or replaced; unless the request left with an earlier one."""
        if self._token_since is not None and sent >= self._token_since:
            self._token_since = None
            self._peers.tokens.tell(CheckToken(self.seat.name, refused=True))

    def _back_off(self) -> None:
        """Send nothing for a while, for longer each time that the broker calls for less in a row."""
        self._throttled = True
        self._throttles += 1
        self._rate_limited += 1
        delay = _doubled(self._throttles)
        logger.warning("Broker's rate limit, backing off {:.0f}s {}", delay, fields(follower=self.seat.name))
        self._clock.tell_later(delay, self.seat, Resume(self.epoch))

    def _skip_wanted(self) -> None:
        """Record what a suspended account cannot copy."""
        skip = Skip(Reason.ACCOUNT_SUSPENDED, self._suspended or self._token_lost)
        self._note(*self._desk.skip_unsent(skip, self._now()))

    def _now(self) -> datetime:
        """Return the time of day by the broker's clock: what it tells of is as old as that makes it."""
        now = wall_clock.now()
        return now + timedelta(seconds=self._skew) if self._skew else now

    def _note(self, *changes: Changed | None) -> None:
        """Log what has become of copies, and keep it for writing down."""
        for changed in changes:
            if changed is not None and changed.after != changed.before:
                copy_log.changed(changed)
                record = self._to_write(CopyChanged(changed.after, changed.leader, self._now()))
                if record is not None:
                    self._unwritten.append(record)

    def _write(self) -> None:
        """Tell the store what came of a message, unless an intent has told it already."""
        if records := self._take_unwritten():
            self._peers.store.tell(Write(records, self._writer))

    def _take_unwritten(self) -> tuple[Record, ...]:
        """Return what is not written yet, the ledger first: who reads of a copy has to find what it rests on."""
        held = self._desk.positions.take_unwritten()
        if not held and not self._unwritten:
            return ()
        unwritten, self._unwritten = self._unwritten, []
        return (*self._ledger_records(held), *unwritten)

    def _ledger_records(self, entries: list[Line | Allotment]) -> list[Record]:
        """Return what is written down of the ledger; in a dry run it is one of what never happened."""
        now = self._now()
        return [] if self._account.policy.dry_run else [LedgerChanged(self.seat.name, one, now) for one in entries]

    def _to_write(self, changed: CopyChanged) -> CopyChanged | None:
        """Return what is written down of a copy.

        In a dry run that is nothing of one that is at the broker: the ledger counts its fills when that is over.
        """
        copy = changed.copy
        if not self._account.policy.dry_run:
            return changed
        if shadow.is_shadow(copy):
            return replace(changed, copy=shadow.recorded(copy))
        return changed if copy.stage is Stage.NONE else None

    def _show(self) -> None:
        if self._suspended:
            self.vitals.state = "suspended"
        elif self._token_lost:
            self.vitals.state = "unauthorised"
        elif not (self._loaded and self._own_book_read and len(self._known_positions) == 2):
            self.vitals.state = "starting"
        else:
            states = (("draining", self._drain), ("throttled", self._throttled), ("paused", not self._enabled))
            self.vitals.state = next((state for state, holds in states if holds), "live")

    def figures(self) -> str:
        """Return what rests, what is not known, how fast the broker has taken what was sent, and what of it is ours."""
        return fields(
            dry_run="yes" if self._account.policy.dry_run else "",
            open=self._desk.open_copies,
            in_doubt=self._desk.in_doubt or "",
            result=f"{result.rupees:.2f}" if (result := self._desk.result) else "",
            close_only="daily_loss" if self._desk.is_breached(self._now()) else "",
            requests=self._requests,
            failed=self._failures or "",
            rate_limited=self._rate_limited or "",
            lag=f"{lag:.1f}s" if (lag := self._desk.visibility.longest) >= LAG_WORTH_SHOWING else "",
            p50=self._latencies.percentile(50),
            p99=self._latencies.percentile(99),
            ours_p50=self._ours.percentile(50),
            ours_p99=self._ours.percentile(99),
        )


def _fail(seconds: float) -> None:
    if not seconds:
        raise RuntimeError("on purpose, to show what happens then")
    time.sleep(seconds)


def _doubled(tries: int) -> float:
    """Return the seconds to wait after so many tries."""
    return min(RETRY_LAST, RETRY_FIRST * 2.0 ** min(tries - 1, 10))
