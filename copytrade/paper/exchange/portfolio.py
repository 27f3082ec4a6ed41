"""The portfolio of one account: its orders of the day, positions and money, updated with every fill."""

from collections import defaultdict
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from decimal import Decimal

from copytrade.paper.exchange.instruments import PaperInstrument
from copytrade.paper.exchange.margins import Margins
from copytrade.paper.exchange.orders import NO_PRICE, PaperOrder, order_error


@dataclass(slots=True)
class PaperPosition:
    """A position in one instrument and product: bought and sold today, and carried from before.

    ``past`` are its earlier states, each with its time in monotonic seconds.
    """

    instrument: PaperInstrument
    product: str
    bought: int = 0
    bought_value: Decimal = NO_PRICE
    sold: int = 0
    sold_value: Decimal = NO_PRICE
    carried: int = 0
    carried_value: Decimal = NO_PRICE
    past: list[tuple[float, "PaperPosition"]] = field(default_factory=list, repr=False)

    @property
    def net(self) -> int:
        """Units held; negative for a short."""
        return self.carried + self.bought - self.sold

    @property
    def carried_bought(self) -> int:
        """Units held long from before today."""
        return max(0, self.carried)

    @property
    def carried_sold(self) -> int:
        """Units held short from before today."""
        return max(0, -self.carried)

    @property
    def buy_average(self) -> Decimal:
        """Average price of what was bought, 0 if nothing was."""
        value = self.bought_value + (self.carried_value if self.carried > 0 else NO_PRICE)
        quantity = self.bought + self.carried_bought
        return value / quantity if quantity else NO_PRICE

    @property
    def sell_average(self) -> Decimal:
        """Average price of what was sold, 0 if nothing was."""
        value = self.sold_value + (self.carried_value if self.carried < 0 else NO_PRICE)
        quantity = self.sold + self.carried_sold
        return value / quantity if quantity else NO_PRICE

    @property
    def cost_price(self) -> Decimal:
        """Average price of what is held, 0 once it is closed."""
        return self.buy_average if self.net > 0 else self.sell_average if self.net < 0 else NO_PRICE

    @property
    def realized(self) -> Decimal:
        """Profit or loss of what was closed, in rupees."""
        closed = min(self.bought + self.carried_bought, self.sold + self.carried_sold)
        return (self.sell_average - self.buy_average) * closed * self.instrument.multiplier

    def remember(self, now: float) -> None:
        """Add the current state to ``past``."""
        self.past.append((now, copy(self)))

    def as_of(self, moment: float) -> "PaperPosition | None":
        """Return its state at a moment, None before there was a position."""
        return next((state for at, state in reversed(self.past) if at <= moment), None)


@dataclass(slots=True)
class PaperHolding:
    """Shares in the depository, bought before today at an average price in rupees."""

    instrument: PaperInstrument
    quantity: int
    average: Decimal


