"""How the ledger judges leader orders as entries or exits, and what that changes in their copies."""

from datetime import datetime

from msgspec.structs import replace

from copytrade.core.decide.decisions import Flag
from copytrade.core.engine.context import Context
from copytrade.core.engine.copies import transitions
from copytrade.core.engine.copies.copy_book import Changed, CopyBook
from copytrade.core.engine.exits.misjudged import misjudged_without
from copytrade.core.engine.exits.shares import Shares
from copytrade.core.engine.invalidation import Invalidation
from copytrade.core.engine.leader_orders import LeaderOrders
from copytrade.core.engine.work_queue import WorkQueue
from copytrade.core.ledger import closing_orders as closing
from copytrade.core.ledger.positions import Positions
from copytrade.core.model.copies import Copy, Stage
from copytrade.core.model.ledger import Part, line_of
from copytrade.core.model.order_book import chronological
from copytrade.core.model.orders import Order, Status
from copytrade.core.model.reasons import Reason


class Judging:
    """Has leader orders judged, and records in copies what turned into an exit or was misjudged."""

    def __init__(
        self,
        orders: LeaderOrders,
        positions: Positions,
        copy_book: CopyBook,
        context: Context,
        work_queue: WorkQueue,
        invalidation: Invalidation,
        shares: Shares,
    ) -> None:
        self._orders = orders
        self._positions = positions
        self._copy_book = copy_book
        self._context = context
        self._work_queue = work_queue
        self._invalidation = invalidation
        self._shares = shares

    def unjudged(self) -> list[Order]:
        """Return the leader's orders by time, without closing orders and those that were set aside."""
        return [order for order in chronological(self._orders.values()) if self._is_judged(order)]

    def judge_all(self) -> None:
        """Judge every leader order on lines where his position is known, and mark them all."""
        for order in self.unjudged():
            if self._positions.of(order.leader).is_known_on(line_of(order)):
                self._work_queue.subject = order.id
                self.judge(order, order.event_at - self._context.skew)
        self._invalidation.everybody()

    def judge(self, order: Order, at: datetime) -> list[Changed]:
        """Have the ledger judge a leader order; return the unfilled copies that this turns from entries into exits."""
        return [
            self._copy_book.change(copy, replace(copy, part=Part.EXIT), leader)
            for order_id in self._positions.leader_seen(
                order,
                at,
                order.event_at - self._context.skew,
                is_beside=self._shares.is_beside(order),
            )
            if (leader := self._orders.get(order_id))
            for copy in self._copy_book.of(order_id)
            if copy.is_open and copy.part is Part.ENTRY and self._is_untouched(leader, copy)
        ]

    def misjudged_without(self, order: Order) -> list[str]:
        """Return the leader orders that were copied as entries because this order's fills were not known."""
        misjudged = misjudged_without(order, self._orders, self._positions)
        return [order_id for order_id in misjudged if self._copy_book.is_sent(order_id)]

    def take_back(self, order_id: str, found: Order) -> list[Changed]:
        """Record that an order was misjudged; its entry is closed at once on behalf of the order found."""
        self._context.found_late.add(found.id)
        why = f"it left what {found.id} had entered, of which nothing was known"
        return [
            self._copy_book.change(
                copy, transitions.flagged(copy, Flag(copy.n, Reason.MISJUDGED, why)), self._orders[order_id]
            )
            for copy in self._copy_book.of(order_id)
            if copy.stage is not Stage.NONE and copy.reason is None
        ]

    def _is_judged(self, order: Order) -> bool:
        return not self._orders.is_set_aside(order.id) and not closing.is_closing(order.id)

    def _is_untouched(self, leader: Order, copy: Copy) -> bool:
        """Whether an order may still fill, and neither the leader nor the follower has entered anything by it."""
        if copy.filled_quantity or (leader.is_terminal and leader.status is not Status.TRADED):
            return False
        allocation = self._positions.ledger.allocation(leader.id)
        return allocation is not None and not allocation.leader_entered
