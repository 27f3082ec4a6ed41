"""Which leader orders a change makes worth deciding again."""

from collections.abc import Sequence

from copytrade.core.engine.context import Context
from copytrade.core.engine.copies.copy_book import Changed, CopyBook
from copytrade.core.engine.copies.groups import Groups
from copytrade.core.engine.leader_orders import LeaderOrders
from copytrade.core.engine.work_queue import WorkQueue
from copytrade.core.ledger.positions import Positions
from copytrade.core.model.copies import Copy, Stage
from copytrade.core.model.ledger import Allocation, LineKey, Part, line_of
from copytrade.core.model.orders import Order


class Invalidation:
    """Marks those orders in the work queue.

    An entry that merely rests affects no other order and is affected by none: a line may have hundreds of them.
    """

    def __init__(
        self,
        orders: LeaderOrders,
        positions: Positions,
        copy_book: CopyBook,
        work_queue: WorkQueue,
        context: Context,
    ) -> None:
        self._work_queue = work_queue
        #: Legs that depend on each other.
        self.groups = Groups(orders, positions, copy_book, context, work_queue)
        self._orders = orders
        self._positions = positions
        self._copy_book = copy_book
        #: The orders that were found to merely rest, each with all that this depends on.
        self._at_rest: dict[str, tuple[Order, Allocation | None, Sequence[Copy]]] = {}

    def everybody(self) -> None:
        """Mark every order that is not settled or may still matter."""
        self._positions.ledger.all_changed()
        self.groups.collect()
        self._work_queue.mark(order_id for order_id, order in self._orders.items() if self._is_undone(order))

    def whatever_works(self) -> None:
        """Mark every working order of every line."""
        for key in self._positions.working.lines():
            self.line(key)

    def _is_undone(self, order: Order) -> bool:
        return self._positions.working.contains(order.id) or not self.is_settled(order)

    def is_settled(self, order: Order) -> bool:
        """Whether an order needs nothing more, unless its line changes."""
        copies = self._copy_book.of(order.id)
        if not copies:
            return self._orders.is_his_copy(order)
        if all(copy.stage is Stage.NONE for copy in copies):
            return all(copy.is_settled for copy in copies)
        return order.is_terminal and not any(copy.is_open or copy.stage is Stage.NONE for copy in copies)

    def leader_changed(self, known: Order | None, order: Order) -> None:
        """Mark an order that differs from what was ``known`` of it, and its line if that is affected."""
        if self._orders.is_his_copy(order):
            return
        self._work_queue.mark([order.id])
        self.groups.mark_sold(order)
        before = _extent(known) if known else (order.quantity, 0, False)
        if self._is_exiting(order.id) or before != _extent(order):
            self.line(line_of(order))

    def copy_changed(self, changed: Changed) -> None:
        """Mark the leader order of a changed copy, and its line if that is affected."""
        self._work_queue.mark([changed.leader.id])
        self.groups.mark_sold(changed.leader)
        before, after = changed.before, changed.after
        has_moved = (before.filled_quantity, before.stage) != (after.filled_quantity, after.stage)
        if after.part is not Part.ENTRY or (has_moved and (after.filled_quantity or after.stage is Stage.ENDED)):
            self.line(line_of(changed.leader))

    def line(self, key: LineKey) -> None:
        """Mark every working order of a line."""
        self._work_queue.mark_beside(member for member in self._positions.working.on(key) if member in self._orders)

    def line_of_account(self, key: LineKey) -> None:
        """Mark every working order of every leader's line that the broker nets in a line of the account."""
        for leader in self._positions.leaders:
            self.line(key.of(leader))

    def merely_rests(self, order: Order) -> bool:
        """Whether an order is only an entry, rests at the broker as it should, and is not affected by its line.

        Each change of a line asks this of every order of it, and few have changed since they were last asked.
        """
        allocation, copies = self._positions.ledger.allocation(order.id), self._copy_book.of(order.id)
        known = self._at_rest.get(order.id)
        if known is not None and known[0] is order and known[1] is allocation and known[2] is copies:
            return True
        rests = _rests(order, allocation, copies)
        if rests:
            self._at_rest[order.id] = order, allocation, copies
        return rests

    def is_over(self, order_id: str) -> None:
        """Drop what was found of an order that rests no more."""
        self._at_rest.pop(order_id, None)

    def forget(self) -> None:
        """Drop what was found of orders that are forgotten."""
        self.groups.collect()
        self._at_rest = {order_id: found for order_id, found in self._at_rest.items() if order_id in self._orders}

    def _is_exiting(self, order_id: str) -> bool:
        allocation = self._positions.ledger.allocation(order_id)
        return allocation is None or allocation.is_exit


def _rests(order: Order, allocation: Allocation | None, copies: Sequence[Copy]) -> bool:
    """Whether an order merely rests: an entry whose copies do, or one that was skipped for good."""
    if order.is_terminal or allocation is None or allocation.is_exit or allocation.excess:
        return False
    if copies and all(copy.stage is Stage.NONE and copy.is_settled for copy in copies):
        return True  # a filter stands against it
    if allocation.ratio is None:
        return False
    is_resting = all(copy.stage is Stage.LIVE and copy.part is Part.ENTRY for copy in copies)
    is_whole = sum(copy.quantity for copy in copies) == allocation.due
    return is_resting and is_whole


def _extent(order: Order) -> tuple[int, int, bool]:
    """The fields of a leader order that affect the other orders of its line."""
    return order.quantity, order.filled_quantity, order.is_terminal