class Portfolio:
    """One account's orders, oldest first, those of earlier days (``past_orders``), and its positions and money.

    A paper margin: a working order and a position block the full value of what they open or hold, long or short, and
    what closes a position blocks nothing. Real margins of short options differ; only their being finite matters here.
    ``funds`` are the rupees at the start of the day, ``collateral`` those for pledged shares. With ``margins`` an order
    that sells derivatives, to enter or to leave, needs those of all that is then sold of the underlying: bought units
    count once they are held, and not what is about to be sold of them.
    """

    def __init__(self, funds: Decimal, monotonic: Callable[[], float]) -> None:
        self.funds = funds
        self.collateral = NO_PRICE
        self.margins: Margins | None = None
        self._monotonic = monotonic
        self._working: dict[tuple[str, str, str], dict[str, PaperOrder]] = defaultdict(dict)
        self._blocked: dict[str, Decimal] = {}
        self._blocked_in_all = NO_PRICE
        self._positions: dict[tuple[str, str, str], PaperPosition] = {}
        self.holdings: dict[tuple[str, str], PaperHolding] = {}
        self.orders: dict[str, PaperOrder] = {}
        self.past_orders: list[PaperOrder] = []

    @property
    def positions(self) -> list[PaperPosition]:
        """Return every position of the day, also closed ones."""
        return list(self._positions.values())

    def add(self, order: PaperOrder) -> None:
        """Add a new order."""
        self.orders[order.id] = self._working[_key(order)][order.id] = order
        self.changed(order)

    def changed(self, order: PaperOrder) -> None:
        """Update the rupees that a changed order blocks: none once it has ended."""
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
        position = self._position(order.instrument, order.product)
        if order.side == "BUY":
            position.bought += quantity
            position.bought_value += quantity * price
        else:
            position.sold += quantity
            position.sold_value += quantity * price
        self._moved(position)

    def carry(self, instrument: PaperInstrument, product: str, quantity: int, price: Decimal) -> None:
        """Add a position from before today; ``quantity`` is negative for a short one."""
        position = self._position(instrument, product)
        position.carried += quantity
        position.carried_value += abs(quantity) * price
        self._moved(position)

    def convert(self, instrument: PaperInstrument, old: str, new: str, quantity: int) -> None:
        """Convert units of a position to another product, at their average price and without an order.

        Raises Refusal if the position is smaller.
        """
        position = self._position(instrument, old)
        if not 0 < quantity <= abs(position.net):
            raise order_error("Conversion quantity exceeds the position")
        other, value = self._position(instrument, new), position.cost_price * quantity
        if position.net > 0:
            position.bought, position.bought_value = position.bought - quantity, position.bought_value - value
            other.bought, other.bought_value = other.bought + quantity, other.bought_value + value
        else:
            position.sold, position.sold_value = position.sold - quantity, position.sold_value - value
            other.sold, other.sold_value = other.sold + quantity, other.sold_value + value
        self._moved(position)
        self._moved(other)

    def split(self, key: tuple[str, str], old: int, new: int) -> None:
        """Split what is held from before today: ``new`` units for each ``old``."""
        for position in self._positions.values():
            if position.instrument.key == key and position.carried:
                position.carried = position.carried * new // old
                self._moved(position)
        if (held := self.holdings.get(key)) is not None:
            held.quantity, held.average = held.quantity * new // old, held.average * old / new

    def settle(self) -> None:
        """End the day: the order book, in which nothing rests any more, is emptied, and positions are carried."""
        self.past_orders += self.orders.values()
        self.orders.clear()
        for position in self._positions.values():
            position.carried_value = position.cost_price * abs(position.net)
            position.carried, position.bought, position.sold = position.net, 0, 0
            position.bought_value = position.sold_value = NO_PRICE
            self._moved(position)

    def value(self, order: PaperOrder, price: Decimal) -> Decimal:
        """Return the rupees that an order blocks at a price."""
        position = self._positions.get(_key(order))
        closing = max(0, -order.sign * position.net) if position else 0
        return price * max(0, order.remaining - closing) * order.instrument.multiplier

    def needed(self, order: PaperOrder, price: Decimal) -> Decimal:
        """Return the rupees that a new order needs at a price."""
        if self.margins is None or order.side == "BUY" or order.instrument.is_cash:
            return self.value(order, price)
        held: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        for key, position in self._positions.items():
            if position.instrument.underlying == order.instrument.underlying:
                held[key] += position.net
        for working in (one for orders in self._working.values() for one in orders.values() if one.side == "SELL"):
            if working.instrument.underlying == order.instrument.underlying:
                held[_key(working)] -= working.remaining
        return self.margins.of(sum(-min(0, net) for net in held.values()), sum(max(0, net) for net in held.values()))

    def available(self) -> Decimal:
        """Return the rupees that are not blocked by positions and working orders."""
        held = sum(
            (
                position.realized - position.cost_price * abs(position.net) * position.instrument.multiplier
                for position in self._positions.values()
            ),
            NO_PRICE,
        )
        return self.funds + self.collateral + held - self._blocked_in_all

    def _position(self, instrument: PaperInstrument, product: str) -> PaperPosition:
        return self._positions.setdefault((*instrument.key, product), PaperPosition(instrument, product))

    def _moved(self, position: PaperPosition) -> None:
        position.remember(self._monotonic())
        for working in self._working[*position.instrument.key, position.product].values():
            self.changed(working)


def _key(order: PaperOrder) -> tuple[str, str, str]:
    return *order.instrument.key, order.product
