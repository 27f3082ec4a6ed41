"""The engine of one follower: what it knows about the leader's orders and its copies, and what it wants to do next.

It has no side effects: it is told what happened and asked what to do. The follower's actor sends, records and logs.
"""

from collections.abc import Iterable, Mapping, Set
from datetime import date, datetime
from decimal import Decimal

from copytrade.core.decide.decisions import Action, Mode, Policy
from copytrade.core.decide.risk_limits import Breach
from copytrade.core.engine.context import Context, LeaderContext, MarketRules, limits_of
from copytrade.core.engine.copies import transitions
from copytrade.core.engine.copies.copy_book import Changed, CopyBook
from copytrade.core.engine.copies.holds import SHARE, Holds
from copytrade.core.engine.copies.limit_usage import LimitUsage
from copytrade.core.engine.copies.lookups import Looks
from copytrade.core.engine.copies.unknown_outcomes import UnknownOutcomes
from copytrade.core.engine.copies.unshown import Unshown
from copytrade.core.engine.execution import Execution
from copytrade.core.engine.exits.judging import Judging
from copytrade.core.engine.exits.shares import Shares
from copytrade.core.engine.flattener import Flattener
from copytrade.core.engine.invalidation import Invalidation
from copytrade.core.engine.leader_orders import LeaderOrders
from copytrade.core.engine.own_orders import OwnOrders
from copytrade.core.engine.retention import Retention
from copytrade.core.engine.scheduler import Considered, Scheduler
from copytrade.core.engine.work_queue import WorkQueue
from copytrade.core.ledger.closing_orders import Closed
from copytrade.core.ledger.drift.apart import Apart
from copytrade.core.ledger.positions import Positions
from copytrade.core.ledger.reads.leader_positions import Corrected
from copytrade.core.ledger.sizing import Capitals
from copytrade.core.model.accounts import Result
from copytrade.core.model.copies import Copy, CopyId, Stage
from copytrade.core.model.instruments import Instrument
from copytrade.core.model.ledger import Allocation, Line, LineKey, line_of
from copytrade.core.model.orders import IST, InstrumentKey, Order
from copytrade.core.model.reasons import Reason

__all__ = ["Action", "Changed", "Considered", "CopyEngine", "LeaderContext", "MarketRules"]


