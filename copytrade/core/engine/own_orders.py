"""What the broker shows of the account's own orders: which copies they are, their states, and which are missing."""

from collections.abc import Iterable, Sequence, Set
from datetime import date, datetime

from msgspec.structs import replace

from copytrade.core.decide.decisions import Cancel, Modify, Skip
from copytrade.core.engine.context import Context
from copytrade.core.engine.copies import transitions
from copytrade.core.engine.copies.copy_book import Changed, CopyBook
from copytrade.core.engine.copies.holds import Holds
from copytrade.core.engine.copies.lookups import SHOWN_WITHIN
from copytrade.core.engine.copies.unknown_outcomes import UnknownOutcomes, UnreadableRow
from copytrade.core.engine.copies.unshown import Unshown
from copytrade.core.engine.invalidation import Invalidation
from copytrade.core.engine.leader_orders import LeaderOrders, as_leader
from copytrade.core.engine.retention import Retention
from copytrade.core.engine.work_queue import WorkQueue
from copytrade.core.ledger import closing_orders as closing
from copytrade.core.ledger.positions import Positions
from copytrade.core.model.copies import Copy
from copytrade.core.model.ledger import Part, line_of
from copytrade.core.model.orders import IST, Order, Status, ended_before, order_of
from copytrade.core.model.reasons import Reason


