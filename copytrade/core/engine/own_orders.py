"""What the broker says of the account's own orders: which copies they are, what became of those, and which it lacks."""

from collections.abc import Iterable, Sequence, Set
from datetime import date, datetime

from msgspec.structs import replace

from copytrade.core.decide.decisions import Cancel, Modify
from copytrade.core.engine.context import Circumstances
from copytrade.core.engine.copies import transitions as lifecycle
from copytrade.core.engine.copies.copy_book import Blotter, Changed
from copytrade.core.engine.copies.holds import Holds
from copytrade.core.engine.copies.lookups import SHOWN_WITHIN
from copytrade.core.engine.copies.unknown_outcomes import Doubts, UnreadableRow
from copytrade.core.engine.copies.unshown import Unshown
from copytrade.core.engine.invalidation import Concerns
from copytrade.core.engine.leader_orders import LeaderOrders, as_leader
from copytrade.core.engine.retention import Forgetting
from copytrade.core.engine.work_queue import Agenda
from copytrade.core.ledger.positions import Positions
from copytrade.core.model.copies import Copy
from copytrade.core.model.ledger import Part, line_of
from copytrade.core.model.orders import Order, Status, ended_before, order_of


class OwnOrders:
    """Takes the broker's word: sights of single orders, reads of the whole book, and searches."""

    def __init__(
        self,
        orders: LeaderOrders,
        positions: Positions,
        blotter: Blotter,
        doubts: Doubts,
        agenda: Agenda,
        concerns: Concerns,
        forgetting: Forgetting,
        unshown: Unshown,
        holds: Holds,
        circumstances: Circumstances,
    ) -> None:
        self._orders = orders
        self._positions = positions
        self._blotter = blotter
        self._doubts = doubts
        self._agenda = agenda
        self._concerns = concerns
        self._forgetting = forgetting
        self._unshown = unshown
        self._circumstances = circumstances
        self._holds = holds
        self._strangers: dict[str, Order] = {}

    def seen(self, order: Order, received: float | None) -> Changed | None:
        """Take the broker's word about one order; None if it is none of our copies, or of one that is forgotten."""
        if self._forgetting.is_forgotten_own(order):
            self._agenda.subject = ""
            return None
        self._doubts.seen(order.id)
        if received is not None:
            self._doubts.visibility.told(order.id, received)
        copy = self._blotter.find(order)
        leader = self._orders.get(copy.leader_order_id) if copy else None
        self._agenda.subject = copy.leader_order_id if copy else ""
        is_set_aside = self._orders.is_set_aside(self._agenda.subject)
        is_copy = copy is not None and not (leader is not None and lifecycle.is_foreign(copy, order, leader))
        at = order.observed_at if received is not None else order.event_at - self._circumstances.skew
        self._positions.own_seen(order, is_copy=is_copy and not is_set_aside, at=at)
        if is_set_aside:
            return None
        if copy is None or not is_copy:
            if order.is_ours:
                self._strangers[order.id] = order
            self._concerns.line(line_of(order))
            return None
        if copy.order_id and copy.order_id != order.id:
            copy = self._twin(copy, order, leader or as_leader(copy, order))
        copy_id = (copy.leader_order_id, copy.n)
        is_busy = self._agenda.is_under_way(copy_id)
        after = lifecycle.observed(self._unshown.turned_up(copy), order, leader, busy=is_busy)
        if lifecycle.is_modified(copy, after):
            self._holds.carried_out(copy_id, Modify)
        if order.status is Status.TRADED and copy.fill_ms is None:
            after = replace(after, fill_ms=self._orders.milliseconds_until(copy.leader_order_id, received))
        changed = self._blotter.change(copy, after, leader or as_leader(copy, order))
        self._concerns.copy_changed(changed)
        return changed

    def _twin(self, copy: Copy, order: Order, leader: Order) -> Copy:
        """Take in a second order with the id of a copy, so that it is cancelled."""
        number = self._blotter.next_number(copy.leader_order_id)
        twin = lifecycle.found(copy, order, leader, number, Part.TWIN)
        self._blotter.keep(twin)
        return twin

    def unread(self, order_ids: Iterable[str]) -> None:
        """Take note of orders that are there already, and cannot be read."""
        for order_id in order_ids:
            self._doubts.seen(order_id)

    def book_read(
        self, began: float, now: datetime, order_ids: Set[str], unreadable: Sequence[UnreadableRow] = ()
    ) -> list[Changed]:
        """Take note ``now`` of a read of the book, begun at a monotonic time: it ends doubts older than that.

        It says nothing by what it lacks of an order of ours that one of the ``unreadable`` rows may be.
        """
        self._doubts.read(began, order_ids, unreadable)
        resolved = [*self._free_absent(), *self._unshown.give_up()]
        for copy_id in sorted(self._blotter.in_doubt):
            copy, leader = self._blotter.copy(copy_id), self._orders.get(copy_id[0])
            if leader is None or copy.order_id not in order_ids:
                continue
            if self._doubts.settled_at(copy_id) < began:
                resolved.append(self._blotter.change(copy, lifecycle.was_read(copy), leader))
        resolved += self._not_carried_out(began, now, order_ids)
        self._agenda.mark(changed.leader.id for changed in resolved)
        self._agenda.mark(order_id for order_id, _ in sorted(self._blotter.in_doubt) if order_id in self._orders)
        return resolved

    def _not_carried_out(self, began: float, now: datetime, order_ids: Set[str]) -> list[Changed]:
        """Find the changes that the broker accepted some time before a read, and that the read does not show."""
        found = []
        for copy_id in sorted(self._blotter.live):
            copy, leader = self._blotter.copy(copy_id), self._orders.get(copy_id[0])
            if leader is None or copy.order_id not in order_ids or self._agenda.is_under_way(copy_id):
                continue
            if began <= self._doubts.settled_at(copy_id) + SHOWN_WITHIN:
                continue
            if copy.cancel_sent:
                self._holds.came_to_nothing(copy_id, Cancel(copy.n), now)
                found.append(self._blotter.change(copy, lifecycle.cancel_came_to_nothing(copy), leader))
            elif copy.replaced is not None and copy.wish is not None:
                self._holds.came_to_nothing(copy_id, Modify(copy.n, copy.wish), now)
                found.append(self._blotter.change(copy, lifecycle.modification_came_to_nothing(copy), leader))
        return found

    def searched(self, correlation_id: str, began: float) -> list[Changed]:
        """Take note that the broker, asked for an id, showed no order; asked at a monotonic time."""
        if copy_id := self._blotter.named(correlation_id):
            self._doubts.searched(copy_id, began)
        return [*self._free_absent(), *self._unshown.give_up()]

    def _free_absent(self) -> list[Changed]:
        """Free what is proven not to exist, to be decided anew."""
        resolved = []
        for copy_id in self._doubts.absent():
            leader = self._orders.get(copy_id[0])
            if leader is not None and not self._agenda.is_under_way(copy_id):
                copy = self._blotter.copy(copy_id)
                resolved.append(self._blotter.change(copy, lifecycle.proven_absent(copy), leader))
                self._concerns.copy_changed(resolved[-1])
        return resolved

    @property
    def strangers(self) -> list[Order]:
        """Return the orders that carry an id of ours and that nothing in the database speaks of."""
        return list(self._strangers.values())

    def forget_strangers(self, day: date) -> None:
        """Forget those that ended before a day."""
        for order in self.strangers:
            if ended_before(order, day):
                del self._strangers[order.id]

    def adopt_strangers(self, now: datetime) -> list[Changed]:
        """Take orders for ours that the database has lost, where they fit the leader's order; keep the others."""
        adopted = []
        for order in sorted(self._strangers.values(), key=lambda order: order.correlation_id):
            copy = self._lost_copy(order, now)
            if copy is None:
                continue
            del self._strangers[order.id]
            self._blotter.forget_unsent(copy.leader_order_id)
            self._blotter.keep(copy)
            if changed := self.seen(order, None):
                adopted.append(changed)
        return adopted

    def _lost_copy(self, order: Order, now: datetime) -> Copy | None:
        """Return the copy that an order must have been, None where it fits no leader order."""
        named = order_of(order.correlation_id)
        leader = self._orders.get(named[0]) if named else None
        allotment = self._positions.allotment(leader.id) if leader else None
        if named is None or leader is None or allotment is None or self._blotter.get(named) is not None:
            return None
        part = Part.EXIT if allotment.is_exit else Part.ENTRY
        copy = lifecycle.found(self._blotter.new(leader, now), order, leader, named[1], part)
        return None if lifecycle.is_foreign(copy, order, leader) else copy
