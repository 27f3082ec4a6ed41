"""The leader's orders as one follower knows them, and when it first heard of each."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import ItemsView, Set, ValuesView
from datetime import datetime

from msgspec.structs import replace

from copytrade.core.model.copies import Copy
from copytrade.core.model.ledger import LineKey, line_of
from copytrade.core.model.merge import followed
from copytrade.core.model.orders import Order


class LeaderOrders:
    """The leader's orders by id, in the order in which they were first seen.

    Some are stand-ins that the engine makes: for an order that closes a line, and for one known by its copies alone.
    Orders that were ``set_aside`` are kept, and nothing is done about them. ``followers`` are the leaders who follow
    others: what this program has sent for them is no order of theirs.
    """

    def __init__(self, set_aside: Set[str] = frozenset(), followers: Set[str] = frozenset()) -> None:
        self._set_aside = set_aside
        self._followers = followers
        self._orders: dict[str, Order] = {}
        self._received: dict[str, float | None] = {}
        #: When the first fill of an order was known that no request has followed yet, where fills are followed.
        self._piece_at: dict[str, datetime] = {}
        #: When each order of a line was placed, and its id, in that order.
        self._placed: defaultdict[LineKey, list[tuple[datetime, str]]] = defaultdict(list)

    def __contains__(self, order_id: object) -> bool:
        return order_id in self._orders

    def __getitem__(self, order_id: str) -> Order:
        return self._orders[order_id]

    def get(self, order_id: str) -> Order | None:
        """Return what is known of an order, or None."""
        return self._orders.get(order_id)

    def values(self) -> ValuesView[Order]:
        """Return all of them."""
        return self._orders.values()

    def items(self) -> ItemsView[str, Order]:
        """Return all of them with their ids."""
        return self._orders.items()

    def is_set_aside(self, order_id: str) -> bool:
        """Whether the follower has crashed over an order again and again."""
        return order_id in self._set_aside

    def is_his_copy(self, order: Order) -> bool:
        """Whether an order of a leader is a copy of another leader's: nothing is decided about it."""
        return order.leader in self._followers and order.is_ours

    def see(self, order: Order, received: float | None) -> Order:
        """Merge an update of an order, ``received`` live or None for a read; return the merged order."""
        known = self._orders.get(order.id)
        if known is None:
            self._received[order.id] = received
            insort(self._placed[line_of(order)], _placed(order))
        elif not self.is_set_aside(order.id):
            merged = followed(known, order)
            order = order if merged == order else merged  # the feed's own, which all its followers share
        self._orders[order.id] = order
        return order

    def piece_filled(self, order: Order, received: float | None) -> None:
        """Note that more of an order has filled: from the first piece on counts the delay of the order that follows."""
        if order.id not in self._piece_at:
            self._piece_at[order.id] = order.observed_at
            self._received[order.id] = received

    def piece_followed(self, order_id: str) -> None:
        """Note that a request follows what has filled of an order."""
        self._piece_at.pop(order_id, None)

    def piece_at(self, order_id: str) -> datetime | None:
        """Return when the first fill of an order was known that no request has followed yet, None for none."""
        return self._piece_at.get(order_id)

    def last_placed(self, line: LineKey) -> datetime | None:
        """Return when the last order of a line was placed, as far as it is known; None where none was."""
        placed = self._placed.get(line)
        return placed[-1][0] if placed else None

    def placed_since(self, line: LineKey, moment: datetime) -> list[Order]:
        """Return the orders of a line that were placed at a moment or after it, in that order."""
        placed = self._placed.get(line, [])
        return [self._orders[order_id] for _, order_id in placed[bisect_left(placed, (moment, "")) :]]

    def count_before(self, moment: datetime, leader: str = "") -> int:
        """Return how many orders of a leader were placed before a moment."""
        his = (order for order in self._orders.values() if order.leader == leader and not self.is_his_copy(order))
        return sum(_placed(order)[0] < moment for order in his)

    def forget(self, order_id: str) -> None:
        """Forget an order, if it is known."""
        order = self._orders.pop(order_id, None)
        self._received.pop(order_id, None)
        self._piece_at.pop(order_id, None)
        if order is None:
            return
        line = line_of(order)
        placed = self._placed[line]
        at = bisect_left(placed, _placed(order))
        if at < len(placed) and placed[at][1] == order_id:
            del placed[at]
        else:  # the broker told later when it was placed
            placed[:] = [one for one in placed if one[1] != order_id]
        if not placed:
            del self._placed[line]

    def stand_in(self, order: Order) -> None:
        """Add an order that the engine made in place of a leader order."""
        self._orders[order.id] = order
        self._received[order.id] = None

    def waits(self, order_id: str) -> None:
        """Note that an order waits for its account or an operator: from its update on says nothing of a latency."""
        if order_id in self._received:
            self._received[order_id] = None

    def received(self, order_id: str) -> float | None:
        """Return when the feed first told of an order, in monotonic seconds; None if it was recovered, or waited."""
        return self._received[order_id]

    def milliseconds_until(self, order_id: str, at: float | None) -> float | None:
        """Return the milliseconds from the first update of an order to ``at``; None if either time is not known."""
        begun = self._received.get(order_id)
        return None if begun is None or at is None else (at - begun) * 1000


def _placed(order: Order) -> tuple[datetime, str]:
    return order.created_at or order.observed_at, order.id


def as_leader(copy: Copy, order: Order) -> Order:
    """Return a stand-in for a leader order that has not been read since the start."""
    order = replace(order, id=copy.leader_order_id, leader=copy.leader)
    return replace(order, quantity=copy.leader_quantity, average_price=copy.leader_price)
