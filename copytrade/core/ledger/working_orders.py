"""Which leader orders of each line may still matter."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import chain

from copytrade.core.ledger.ledger import Ledger
from copytrade.core.model.ledger import Allocation, LineKey
from copytrade.core.model.orders import Order


class WorkingOrders:
    """The leader orders that are not over for both sides, by line, and each line's latest exit."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._orders: dict[LineKey, dict[str, Order | None]] = {}
        self._latest_exit: dict[LineKey, str] = {}

    def add(self, key: LineKey, order_id: str, order: Order | None) -> None:
        """Add an order to a line, or replace it; None for one that was not seen since the start.

        One that comes back takes its old place: overdue units are asked of the last one.
        """
        orders = self._orders.setdefault(key, {})
        comes_back = order_id not in orders and self._is_earlier(order_id, next(reversed(orders), None))
        orders[order_id] = order
        if comes_back:
            self._orders[key] = dict(sorted(orders.items(), key=lambda one: self._placed(one[0])))

    def orders(self, key: LineKey) -> Mapping[str, Order | None]:
        """Return the working orders of a line by id, None for one that was not seen since the start."""
        return self._orders.get(key, {})

    def on(self, key: LineKey) -> Iterable[str]:
        """Return the ids of a line's working orders, in the order in which they were placed.

        The latest exit is always one of them, and the first if it is over: overdue units are asked of it.
        """
        working = self._orders.get(key, {})
        latest = self._latest_exit.get(key)
        return chain((latest,), working) if latest is not None and latest not in working else working

    def lines(self) -> list[LineKey]:
        """Return the lines that have working orders."""
        return list(self._orders)

    def contains(self, leader_order_id: str) -> bool:
        """Whether an order was judged, and may still matter."""
        allocation = self._ledger.allocation(leader_order_id)
        if allocation is None:
            return False
        return leader_order_id in self._orders.get(allocation.line, {}) or self._is_latest_exit(allocation)

    def retire(self, allocation: Allocation) -> bool:
        """Remove an order that is over for both sides; return whether its line has no working order left."""
        working = self._orders.get(allocation.line, {})
        working.pop(allocation.leader_order_id, None)
        self._ledger.line_changed(allocation.line)
        if not working:
            self._orders.pop(allocation.line, None)
        return not working

    def latest_exit(self, key: LineKey) -> str | None:
        """Return the leader order that last reduced his position on a line, None if none has."""
        return self._latest_exit.get(key)

    def exited(self, key: LineKey, order_id: str) -> None:
        """Note the leader order that has last reduced his position on a line."""
        self._latest_exit[key] = order_id

    def forget_exit(self, key: LineKey) -> None:
        """Forget the latest exit of a line."""
        self._latest_exit.pop(key, None)

    def forget(self, allocation: Allocation) -> None:
        """Forget an order that is over, also as the latest exit."""
        if self._is_latest_exit(allocation):
            del self._latest_exit[allocation.line]

    def _is_earlier(self, order_id: str, last: str | None) -> bool:
        """Whether an order that was judged before others comes before the last one."""
        if last is None or order_id == next(reversed(self._ledger.allocations), None):
            return False
        return self._placed(order_id) < self._placed(last)

    def _placed(self, order_id: str) -> tuple[datetime, str]:
        allocation = self._ledger.allocations[order_id]
        return allocation.created_at, order_id

    def _is_latest_exit(self, allocation: Allocation) -> bool:
        return self._latest_exit.get(allocation.line) == allocation.leader_order_id
