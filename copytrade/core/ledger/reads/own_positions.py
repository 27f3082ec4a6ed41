"""What one follower's account holds besides its copies, by its orders and by reads of its positions."""

import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from copytrade.core.ledger.arithmetic.lots import sign
from copytrade.core.ledger.corporate_actions import factor_of
from copytrade.core.ledger.drift.apart import Apart, all_apart
from copytrade.core.ledger.reads.position_reads import PositionReads
from copytrade.core.model.ledger import LineKey, line_of
from copytrade.core.model.orders import Order, OrderType, Side

#: The broker's words for an order of its own that closes a position: in the correlation id of a square-off (seen so).
_SQUARE_OFF = re.compile(r"SQ(UARE)?.?R?.?OFF", re.IGNORECASE)


class OwnNet:
    """The account's orders, and its net position by line apart from the copies: units of *other hands*, signed.

    Other hands are the account holder, the broker's risk desk and other programs. What they held before is known from
    the first read of the positions, what they traded since from their orders, and trades without an order from later
    reads.
    """

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._copies: set[str] = set()
        self._by_orders: Counter[LineKey] = Counter()
        self._by_reads: Counter[LineKey] = Counter()
        self._written_off: Counter[LineKey] = Counter()
        self._traded: set[LineKey] = set()
        self._working: dict[str, Order] = {}
        self.reads = PositionReads()

    @property
    def is_read(self) -> bool:
        """Whether the positions have been read since the start."""
        return self.reads.last_read is not None

    @property
    def orders(self) -> Iterable[Order]:
        """The account's orders that the broker has shown."""
        return self._orders.values()

    def was_told_of(self, order_id: str) -> bool:
        """Whether the broker has shown an order since the start."""
        return order_id in self._orders

    def forget(self, order_ids: Iterable[str]) -> None:
        """Forget orders; their fills stay counted."""
        for order_id in order_ids:
            self._orders.pop(order_id, None)
            self._copies.discard(order_id)
            self._working.pop(order_id, None)

    def seen(self, order: Order, *, is_copy: bool, at: datetime) -> None:
        """Count the fills of an order; ``at`` is the latest time of the last fill.

        The ledger counts the fills of copies. An order may turn out to be a copy later.
        """
        known, key, direction = self._orders.get(order.id), line_of(order), order.side.sign
        before = known.filled_quantity if known else 0
        self._orders[order.id] = order
        if is_copy and order.id not in self._copies:
            self._copies.add(order.id)
            if known is not None:
                self._by_orders[key] -= before * direction
        if more := order.filled_quantity - before:
            self._traded.add(key)
            self.reads.filled(key, more * direction, at, by_others=order.id not in self._copies)
            if order.id not in self._copies:
                self._by_orders[key] += more * direction
        if order.is_terminal or order.id in self._copies:
            self._working.pop(order.id, None)
        else:
            self._working[order.id] = order

    def read(
        self,
        net: Mapping[LineKey, int],
        at: datetime,
        copied: Mapping[LineKey, int],
        sides: Mapping[tuple[LineKey, int], int],
    ) -> None:
        """Take in a read of the positions; ``copied`` is what is held by copying, ``sides`` the units by line and side.

        The first read is accepted at once, because it shows what was there before. Missing copies have to be confirmed,
        and so have units that may be those copies, converted or split.
        """
        is_first = self.reads.last_read is None
        self.reads.read(net, at, self._expected(copied))
        if is_first:
            suspected = dict(self.reads.suspected)
            lacking = {key.key: units for key, units in suspected.items() if (key, -sign(units)) in sides}
            for key, difference in suspected.items():
                may_be_split = copied.get(key) and self.factor(key, copied)
                if (key, -sign(difference)) in sides or difference * lacking.get(key.key, 0) < 0 or may_be_split:
                    continue
                self._by_orders[key] += difference
                self.reads.settle(key)

    def _expected(self, copied: Mapping[LineKey, int]) -> dict[LineKey, int]:
        return {key: copied.get(key, 0) + self.beside(key) for key in {*copied, *self._by_orders, *self._by_reads}}

    def confirm(self, book_read: datetime | None, waiting: Container[LineKey] = ()) -> dict[LineKey, int]:
        """Accept the confirmed differences, and return them.

        What may be a conversion waits for its other line; lines in ``waiting`` wait, too.
        """
        confirmed = self.reads.confirmed(book_read)
        confirmed = {
            key: units
            for key, units in confirmed.items()
            if not self.reads.may_be_moving(key, units, confirmed) and key not in waiting
        }
        for key, difference in confirmed.items():
            self._by_reads[key] += difference
            self.reads.settle(key)
        return confirmed

    def factor(self, key: LineKey, copied: Mapping[LineKey, int]) -> Fraction | None:
        """Return the factor of a split that explains the last read of a line, None if none does."""
        return factor_of(key, copied.get(key, 0) + self.beside(key), self.reads.suspected.get(key, 0))

    def moved(self, key: LineKey, units: int) -> None:
        """Count units that reads showed apart from the copies as copies."""
        self._by_reads[key] -= units

    def found_again(self, key: LineKey, units: int) -> None:
        """Count units (signed) that were written off because of reads as copies again."""
        self.moved(key, units)
        self._written_off[key] -= units

    def written_off_by_reads(self, key: LineKey) -> int:
        """Return how many copied units, signed, were written off since the start without an order that explains it."""
        return self._written_off[key]

    def written_off(self, key: LineKey, units: int, direction: int) -> None:
        """Write off copied units as closed by other hands, and reduce what those hold against the direction."""
        by_orders = min(units, max(0, -self._by_orders[key] * direction))
        self._by_orders[key] += by_orders * direction
        unseen = units - by_orders
        self._written_off[key] += unseen * direction
        self._by_reads[key] += min(unseen, max(0, -self._by_reads[key] * direction)) * direction

    @property
    def differing(self) -> list[LineKey]:
        """The lines on which confirmed reads showed units that no order explains."""
        return [key for key, units in self._by_reads.items() if units]

    def is_as_copied(self, key: LineKey) -> bool:
        """Whether only copies have changed what is held on a line, by orders and by reads."""
        return not (self._by_orders.get(key) or self._by_reads.get(key) or key in self.reads.suspected)

    def beside(self, key: LineKey) -> int:
        """Return what other hands have on a line, signed."""
        return self._by_orders[key] + self._by_reads[key]

    def beside_by_orders(self, key: LineKey, direction: int) -> int:
        """Return what other hands have by their orders, and what reads show of them in a direction."""
        return self._by_orders[key] + max(0, self._by_reads[key] * direction) * direction

    def lacking(self, key: LineKey, direction: int) -> int:
        """Return how many units in a direction the last read lacks, not confirmed yet."""
        return max(0, -self.reads.suspected.get(key, 0) * direction)

    @property
    def has_working(self) -> bool:
        """Whether other hands have live orders."""
        return bool(self._working)

    def about_to_fill(self, key: LineKey, side: Side, last_price: Decimal | None) -> int:
        """Return how many units other hands' live orders on a side of a line are about to fill.

        Those are orders at the market, the broker's own square-off, and limits at or through a recent last price.
        """
        return sum(
            order.quantity - order.filled_quantity
            for order in self._working.values()
            if order.side is side and line_of(order) == key and _is_about_to_fill(order, last_price)
        )

    def apart(
        self, net: Mapping[LineKey, int], copied: Mapping[LineKey, int], sides: Mapping[tuple[LineKey, int], int]
    ) -> list[Apart]:
        """Return what the account holds apart from its copies, by a read of its positions.

        Positions from before, on lines where nothing is copied, are left out.
        """
        found = all_apart(net, copied, self._expected(copied), sides)
        return [one for one in found if one.line in copied or one.line in self._traded or one.unseen]


def recent(price: Decimal | None, observed_at: datetime, now: datetime, within: timedelta) -> Decimal | None:
    """Return a last price that was observed ``within`` a time before ``now``, else None."""
    return price if price and now - observed_at <= within else None


def _is_about_to_fill(order: Order, last_price: Decimal | None) -> bool:
    if order.order_type is OrderType.MARKET or _SQUARE_OFF.search(order.correlation_id + " " + order.reason):
        return True
    if order.order_type is not OrderType.LIMIT or last_price is None:
        return False
    return order.price <= last_price if order.side is Side.SELL else order.price >= last_price
