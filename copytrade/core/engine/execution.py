"""A request from its beginning to its outcome, and what a dry run does instead."""

from datetime import datetime

from msgspec.structs import replace

from copytrade.core.decide.decisions import Action, Cancel, Modify, Place
from copytrade.core.engine.context import Context
from copytrade.core.engine.copies import dry_run as shadow
from copytrade.core.engine.copies import transitions
from copytrade.core.engine.copies.copy_book import Changed, CopyBook
from copytrade.core.engine.copies.holds import Holds
from copytrade.core.engine.copies.lookups import Looks
from copytrade.core.engine.copies.unknown_outcomes import UnknownOutcomes
from copytrade.core.engine.invalidation import Invalidation
from copytrade.core.engine.leader_orders import LeaderOrders
from copytrade.core.engine.own_orders import OwnOrders
from copytrade.core.engine.work_queue import WorkQueue
from copytrade.core.ledger.arithmetic.entries import ratio_now
from copytrade.core.ledger.positions import Positions
from copytrade.core.model.copies import Copy, CopyId, Stage
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import Order


class Execution:
    """Records in the copies what was asked of the broker and what it answered."""

    def __init__(
        self,
        orders: LeaderOrders,
        positions: Positions,
        copy_book: CopyBook,
        context: Context,
        unknown_outcomes: UnknownOutcomes,
        work_queue: WorkQueue,
        invalidation: Invalidation,
        own_orders: OwnOrders,
        holds: Holds,
        looks: Looks,
    ) -> None:
        self._orders = orders
        self._positions = positions
        self._copy_book = copy_book
        self._context = context
        self._unknown_outcomes = unknown_outcomes
        self._work_queue = work_queue
        self._invalidation = invalidation
        self._own_orders = own_orders
        self._holds = holds
        self._looks = looks

    def begin(self, leader: Order, action: Action, now: datetime) -> Changed:
        """Note that a request is about to be sent. Raises ValueError if the leader's id fits no correlation id."""
        copy_id = (leader.id, action.n)
        match action:
            case Place():
                self._unknown_outcomes.leaves(copy_id)
                copy = replace(self._copy_book.get(copy_id) or self._copy_book.new(leader, now), created_at=now)
                after = self._placing(transitions.with_leader(copy, leader), action, leader)
                self._copy_book.forget_unsent(leader.id)
            case Modify():
                copy = self._copy_book.copy(copy_id)
                after = transitions.modifying(copy, action)
            case Cancel():
                copy = self._copy_book.copy(copy_id)
                after = transitions.cancelling(copy, action)
        self._invalidation.groups.mark_sold(leader)
        is_entry = isinstance(action, Place) and action.part is Part.ENTRY
        self._work_queue.begin(copy_id, self._context.underlying(leader) if is_entry else "")
        return self._copy_book.change(copy, after, leader)

    def _placing(self, copy: Copy, place: Place, leader: Order) -> Copy:
        allocation = self._positions.ledger.allocation(copy.leader_order_id)
        ratio = allocation.ratio if allocation else None
        if allocation and place.part is not Part.ENTRY:
            ratio = ratio_now(self._positions.ledger.line(allocation.line))
        instrument, strategy = self._context.instrument(leader), self._context.of(leader.leader).policy.sizing.strategy
        return transitions.placing(copy, place, ratio, strategy, instrument.multiplier if instrument else None)

    def settle(self, copy_id: CopyId, after: Copy, at: float) -> list[Changed]:
        """Note a request's outcome, known at a monotonic time: the copy as it is after it."""
        self._work_queue.end(copy_id)
        self._looks.end(copy_id)
        self._unknown_outcomes.settled(copy_id, at)
        leader, before = self._orders[copy_id[0]], self._copy_book.copy(copy_id)
        duplicate = after.order if after.order and after.order.id != after.order_id else None
        if duplicate:  # the one that the feed has shown is not the one that the broker has answered about
            after = replace(after, order=None, stage=Stage.LIVE)
        is_taken = before.stage is Stage.PENDING and after.stage is Stage.LIVE
        if is_taken and not self._context.dry_run:
            self._unknown_outcomes.visibility.accepted(after.order_id, at, told=before.order is not None)
        if transitions.is_modified(before, after):
            self._holds.carried_out(copy_id, Modify)
        changed = [self._copy_book.change(before, after, leader)]
        if duplicate and (doubled := self._own_orders.seen(duplicate, None)):
            changed.append(doubled)
        self._invalidation.copy_changed(changed[0])
        return changed

    def came_to_nothing(self, copy_id: CopyId, action: Action, now: datetime) -> None:
        """Note that a request was refused or not answered, for a reason of its own: the next try waits."""
        self._holds.came_to_nothing(copy_id, action, now)

    def was_accepted(self, copy_id: CopyId, action: Action) -> None:
        """Note that the broker accepted a request; modifications and cancellations count once they are shown."""
        if isinstance(action, Place):
            self._holds.carried_out(copy_id, Place)

    def keep_back(self, leader: Order, action: Action, now: datetime) -> list[Changed]:
        """Record a request of a dry run as accepted without sending it. Raises ValueError as ``begin`` does."""
        begun = self.begin(leader, action, now)
        copy_id, copy = (leader.id, action.n), begun.after
        match action:
            case Place():
                after = transitions.accepted(copy, shadow.order_id(copy), None)
            case Modify():
                after = transitions.modification_accepted(copy, copy.order_id)
            case Cancel():
                after = transitions.cancel_accepted(copy)
        changed = self.settle(copy_id, after, self._unknown_outcomes.settled_at(copy_id))
        return [replace(changed[0], before=begun.before), *changed[1:], *self.fill_shadows(leader)]

    def fill_shadows(self, leader: Order) -> list[Changed]:
        """Let the copies of a dry run fill or end as the leader's order does."""
        changed = []
        for copy in self._copy_book.of(leader.id):
            if copy.stage is Stage.LIVE and shadow.is_shadow(copy):
                lot_size = self._positions.ledger.lot_size(leader.id)
                order = shadow.order_of(copy, leader, lot_size, leader.event_at)
                if told := self._own_orders.seen(order, None):
                    changed.append(told)
        return changed
