"""A follower's desk: everything it knows about the leader's orders and its own copies, and what it wants to do next.

Pure: it is told what happened and asked what to do. Whoever sits at it sends, records and logs.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import date, datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from copytrade.core.decide.decisions import Action, Flag, Place, Policy, Skip
from copytrade.core.decide.risk_limits import Breach
from copytrade.core.engine.context import Context, MarketRules
from copytrade.core.engine.copies import transitions
from copytrade.core.engine.copies.copy_book import Changed, CopyBook
from copytrade.core.engine.copies.holds import SHARE, Holds
from copytrade.core.engine.copies.limit_usage import LimitUsage
from copytrade.core.engine.copies.lookups import Looks
from copytrade.core.engine.copies.unknown_outcomes import UnknownOutcomes, UnreadableRow, Visibility
from copytrade.core.engine.copies.unshown import Unshown
from copytrade.core.engine.execution import Execution
from copytrade.core.engine.exits.misjudged import misjudged_without
from copytrade.core.engine.exits.shares import Shares
from copytrade.core.engine.flattener import Flattener
from copytrade.core.engine.invalidation import Invalidation
from copytrade.core.engine.leader_orders import LeaderOrders
from copytrade.core.engine.own_orders import OwnOrders
from copytrade.core.engine.retention import Retention
from copytrade.core.engine.scheduler import Considered, Scheduler
from copytrade.core.engine.work_queue import WorkQueue
from copytrade.core.ledger import closing_orders as closing
from copytrade.core.ledger.closing_orders import Closed
from copytrade.core.ledger.drift.apart import Apart
from copytrade.core.ledger.positions import Positions
from copytrade.core.ledger.reads.leader_positions import Corrected
from copytrade.core.ledger.sizing import Capitals
from copytrade.core.market.contracts import Differs
from copytrade.core.model.accounts import Result
from copytrade.core.model.copies import Copy, CopyId, Stage
from copytrade.core.model.instruments import Instrument
from copytrade.core.model.lane import Lane
from copytrade.core.model.ledger import Allocation, Line, LineKey, Part, line_of
from copytrade.core.model.order_book import chronological
from copytrade.core.model.orders import IST, InstrumentKey, Order, Status
from copytrade.core.model.reasons import Reason

__all__ = ["Action", "Changed", "Considered", "CopyEngine", "MarketRules"]


class CopyEngine:
    """The copies of one follower, by leader order id and number.

    News mark a leader order; ``consider`` decides what is marked; what then asks for a request waits until ``pick``
    takes the most urgent. A copy is under way from ``begin`` to ``settle``, and not changed meanwhile. ``per_hour`` is
    the account's budget of requests.
    """

    def __init__(
        self,
        follower: str,
        policy: Policy,
        capitals: Capitals,
        market_rules: MarketRules,
        absence_window: float = 10.0,
        set_aside: Set[str] = frozenset(),
        *,
        only_closes: bool = False,
        per_hour: int = 1000,
    ) -> None:
        self._positions = Positions()
        self._limit_usage = LimitUsage(policy.risk_limits, self._positions) if policy.risk_limits else None
        self._context = Context(policy, capitals, market_rules, self._limit_usage, self._positions.ledger.held_lot)
        self._work_queue = WorkQueue()
        self._unknown_outcomes = UnknownOutcomes(absence_window)
        self._orders = LeaderOrders(set_aside)
        self._copy_book = CopyBook(follower, self._positions, self._limit_usage, self._unknown_outcomes)
        known = self._orders, self._positions, self._copy_book
        self._invalidation = Invalidation(*known, self._work_queue)
        self._flattener = Flattener(*known, self._work_queue, for_good=only_closes)
        holds, looks = Holds(max(1, per_hour // SHARE)), Looks()
        self._retention = Retention(*known, self._work_queue, self._context, self._flattener, self._limit_usage, holds)
        self._unshown = Unshown(*known, self._unknown_outcomes, self._work_queue, self._invalidation)
        self._own_orders = OwnOrders(
            *known,
            self._unknown_outcomes,
            self._work_queue,
            self._invalidation,
            self._retention,
            self._unshown,
            holds,
            self._context,
        )
        #: How much each exit is to take.
        self.shares = Shares(*known, self._context)
        self._scheduler = Scheduler(
            *known,
            self._context,
            self._flattener,
            self._work_queue,
            self._invalidation,
            self._unknown_outcomes,
            holds,
            looks,
            self.shares,
        )
        self._execution = Execution(
            *known,
            self._context,
            self._unknown_outcomes,
            self._work_queue,
            self._invalidation,
            self._own_orders,
            holds,
            looks,
        )

    @property
    def subject(self) -> str:
        """The leader order that was dealt with last, or is being dealt with."""
        return self._work_queue.subject

    @subject.setter
    def subject(self, order_id: str) -> None:
        self._work_queue.subject = order_id

    # What is known around the orders; each change makes every order worth another look.

    def load(
        self,
        copies: Iterable[Copy],
        lines: Iterable[Line],
        allocations: Iterable[Allocation],
        copying_since: datetime,
        at: float,
        day: date | None = None,
    ) -> None:
        """Take over what is in the database. What was under way then is in doubt from now, ``at`` monotonic, on.

        If it is of this trading ``day``, the ledger tells what the leader holds on its lines.
        """
        self._context.policy = replace(self._context.policy, copying_since=copying_since)
        allocations = list(allocations)
        self._positions.load(lines, allocations, day)
        for copy in copies:
            if copy.is_open:
                self._unknown_outcomes.settled((copy.leader_order_id, copy.n), at)
            self._copy_book.keep(transitions.reloaded(copy))
        self._flattener.reload(allocations)
        self.look_again()

    def know_instruments(self, instruments: Mapping[InstrumentKey, Instrument]) -> None:
        """Take the instrument master."""
        self._context.contracts.know_master(instruments)
        self.look_again()

    def know_multipliers(self, multipliers: Mapping[InstrumentKey, Decimal]) -> None:
        """Take the multipliers that positions tell of."""
        self._context.contracts.know_multipliers(multipliers)

    def leader_positions_read(self, net: Mapping[LineKey, int], at: datetime, day: date) -> list[Corrected]:
        """Take in a read of the leader's net positions, begun at ``at``; return the lines that it corrects at once.

        His orders of today have to be known by then.
        """
        skew = self._context.skew
        orders = [(order, order.event_at - skew) for order in self._unjudged()]
        was_suspected = self._positions.leader.is_suspected
        corrected = self._positions.leader.read(net, at, day, orders)
        if was_suspected and not self._positions.leader.is_suspected:
            self._invalidation.whatever_works()
        self._judge_all()
        return corrected

    def leader_book_read(self, at: datetime) -> list[Corrected]:
        """Take note that a read of the leader's book, begun at ``at``, was told of; return what it corrects.

        Two reads of his positions that it explains no better are believed.
        """
        corrected = self._positions.confirm_leader(at)
        if corrected:
            self.look_again()
        return corrected

    def own_positions_read(self, net: Mapping[LineKey, int], at: datetime) -> list[Apart]:
        """Take in a read of the account's own net positions, begun at ``at``; return what differs from the copies."""
        self._positions.saw_lag(self._unknown_outcomes.visibility.longest)
        before = dict(self._positions.holdings.suspected)
        apart, was_awaited = self._positions.holdings.read(net, at), self.awaits_exit_reads
        self._context.exit_reads.positions_read(at)
        if before or self._positions.holdings.suspected or self._positions.needs_own_read:
            self._invalidation.whatever_works()
        if was_awaited:
            self.look_again()
        return apart

    def own_book_told(self, at: datetime) -> None:
        """Take note that the account's feed has told of its whole book, as it was at a moment."""
        self._context.exit_reads.book_read(at)

    def own_book_read(self, at: datetime) -> list[tuple[Line, Line]]:
        """Take note that a read of the own book, begun at ``at``, was told of; return the lines it changes."""
        was_awaited = self.awaits_exit_reads
        self._context.exit_reads.book_read(at)
        changed = self._positions.confirm_own(at)
        if changed or was_awaited:
            self.look_again()
        return changed

    def left_after_all(self, line: Line) -> list[Changed]:
        """Let the leader's latest exit of a line take what seemed closed by other hands, and is there."""
        latest = self._positions.working.latest_exit(line.key)
        leader = self._orders.get(latest) if latest else None
        if leader is None:
            return []
        self._work_queue.mark([leader.id])
        return [
            self._copy_book.change(copy, transitions.tried_again(copy), leader)
            for copy in self._copy_book.of(leader.id)
            if copy.stage is Stage.NONE and copy.reason is Reason.EXTERNAL_CLOSE
        ]

    def rescale(self, at: datetime) -> list[tuple[Line, Line]]:
        """Scale the lines of shares of which both accounts hold one and the same multiple over night."""
        day = (at + self._context.skew).astimezone(IST).date()
        scaled = [self._positions.scale(key, factor) for key, factor in self._positions.scalings(day)]
        if scaled:
            self.look_again()
        return scaled

    def assume_positions(self) -> None:
        """Go by the ledger: exits wait no longer for positions that were not read in time."""
        self._positions.assume()
        self._judge_all()

    def assume_own_positions(self) -> None:
        """Do without the account's own positions: in a dry run they have nothing of what is recorded."""
        self._positions.holdings.assume()

    @property
    def positions_lag(self) -> float:
        """Seconds by which reads of positions that are to agree are apart."""
        return self._positions.lag

    @property
    def are_positions_known(self) -> bool:
        """Whether the positions of leader and follower have been read, or nobody waits for them."""
        return self._positions.leader.is_known and self._positions.holdings.are_known

    def _unjudged(self) -> list[Order]:
        return [order for order in chronological(self._orders.values()) if self._is_judged(order)]

    def _is_judged(self, order: Order) -> bool:
        return not self._orders.is_set_aside(order.id) and not closing.is_closing(order.id)

    def _judge_all(self) -> None:
        for order in self._unjudged():
            if self._positions.leader.is_known_on(line_of(order)):
                self.subject = order.id
                self._judge(order, order.event_at - self._context.skew)
        self.look_again()

    @property
    def wants_leader_read(self) -> bool:
        """Whether a difference of the leader's positions waits for another read."""
        return self._positions.needs_leader_read

    @property
    def wants_own_read(self) -> bool:
        """Whether a difference of the account's own positions, or an exit, waits for another read."""
        return self._positions.needs_own_read

    @property
    def awaits_exit_reads(self) -> bool:
        """Whether an exit waits for the first reads of the account's book and positions."""
        return self._context.exit_reads.is_awaited()

    def leaves_unread(self, order_id: str, action: Action) -> bool:
        """Return whether what leaves now is an exit that waited in vain for what the account really has, told once."""
        if not isinstance(action, Place) or action.part not in (Part.EXIT, Part.CLOSE):
            return False
        return self._context.exit_reads.take_unread(order_id)

    def leaves_beside(self, order_id: str, action: Action, now: datetime) -> bool:
        """Return whether what leaves now is an exit that gave way in vain to another order of the account, told once.

        Part of it may leave while the rest gives way: that is not told.
        """
        if not isinstance(action, Place) or action.part is not Part.EXIT:
            return False
        return self.shares.gave_way_in_vain(order_id, now - self._context.skew)

    def know_skew(self, skew: timedelta) -> None:
        """Take what our clock lacks to the broker's; times of reads are by ours."""
        self._context.skew = skew

    def set_own_book(self, *, is_read: bool) -> None:
        """Say whether it is known what of ours was at the broker when we began: nothing is entered before."""
        if self._context.own_book_read is not is_read:
            self._context.own_book_read = is_read
            self.look_again()

    def know_leader_capital(self, capital: Decimal) -> None:
        """Take the leader's start-of-day capital; a figure that is already known stays for the day."""
        known = self._context.capitals
        self._context.capitals = Capitals(known.leader or capital, known.follower)
        self.look_again()

    def know_capital(self, capital: Decimal) -> None:
        """Take the follower's start-of-day capital; a figure that is already known stays for the day."""
        known = self._context.capitals
        self._context.capitals = Capitals(known.leader, known.follower or capital)
        self.look_again()

    def switch_entries(self, *, enabled: bool) -> None:
        """Enter nothing more, or enter again."""
        self._context.policy = replace(self._context.policy, enabled=enabled)
        self.look_again()

    def know_breach(self, breach: Breach) -> None:
        """Take over that more was lost on a day than may be, as it was written down."""
        if self._limit_usage is not None:
            self._limit_usage.know_breach(breach)
            self.look_again()

    def know_result(self, result: Result) -> Breach | None:
        """Take what the account has made of the day; return the breach of the daily loss limit, if it is news."""
        if self._limit_usage is None:
            return None
        was_lacking = self._limit_usage.lacks_result(result.at)
        breach = self._limit_usage.know_result(result, self._context.capitals.follower)
        if breach is not None or was_lacking:
            self.look_again()
        return breach

    @property
    def result(self) -> Result | None:
        """What the account had made of the day when that was last read."""
        return self._limit_usage.result if self._limit_usage else None

    def lacks_result(self, now: datetime) -> bool:
        """Whether entries wait because nobody knows what the account has made of the day, or not recently."""
        return self._limit_usage is not None and self._limit_usage.lacks_result(now)

    def is_breached(self, now: datetime) -> bool:
        """Whether the day's loss has been reached on the trading day of ``now``."""
        return self._limit_usage is not None and self._limit_usage.is_breached(now)

    def set_gate(self, *, is_open: bool) -> None:
        """Open or close the entry gate."""
        self._context.gate_open = is_open
        self.look_again()

    def own_feed(self, *, is_up: bool, at: datetime | None = None) -> None:
        """Say whether the account's own feed is up, since ``at``: only then does its silence prove anything."""
        self._unknown_outcomes.own_feed(is_up=is_up)
        if is_up and at is not None:
            self._context.exit_reads.feed_is_up(at)
        elif not is_up:
            self._context.exit_reads.feed_is_down()

    def look_again(self) -> None:
        """Mark every leader order dirty that is not settled."""
        self._invalidation.everybody()

    # News.

    def leader_changed(self, order: Order, received: float | None) -> list[Changed]:
        """Take the leader's order as it is now; ``received`` is the monotonic time of a live update, else None."""
        self.subject = order.id
        if self._retention.is_forgotten(order):
            return []
        known, order = self._orders.get(order.id), self._orders.see(order, received)
        self._context.contracts.see(order)
        if self._orders.is_set_aside(order.id):
            self._work_queue.mark([order.id])
            return []
        misjudged = self._misjudged_without(order) if order.filled_quantity and not order.is_ours else []
        at = order.observed_at if received is not None else order.event_at - self._context.skew
        changed = self._judge(order, at) if self._positions.leader.is_known_on(line_of(order)) else []
        changed += [change for order_id in misjudged for change in self._take_back(order_id, order)]
        self._invalidation.leader_changed(known, order)
        for copy in self._copy_book.of(order.id):
            after = transitions.with_leader(copy, order)
            if copy.n and after != copy:
                changed.append(self._copy_book.change(copy, after, order))
        return changed + self._execution.fill_shadows(order) if self._context.policy.dry_run else changed

    def _judge(self, order: Order, at: datetime) -> list[Changed]:
        """Have the ledger take in a leader order; what becomes an exit by it is one in its untouched copies too."""
        return [
            self._copy_book.change(copy, replace(copy, part=Part.EXIT), leader)
            for order_id in self._positions.leader_seen(
                order,
                at,
                order.event_at - self._context.skew,
                is_beside=self.shares.is_beside(order),
            )
            if (leader := self._orders.get(order_id))
            for copy in self._copy_book.of(order_id)
            if copy.is_open and copy.part is Part.ENTRY and self._is_untouched(leader, copy)
        ]

    def _misjudged_without(self, order: Order) -> list[str]:
        """Return the leader orders that were copied as entries because of this one's fills nothing was known."""
        misjudged = misjudged_without(order, self._orders, self._positions)
        return [order_id for order_id in misjudged if self._copy_book.is_sent(order_id)]

    def _take_back(self, order_id: str, found: Order) -> list[Changed]:
        """Record that an order was misjudged; what it entered is closed at once for the one that was found."""
        self._context.found_late.add(found.id)
        why = f"it left what {found.id} had entered, of which nothing was known"
        return [
            self._copy_book.change(
                copy, transitions.flagged(copy, Flag(copy.n, Reason.MISJUDGED, why)), self._orders[order_id]
            )
            for copy in self._copy_book.of(order_id)
            if copy.stage is not Stage.NONE and copy.reason is None
        ]

    def _is_untouched(self, leader: Order, copy: Copy) -> bool:
        """Whether neither the leader nor the follower has entered anything by an order that may yet fill."""
        if copy.filled_quantity or (leader.is_terminal and leader.status is not Status.TRADED):
            return False
        allocation = self._positions.ledger.allocation(leader.id)
        return allocation is not None and not allocation.leader_entered

    def own_changed(self, order: Order, received: float | None) -> Changed | None:
        """Take the broker's word about one of this account's orders; None if it is none of our copies."""
        return self._own_orders.seen(order, received)

    def own_unread(self, order_ids: Iterable[str]) -> None:
        """Take note of orders of this account that cannot be read, and that nobody has placed since."""
        self._own_orders.unread(order_ids)

    @property
    def orphan_orders(self) -> list[Order]:
        """Return the account's orders that carry an id of ours and that nothing in the database speaks of."""
        return self._own_orders.orphan_orders

    def adopt_orphan_orders(self, now: datetime) -> list[Changed]:
        """Take orders for ours that the database has lost, where they fit the leader's order; keep the others."""
        return self._own_orders.adopt_orphan_orders(now)

    @property
    def knows_leader(self) -> bool:
        """Whether the leader's orders and positions are known."""
        return self._context.gate_open and self._positions.leader.is_known

    def suspect_second_copier(self) -> None:
        """Enter nothing any more: somebody else sends orders with our ids."""
        self._context.second_copier = True
        self.look_again()

    # Deciding.

    def consider(self, now: datetime) -> Considered:
        """Decide every dirty order."""
        return self._scheduler.consider(now)

    def wants(self, order_id: str) -> bool:
        """Whether something is to be sent for a leader order."""
        return self._work_queue.is_wanted(order_id)

    def lane(self) -> Lane | None:
        """Return the most urgent lane in which something could be sent now, None if there is nothing."""
        return self._scheduler.lane()

    def pick(self, now: datetime) -> tuple[Order, Action] | None:
        """Return the most urgent leader order and what to send for it, decided afresh; None if nothing is left.

        What ``consider`` has just decided, at the same ``now``, is fresh.
        """
        return self._scheduler.pick(now)

    def is_overtaken(self, order_id: str, action: Action) -> bool:
        """Whether the leader's order has ended while a request for it was on its way to the sender."""
        return self._scheduler.is_overtaken(order_id, action)

    # What is done.

    def begin(self, leader: Order, action: Action, now: datetime) -> Changed:
        """Note that a request is under way. Raises ValueError where no correlation id fits the leader's order id."""
        self._scheduler.was_taken()
        return self._execution.begin(leader, action, now)

    def keep_back(self, leader: Order, action: Action, now: datetime) -> list[Changed]:
        """Do as if a request had been sent and taken: nothing is. Raises ValueError as ``begin`` does."""
        self._scheduler.was_taken()
        return self._execution.keep_back(leader, action, now)

    def book_read(
        self, began: float, now: datetime, order_ids: Set[str], unreadable: Sequence[UnreadableRow] = ()
    ) -> list[Changed]:
        """Take note ``now`` of a read of our own book, begun at a monotonic time: it ends doubts older than that.

        It says nothing by what it lacks of an order of ours that one of the ``unreadable`` rows may be.
        """
        return self._own_orders.book_read(began, now, order_ids, unreadable)

    def searched(self, correlation_id: str, began: float) -> list[Changed]:
        """Take note that the broker, asked for an id, showed no order; asked at a monotonic time."""
        return self._own_orders.searched(correlation_id, began)

    def wants_search(self, copy_id: CopyId, at: float) -> bool:
        """Whether an order is to be searched for by its id: it may not exist, or was accepted and is not shown."""
        return not self._copy_book.copy(copy_id).order_id or self._unknown_outcomes.wants_search(copy_id, at)

    def wants_positions(self, copy_id: CopyId, at: float) -> bool:
        """Whether the account's positions say that an order which is not shown is to be sent again."""
        return self._unshown.wants_positions(copy_id, at)

    def net_read(self, net: Mapping[LineKey, int], began: float) -> list[Changed]:
        """Take note of what the account holds, by a read begun at a monotonic time."""
        return self._unshown.net_read(net, began)

    def settle(self, copy_id: CopyId, after: Copy, at: float) -> list[Changed]:
        """Note a request's outcome, known at a monotonic time: the copy as it is after it."""
        return self._execution.settle(copy_id, after, at)

    def came_to_nothing(self, copy_id: CopyId, action: Action, now: datetime) -> None:
        """Note that a request was refused or not answered, for no cause of the account's: the next try waits."""
        self._execution.came_to_nothing(copy_id, action, now)

    def was_accepted(self, copy_id: CopyId, action: Action) -> None:
        """Note that the broker took a request."""
        self._execution.was_accepted(copy_id, action)

    def skip(self, order_id: str, skip: Skip, now: datetime) -> list[Changed]:
        """Note that an order is not copied, and why, where that is news."""
        return self._copy_book.skip(self._orders[order_id], skip, now)

    def waiting_in(self, lane: Lane) -> list[str]:
        """Return the leader orders for which something waits to be sent in a lane, or in one less urgent."""
        return self._scheduler.waiting_in(lane)

    def note_waiting(self, lane: Lane, skip: Skip, now: datetime) -> list[Changed]:
        """Note why nothing was sent yet for what waits in a lane, or in one less urgent; it goes on waiting."""
        return self._scheduler.note_waiting(lane, skip, now)

    def skip_unsent(self, skip: Skip, now: datetime) -> list[Changed]:
        """Note that nothing that waits to be placed is copied, and why; an exit goes on waiting all the same."""
        return self._scheduler.skip_unsent(skip, now)

    def wake(self, order_id: str) -> None:
        """Look at a leader order again: the time it waited for has come."""
        if order_id in self._orders:
            self._work_queue.awake(order_id)

    # What is over.

    @property
    def decisions(self) -> int:
        """How many orders have been decided until now."""
        return self._scheduler.decisions

    def leader_order(self, order_id: str) -> Order | None:
        """Return what is known of a leader order, or None."""
        return self._orders.get(order_id)

    def is_known(self, order_id: str) -> bool:
        """Whether a leader order has been told of, and is not forgotten."""
        return order_id in self._orders

    def forget_before(self, day: date) -> int:
        """Forget what was over before a day in India, once all that the broker can tell of the days before was told.

        Returns how many leader orders were forgotten.
        """
        orders = self._retention.forget_before(day)
        self.shares.forget()
        self._scheduler.forget()
        if self._retention.forgotten is not None:
            self._own_orders.forget_orphan_orders(self._retention.forgotten.day)
        return orders

    def take_differences(self) -> list[Differs]:
        """Return what the broker contradicts itself about, each once a contract."""
        found, contracts = self._context.contracts.news, self._context.contracts
        contracts.news = []
        return found

    def copy(self, copy_id: CopyId) -> Copy:
        """Return a copy that exists."""
        return self._copy_book.copy(copy_id)

    def everything(self) -> list[tuple[Copy, Order]]:
        """Return every copy with its leader order, for writing all of it down again."""
        return [(copy, leader) for copy in self._copy_book if (leader := self._orders.get(copy.leader_order_id))]

    @property
    def positions(self) -> Positions:
        """What the leader and the follower hold."""
        return self._positions

    def received(self, order_id: str) -> float | None:
        """Return when the live feed first told of a leader order, in monotonic seconds; None if it was recovered."""
        return self._orders.received(order_id)

    @property
    def in_doubt(self) -> int:
        """How many copies there are of which we do not know what became."""
        return len(self._copy_book.in_doubt)

    @property
    def visibility(self) -> Visibility:
        """How late the broker shows this account's orders."""
        return self._unknown_outcomes.visibility

    @property
    def open_copies(self) -> int:
        """How many copies rest at the broker."""
        return len(self._copy_book.live)

    def lane_of(self, leader: Order, action: Action) -> Lane:
        """Return how urgent a request is."""
        return self._scheduler.lane_of(leader, action)

    # Trying again.

    def try_again(self, order_id: str, units: int) -> list[Changed] | None:
        """Decide a leader order afresh whose copies were over, on an operator's word: an entry for ``units`` at most.

        None where that cannot be: the order is not of today, rests, or never had a size.
        """
        leader, copies = self._orders.get(order_id), self._copy_book.of(order_id)
        if leader is None or not copies or any(copy.is_open for copy in copies):
            return None
        if not self._positions.take_up_again(order_id, units):
            return None
        changed = [self._copy_book.change(copy, transitions.tried_again(copy), leader) for copy in copies]
        self._work_queue.mark([order_id])
        return changed

    # Closing everything.

    def close_all(self) -> None:
        """Begin to cancel every copy and to close what is held by copying, and nothing else."""
        self._flattener.begin()
        self.look_again()

    def take_closed(self, now: datetime) -> Closed | None:
        """Return what came of closing, once; None while it goes on, and where nothing is being closed."""
        closed = self._flattener.take_outcome(self._context.instruments or {}, now)
        if closed is not None:
            self.look_again()
            self._invalidation.whatever_works()  # its leader order may have ended meanwhile
        return closed

    @property
    def is_closing(self) -> bool:
        """Whether everything is being closed."""
        return self._flattener.is_awaited