class CopyEngine:
    """The copies of one follower, by leader order id and number.

    A change marks leader orders; ``scheduler.consider`` decides the marked ones; those that need a request wait until
    ``scheduler.pick`` takes the most urgent. From ``begin`` to ``execution.settle`` a copy has a request pending and is
    not changed. ``absence_window`` is in seconds, ``per_hour`` the account's budget of requests. ``leaders`` are all
    who are followed, by name; without them there is one, named "". The parts are public: call them directly where no
    other part has to learn of it.
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
        leaders: Mapping[str, LeaderContext] | None = None,
    ) -> None:
        leaders = leaders or {"": LeaderContext(policy, capitals)}
        self.positions = Positions(leaders)
        self.limit_usage = LimitUsage(policy.risk_limits, self.positions, limits_of(leaders))
        account, held_lot = LeaderContext(policy, capitals), self.positions.ledger.held_lot
        self.context = Context(account, leaders, market_rules, self.limit_usage, held_lot)
        self.work_queue = WorkQueue()
        self.unknown_outcomes = UnknownOutcomes(absence_window)
        self.orders = LeaderOrders(set_aside, frozenset(name for name, one in leaders.items() if one.follows))
        self.copies = CopyBook(follower, self.positions, self.limit_usage, self.unknown_outcomes)
        known = self.orders, self.positions, self.copies
        self.invalidation = Invalidation(*known, self.work_queue, self.context)
        self.flattener = Flattener(*known, self.work_queue, for_good=only_closes)
        holds, looks = Holds(max(1, per_hour // SHARE)), Looks()
        self.retention = Retention(*known, self.work_queue, self.context, self.flattener, self.limit_usage, holds)
        self.unshown = Unshown(*known, self.unknown_outcomes, self.work_queue, self.invalidation)
        self.own_orders = OwnOrders(
            *known,
            self.unknown_outcomes,
            self.work_queue,
            self.invalidation,
            self.retention,
            self.unshown,
            holds,
            self.context,
        )
        #: How much each exit is to take.
        self.shares = Shares(*known, self.context)
        self._judging = Judging(*known, self.context, self.work_queue, self.invalidation, self.shares)
        self.scheduler = Scheduler(
            *known,
            self.context,
            self.flattener,
            self.work_queue,
            self.invalidation,
            self.unknown_outcomes,
            holds,
            looks,
            self.shares,
        )
        self.execution = Execution(
            *known,
            self.context,
            self.unknown_outcomes,
            self.work_queue,
            self.invalidation,
            self.own_orders,
            holds,
            looks,
        )

    # The context of the orders: a change of it marks every order that is not settled.

    def load(
        self,
        copies: Iterable[Copy],
        lines: Iterable[Line],
        allocations: Iterable[Allocation],
        copying_since: datetime,
        at: float,
        day: date | None = None,
    ) -> None:
        """Take over what is in the database. Requests pending at the time are in doubt from ``at`` (monotonic) on.

        If it is of this trading ``day``, the ledger tells what the leader holds on its lines.
        """
        for followed in self.context.leaders.values():
            followed.copy_since(copying_since)
        allocations = list(allocations)
        self.positions.load(lines, allocations, day)
        for copy in copies:
            if copy.is_open:
                self.unknown_outcomes.settled((copy.leader_order_id, copy.n), at)
            self.copies.keep(transitions.reloaded(copy))
        self.flattener.reload(allocations)
        self.look_again()

    def know_instruments(self, instruments: Mapping[InstrumentKey, Instrument]) -> None:
        """Take the instrument master."""
        self.context.contracts.know_master(instruments)
        self.look_again()

    def leader_positions_read(
        self, net: Mapping[LineKey, int], at: datetime, day: date, leader: str = ""
    ) -> list[Corrected]:
        """Take in a read of a leader's net positions, begun at ``at``; return the lines that it corrects at once.

        His orders of today must be known before.
        """
        skew = self.context.skew
        orders = [(order, order.event_at - skew) for order in self._judging.unjudged() if order.leader == leader]
        reads = self.positions.of(leader).reads
        before = set(reads.suspected)
        corrected = self.positions.of(leader).read(net, at, day, orders)
        self._judging.judge_all()
        if before - reads.suspected.keys():
            self.look_again()
        return corrected

    def leader_book_read(self, at: datetime, leader: str = "") -> list[Corrected]:
        """Note that a read of a leader's order book, begun at ``at``, was taken in; return what it corrects.

        A difference that two reads of his positions show, and that the book does not explain, is accepted.
        """
        corrected = self.positions.confirm_leader(at, leader)
        if corrected:
            self.look_again()
        return corrected

    def own_positions_read(self, net: Mapping[LineKey, int], at: datetime) -> list[Apart]:
        """Take in a read of the account's own net positions, begun at ``at``; return what differs from the copies."""
        self.positions.saw_lag(self.unknown_outcomes.visibility.longest)
        before = dict(self.positions.holdings.suspected)
        apart, was_awaited = self.positions.holdings.read(net, at), self.context.exit_reads.is_awaited()
        self.context.exit_reads.positions_read(at)
        if before or self.positions.holdings.suspected or self.positions.needs_own_read:
            self.invalidation.whatever_works()
        if was_awaited:
            self.look_again()
        return apart

    def own_book_read(self, at: datetime) -> list[tuple[Line, Line]]:
        """Note that a read of the own order book, begun at ``at``, was taken in; return the lines it changes."""
        was_awaited = self.context.exit_reads.is_awaited()
        self.context.exit_reads.book_read(at)
        changed = self.positions.confirm_own(at)
        if changed or was_awaited:
            self.look_again()
        return changed

    def left_after_all(self, line: Line) -> list[Changed]:
        """Let the leader's latest exit of a line take units that were written off as closed and are there after all."""
        latest = self.positions.working.latest_exit(line.key)
        leader = self.orders.get(latest) if latest else None
        if leader is None:
            return []
        self.work_queue.mark([leader.id])
        return [
            self.copies.change(copy, transitions.tried_again(copy), leader)
            for copy in self.copies.of(leader.id)
            if copy.stage is Stage.NONE and copy.reason is Reason.EXTERNAL_CLOSE
        ]

    def rescale(self, at: datetime) -> list[tuple[Line, Line]]:
        """Scale the lines of shares that were split overnight: both accounts show the same multiple."""
        day = (at + self.context.skew).astimezone(IST).date()
        scaled = [self.positions.scale(key, factor) for key, factor in self.positions.scalings(day)]
        if scaled:
            self.look_again()
        return scaled

    def assume_positions(self) -> None:
        """Go by the ledger: exits stop waiting for positions that were not read in time."""
        self.positions.assume()
        self._judging.judge_all()

    def set_own_book(self, *, is_read: bool) -> None:
        """Set whether the own order book has been read since the start; nothing is entered before."""
        if self.context.own_book_read is not is_read:
            self.context.own_book_read = is_read
            self.look_again()

    def know_leader_capital(self, capital: Decimal, leader: str = "") -> None:
        """Take a leader's start-of-day capital; a figure that is already known stays for the day."""
        self.context.of(leader).know_capitals(leader=capital)
        self.look_again()

    def know_capital(self, capital: Decimal) -> None:
        """Take the follower's start-of-day capital; a figure that is already known stays for the day."""
        for followed in self.context.all:
            followed.know_capitals(follower=capital)
        self.look_again()

    def change_policy(self, policy: Policy, of: Mapping[str, Policy] | None = None) -> None:
        """Copy by another policy from now on, a leader by his own in ``of`` if he has one there.

        Entries stay switched as they are, and so does the time of the start.
        """
        self.context.change(policy, of or {})
        self.limit_usage.change(policy.risk_limits, self.copies, limits_of(self.context.leaders))
        self.look_again()

    def switch_entries(self, *, enabled: bool, pause: str = "") -> None:
        """Switch entries off or on; ``pause`` is what a skip says of the operator's pause."""
        for followed in self.context.all:
            followed.switch(enabled=enabled, pause=pause)
        self.look_again()

    def know_breach(self, breach: Breach) -> None:
        """Take over a breach of the daily loss limit from the database."""
        self.limit_usage.know_breach(breach)
        self.look_again()

    def know_result(self, result: Result) -> Breach | None:
        """Take the account's result of the day; return the breach of the daily loss limit if it is a new one."""
        if not self.limit_usage.is_set:
            return None
        was_lacking = self.limit_usage.lacks_result(result.at)
        breach = self.limit_usage.know_result(result, self.context.account.capitals.follower)
        if breach is not None or was_lacking:
            self.look_again()
        return breach

    def set_gate(self, *, is_open: bool, leader: str = "") -> None:
        """Open or close the gate for entries from a leader."""
        self.context.of(leader).gate_open = is_open
        self.look_again()

    def own_feed(self, *, is_up: bool, at: datetime | None = None) -> None:
        """Set whether the account's own feed is up, since ``at``: only then does its silence prove anything."""
        self.unknown_outcomes.own_feed(is_up=is_up)
        if is_up and at is not None:
            self.context.exit_reads.feed_is_up(at)
        elif not is_up:
            self.context.exit_reads.feed_is_down()

    def look_again(self) -> None:
        """Mark every leader order that is not settled."""
        self.invalidation.everybody()

    # Changes of orders.

    def leader_changed(self, order: Order, received: float | None) -> list[Changed]:
        """Take in a leader order as it is now; ``received`` is the monotonic time of a live update, None for a read."""
        self.work_queue.subject = order.id
        if self.retention.is_forgotten(order):
            return []
        known, order = self.orders.get(order.id), self.orders.see(order, received)
        follows_fills = self.context.of(order.leader).policy.mode is Mode.FILLS
        if follows_fills and order.filled_quantity > (known.filled_quantity if known else 0):
            self.orders.piece_filled(order, received)
        self.context.contracts.see(order)
        self.invalidation.groups.see(order)
        if self.orders.is_set_aside(order.id):
            self.work_queue.mark([order.id])
            return []
        misjudged = self._judging.misjudged_without(order) if order.filled_quantity and not order.is_ours else []
        at = order.observed_at if received is not None else order.event_at - self.context.skew
        is_known = self.positions.of(order.leader).is_known_on(line_of(order))
        changed = self._judging.judge(order, at) if is_known else []
        changed += [change for order_id in misjudged for change in self._judging.take_back(order_id, order)]
        self.invalidation.leader_changed(known, order)
        for copy in self.copies.of(order.id):
            after = transitions.with_leader(copy, order)
            if copy.n and after != copy:
                changed.append(self.copies.change(copy, after, order))
        return changed + self.execution.fill_shadows(order) if self.context.dry_run else changed

    @property
    def knows_leaders(self) -> bool:
        """Whether the orders and positions of all leaders are known."""
        return self.positions.are_of_leaders_read and all(one.gate_open for one in self.context.leaders.values())

    def suspect_second_copier(self) -> None:
        """Stop entries: another program sends orders with our ids."""
        self.context.second_copier = True
        self.look_again()

    # Requests.

    def begin(self, leader: Order, action: Action, now: datetime) -> Changed:
        """Note that a request is about to be sent. Raises ValueError if the leader's id fits no correlation id."""
        self.scheduler.was_taken()
        self.orders.piece_followed(leader.id)
        return self.execution.begin(leader, action, now)

    def keep_back(self, leader: Order, action: Action, now: datetime) -> list[Changed]:
        """Record a request of a dry run as accepted without sending it. Raises ValueError as ``begin`` does."""
        self.scheduler.was_taken()
        self.orders.piece_followed(leader.id)
        return self.execution.keep_back(leader, action, now)

    def wants_search(self, copy_id: CopyId, at: float) -> bool:
        """Whether to search for an order by its correlation id: it may not exist, or was accepted and is not shown."""
        return not self.copies.copy(copy_id).order_id or self.unknown_outcomes.wants_search(copy_id, at)

    def wake(self, order_id: str) -> None:
        """Mark a leader order whose time to wait is over."""
        if order_id in self.orders:
            self.work_queue.awake(order_id)

    # Orders that are over.

    def forget_before(self, day: date) -> int:
        """Forget what ended before a day in India; what the broker shows of earlier days must have been taken in.

        Returns how many leader orders were forgotten.
        """
        orders = self.retention.forget_before(day)
        self.shares.forget()
        self.scheduler.forget()
        if self.retention.forgotten is not None:
            self.own_orders.forget_orphan_orders(self.retention.forgotten.day)
        return orders

    def everything(self) -> list[tuple[Copy, Order]]:
        """Return every copy with its leader order, for writing all of it down again."""
        return [(copy, leader) for copy in self.copies if (leader := self.orders.get(copy.leader_order_id))]

    def hold_up(self) -> None:
        """Note that nothing can be sent for the account: the delay of what wants a request now says nothing."""
        for order_id in self.work_queue.wanting():
            self.orders.waits(order_id)

    # Trying again.

    def try_again(self, order_id: str, units: int) -> list[Changed] | None:
        """Decide a finished leader order again at an operator's request: an entry for ``units`` at most.

        Returns None if that is impossible: the order is not known, a copy rests, or it never had a size.
        """
        leader, copies = self.orders.get(order_id), self.copies.of(order_id)
        if leader is None or not copies or any(copy.is_open for copy in copies):
            return None
        if not self.positions.take_up_again(order_id, units):
            return None
        self.orders.waits(order_id)
        changed = [self.copies.change(copy, transitions.tried_again(copy), leader) for copy in copies]
        self.work_queue.mark([order_id])
        return changed

    # Closing everything.

    def close_all(self, *, leaves: bool = False, leader: str | None = None) -> None:
        """Begin to cancel every copy, or those of one leader, and to close what is held; none are copied meanwhile.

        With ``leaves`` what is held stays in the account, and does not count as copied any more.
        """
        self.flattener.begin(leaves=leaves, leader=leader)
        self.look_again()

    def take_closed(self, now: datetime) -> Closed | None:
        """Return the outcome of closing everything, once; None while it goes on, and if nothing is being closed."""
        closed = self.flattener.take_outcome(self.context.instruments or {}, now)
        if closed is not None:
            self.look_again()
            self.invalidation.whatever_works()  # its leader order may have ended meanwhile
        return closed