class OwnOrders:
    """Takes in updates of single orders, reads of the whole order book, and searches by id."""

    def __init__(
        self,
        orders: LeaderOrders,
        positions: Positions,
        copy_book: CopyBook,
        unknown_outcomes: UnknownOutcomes,
        work_queue: WorkQueue,
        invalidation: Invalidation,
        retention: Retention,
        unshown: Unshown,
        holds: Holds,
        context: Context,
    ) -> None:
        self._orders = orders
        self._positions = positions
        self._copy_book = copy_book
        self._unknown_outcomes = unknown_outcomes
        self._work_queue = work_queue
        self._invalidation = invalidation
        self._retention = retention
        self._unshown = unshown
        self._context = context
        self._holds = holds
        self._orphan_orders: dict[str, Order] = {}

    def seen(self, order: Order, received: float | None) -> Changed | None:
        """Take in an update of one order; return None if it is no copy, or was forgotten."""
        if self._retention.is_forgotten_own(order):
            self._work_queue.subject = ""
            return None
        self._unknown_outcomes.seen(order.id)
        if received is not None:
            self._unknown_outcomes.visibility.told(order.id, received)
        copy = self._copy_book.find(order)
        leader = self._orders.get(copy.leader_order_id) if copy else None
        self._work_queue.subject = copy.leader_order_id if copy else ""
        is_set_aside = self._orders.is_set_aside(self._work_queue.subject)
        is_copy = copy is not None and not (leader is not None and transitions.is_foreign(copy, order, leader))
        at = order.observed_at if received is not None else order.event_at - self._context.skew
        if is_copy and copy is not None and copy.order_id == order.id and not is_set_aside:
            self._unshown.take_back_write_off(copy, order, order.event_at - self._context.skew)
        self._positions.holdings.account.seen(order, is_copy=is_copy and not is_set_aside, at=at)
        if is_set_aside:
            return None
        if copy is None or not is_copy:
            if order.is_ours:
                self._orphan_orders[order.id] = order
            self._invalidation.line_of_account(line_of(order))
            return None
        if copy.order_id and copy.order_id != order.id:
            copy = self._duplicate(copy, order, leader or as_leader(copy, order))
        copy_id = (copy.leader_order_id, copy.n)
        is_busy = self._work_queue.is_under_way(copy_id)
        after = transitions.observed(self._unshown.turned_up(copy), order, leader, busy=is_busy)
        if transitions.is_modified(copy, after):
            self._holds.carried_out(copy_id, Modify)
        if order.status is Status.TRADED and copy.fill_ms is None:
            after = replace(after, fill_ms=self._orders.milliseconds_until(copy.leader_order_id, received))
        changed = self._copy_book.change(copy, after, leader or as_leader(copy, order))
        self._invalidation.copy_changed(changed)
        return changed

    def _duplicate(self, copy: Copy, order: Order, leader: Order) -> Copy:
        """Add a second order with the id of a copy, so that it is cancelled."""
        number = self._copy_book.next_number(copy.leader_order_id)
        duplicate = transitions.found(copy, order, leader, number, Part.TWIN)
        self._copy_book.keep(duplicate)
        return duplicate

    def unread(self, order_ids: Iterable[str]) -> None:
        """Note orders that exist already and cannot be read."""
        for order_id in order_ids:
            self._unknown_outcomes.seen(order_id)

    def book_read(
        self, began: float, now: datetime, order_ids: Set[str], unreadable: Sequence[UnreadableRow] = ()
    ) -> list[Changed]:
        """Take in a read of the order book that began at a monotonic time; it settles doubts that are older.

        An order that the book lacks is not absent if one of the ``unreadable`` rows may be that order.
        """
        self._unknown_outcomes.read(began, order_ids, unreadable)
        resolved = [*self._free_absent(), *self._unshown.give_up()]
        for copy_id in sorted(self._copy_book.in_doubt):
            copy, leader = self._copy_book.copy(copy_id), self._orders.get(copy_id[0])
            if leader is None or copy.order_id not in order_ids:
                continue
            if self._unknown_outcomes.settled_at(copy_id) < began:
                resolved.append(self._copy_book.change(copy, transitions.was_read(copy), leader))
        resolved += self._not_carried_out(began, now, order_ids)
        self._work_queue.mark(changed.leader.id for changed in resolved)
        self._work_queue.mark(order_id for order_id, _ in sorted(self._copy_book.in_doubt) if order_id in self._orders)
        return resolved if unreadable else [*resolved, *self._ended_with_their_day(now, order_ids)]

    def _not_carried_out(self, began: float, now: datetime, order_ids: Set[str]) -> list[Changed]:
        """Undo accepted modifications and cancellations that a read some time later does not show."""
        found = []
        for copy_id in sorted(self._copy_book.live):
            copy, leader = self._copy_book.copy(copy_id), self._orders.get(copy_id[0])
            if leader is None or copy.order_id not in order_ids or self._work_queue.is_under_way(copy_id):
                continue
            if began <= self._unknown_outcomes.settled_at(copy_id) + SHOWN_WITHIN:
                continue
            if copy.cancel_sent:
                self._holds.came_to_nothing(copy_id, Cancel(copy.n), now)
                found.append(self._copy_book.change(copy, transitions.cancel_came_to_nothing(copy), leader))
            elif copy.replaced is not None and copy.desired is not None:
                self._holds.came_to_nothing(copy_id, Modify(copy.n, copy.desired), now)
                found.append(self._copy_book.change(copy, transitions.modification_came_to_nothing(copy), leader))
        return found

    def searched(self, correlation_id: str, began: float) -> list[Changed]:
        """Note that a search by correlation id, begun at a monotonic time, found no order."""
        if copy_id := self._copy_book.named(correlation_id):
            self._unknown_outcomes.searched(copy_id, began)
        return [*self._free_absent(), *self._unshown.give_up()]

    def _free_absent(self) -> list[Changed]:
        """Reset copies whose orders are proven not to exist, so that they are decided again."""
        resolved = []
        for copy_id in self._unknown_outcomes.absent():
            leader = self._orders.get(copy_id[0])
            if leader is not None and not self._work_queue.is_under_way(copy_id):
                copy = self._copy_book.copy(copy_id)
                resolved.append(self._copy_book.change(copy, transitions.proven_absent(copy), leader))
                self._invalidation.copy_changed(resolved[-1])
        return resolved

    def _ended_with_their_day(self, now: datetime, order_ids: Set[str]) -> list[Changed]:
        """End what is in doubt since an earlier day: no book shows it any more, nor its leader order.

        What it may have filled is in the account, and `drift` shows it.
        """
        today, changed = now.astimezone(IST).date(), list[Changed]()
        for copy_id in sorted(self._copy_book.in_doubt):
            copy, allocation = self._copy_book.copy(copy_id), self._positions.ledger.allocation(copy_id[0])
            if copy_id[0] in self._orders or copy.trade_date >= today or copy.order_id in order_ids:
                continue
            if allocation is not None:
                skip = Skip(Reason.MISSED_TOO_OLD, f"no answer was known, and {copy.trade_date} is over")
                after = transitions.skipped(transitions.proven_absent(copy), skip)
                changed.append(self._copy_book.change(copy, after, closing.order_of(allocation, None)))
        return changed

    @property
    def orphan_orders(self) -> list[Order]:
        """The account's orders with an id of ours that the database does not know."""
        return list(self._orphan_orders.values())

    def forget_orphan_orders(self, day: date) -> None:
        """Forget those that ended before a day."""
        for order in self.orphan_orders:
            if ended_before(order, day):
                del self._orphan_orders[order.id]

    def adopt_orphan_orders(self, now: datetime) -> list[Changed]:
        """Turn orphan orders into copies if they fit their leader orders; the others stay orphans."""
        adopted = []
        for order in sorted(self._orphan_orders.values(), key=lambda order: order.correlation_id):
            copy = self._lost_copy(order, now)
            if copy is None:
                continue
            del self._orphan_orders[order.id]
            self._copy_book.forget_unsent(copy.leader_order_id)
            self._copy_book.keep(copy)
            if changed := self.seen(order, None):
                adopted.append(changed)
        return adopted

    def _lost_copy(self, order: Order, now: datetime) -> Copy | None:
        """Return the copy that an orphan order must have been, None if it fits no leader order."""
        named = order_of(order.correlation_id)
        leader = self._orders.get(named[0]) if named else None
        allocation = self._positions.ledger.allocation(leader.id) if leader else None
        if named is None or leader is None or allocation is None or self._copy_book.get(named) is not None:
            return None
        part = Part.EXIT if allocation.is_exit else Part.ENTRY
        copy = transitions.found(self._copy_book.new(leader, now), order, leader, named[1], part)
        return None if transitions.is_foreign(copy, order, leader) else copy
