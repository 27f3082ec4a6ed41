"""What one account has: its orders of the day, its positions and its money, kept up to date fill by fill."""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from copytrade.paper.instruments import PaperInstrument
from copytrade.paper.orders import NO_PRICE, PaperOrder


@dataclass(slots=True)
class PaperPosition:
    """What an account bought and sold today of one instrument in one product."""

    instrument: PaperInstrument
    product: str
    bought: int = 0
    bought_value: Decimal = NO_PRICE
    sold: int = 0
    sold_value: Decimal = NO_PRICE

    @property
    def net(self) -> int:
        """Units held; negative for a short."""
        return self.bought - self.sold

    @property
    def buy_average(self) -> Decimal:
        """Average price of what was bought, 0 if nothing was."""
        return self.bought_value / self.bought if self.bought else NO_PRICE

    @property
    def sell_average(self) -> Decimal:
        """Average price of what was sold, 0 if nothing was."""
        return self.sold_value / self.sold if self.sold else NO_PRICE

    @property
    def cost_price(self) -> Decimal:
        """Average price of what is held, 0 once it is closed."""
        return self.buy_average if self.net > 0 else self.sell_average if self.net < 0 else NO_PRICE

    @property
    def realized(self) -> Decimal:
        """Rupees made, or lost, on what was closed."""
        return (self.sell_average - self.buy_average) * min(self.bought, self.sold)


class Portfolio:
    """One account's orders, oldest first, and what came of them.

    A paper margin: a working order and a position block the full value of what they open or hold, long or short, and
    what closes a position blocks nothing. Real margins of short options differ; only their being finite matters here.
    """

    def __init__(self, funds: Decimal) -> None:
        self._funds = funds
        self._working: dict[tuple[str, str, str], dict[str, PaperOrder]] = defaultdict(dict)
        self._blocked: dict[str, Decimal] = {}
        self._blocked_in_all = NO_PRICE
        self._positions: dict[tuple[str, str, str], PaperPosition] = {}
        self.orders: dict[str, PaperOrder] = {}

    @property
    def positions(self) -> list[PaperPosition]:
        """Return every position of the day, the closed ones too."""
        return list(self._positions.values())

    def add(self, order: PaperOrder) -> None:
        """Take in a new order."""
        self.orders[order.id] = self._working[_key(order)][order.id] = order
        self.changed(order)

    def changed(self, order: PaperOrder) -> None:
        """Block what an order, which may not be what it was, is worth now: nothing once it has ended."""
        before = self._blocked.pop(order.id, NO_PRICE)
        if order.id in self._working[_key(order)]:
            self._blocked[order.id] = self.value(order, order.price)
        self._blocked_in_all += self._blocked.get(order.id, NO_PRICE) - before

    def end(self, order: PaperOrder) -> None:
        """Release what an order blocked."""
        del self._working[_key(order)][order.id]
        self.changed(order)

    def fill(self, order: PaperOrder, quantity: int, price: Decimal) -> None:
        """Book a fill."""
        position = self._positions.setdefault(_key(order), PaperPosition(order.instrument, order.product))
        if order.side == "BUY":
            position.bought += quantity
            position.bought_value += quantity * price
        else:
            position.sold += quantity
            position.sold_value += quantity * price
        for working in self._working[_key(order)].values():
            self.changed(working)

    def value(self, order: PaperOrder, price: Decimal) -> Decimal:
        """Return the rupees that an order blocks at a price."""
        position = self._positions.get(_key(order))
        closing = max(0, -order.sign * position.net) if position else 0
        return price * max(0, order.remaining - closing)

    def available(self) -> Decimal:
        """Return the rupees that no position and no working order blocks."""
        held = sum(
            (position.realized - position.cost_price * abs(position.net) for position in self._positions.values()),
            NO_PRICE,
        )
        return self._funds + held - self._blocked_in_all


def _key(order: PaperOrder) -> tuple[str, str, str]:
    return *order.instrument.key, order.product
