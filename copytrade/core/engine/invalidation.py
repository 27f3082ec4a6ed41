"""Whom a change concerns: which leader orders are worth another look because of it."""

from copytrade.core.engine.copies.copy_book import Changed, CopyBook
from copytrade.core.engine.leader_orders import LeaderOrders
from copytrade.core.engine.work_queue import WorkQueue
from copytrade.core.ledger.positions import Positions
from copytrade.core.model.copies import Stage
from copytrade.core.model.ledger import LineKey, Part, line_of
from copytrade.core.model.orders import Order


class Invalidation:
    """Marks them on the agenda.

    An entry that merely rests, as it should, concerns no other order, and no other's fills concern it: there may be
    hundreds of them on a line.
    """

    def __init__(self, orders: LeaderOrders, positions: Positions, copy_book: CopyBook, work_queue: WorkQueue) -> None:
        self._work_queue = work_queue
        self._orders = orders
        self._positions = positions
        self._copy_book = copy_book

    def everybody(self) -> None:
        """Look again at every order that is not settled, or whose decision was not that nothing is left to be done."""
        self._positions.ledger.all_changed()
        self._work_queue.mark(order_id for order_id, order in self._orders.items() if self._is_undone(order))

    def whatever_works(self) -> None:
        """Look again at every order of every line that may matter yet."""
        for key in self._positions.working.lines():
            self.line(key)

    def _is_undone(self, order: Order) -> bool:
        return self._positions.working.contains(order.id) or not self.is_settled(order)

    def is_settled(self, order: Order) -> bool:
        """Whether nothing is left to be done about an order, unless its line moves."""
        copies = self._copy_book.of(order.id)
        if not copies:
            return False
        if all(copy.stage is Stage.NONE for copy in copies):
            return all(copy.is_settled for copy in copies)
        return order.is_terminal and not any(copy.is_open or copy.stage is Stage.NONE for copy in copies)

    def leader_changed(self, known: Order | None, order: Order) -> None:
        """Look at an order that is not what was ``known`` of it, and at its line where that is concerned."""
        self._work_queue.mark([order.id])
        before = _extent(known) if known else (order.quantity, 0, False)
        if self._is_exiting(order.id) or before != _extent(order):
            self.line(line_of(order))

    def copy_changed(self, changed: Changed) -> None:
        """Look at the leader order of a copy, and at its line where that is concerned."""
        self._work_queue.mark([changed.leader.id])
        before, after = changed.before, changed.after
        has_moved = (before.filled_quantity, before.stage) != (after.filled_quantity, after.stage)
        if after.part is not Part.ENTRY or (has_moved and (after.filled_quantity or after.stage is Stage.ENDED)):
            self.line(line_of(changed.leader))

    def line(self, key: LineKey) -> None:
        """Look at every order of a line that may matter yet."""
        self._work_queue.mark_beside(member for member in self._positions.working.on(key) if member in self._orders)

    def merely_rests(self, order: Order) -> bool:
        """Whether an order is an entry alone that is at the broker as it should be, whatever else its line does."""
        allocation = self._positions.ledger.allocation(order.id)
        if order.is_terminal or allocation is None or allocation.is_exit or allocation.excess:
            return False
        copies = self._copy_book.of(order.id)
        if copies and all(copy.stage is Stage.NONE and copy.is_settled for copy in copies):
            return True  # a filter stands against it
        if allocation.ratio is None:
            return False
        is_resting = all(copy.stage is Stage.LIVE and copy.part is Part.ENTRY for copy in copies)
        is_whole = sum(copy.quantity for copy in copies) == allocation.due
        return is_resting and is_whole

    def _is_exiting(self, order_id: str) -> bool:
        allocation = self._positions.ledger.allocation(order_id)
        return allocation is None or allocation.is_exit


def _extent(order: Order) -> tuple[int, int, bool]:
    """What of a leader order concerns the others of its line."""
    return order.quantity, order.filled_quantity, order.is_terminal
