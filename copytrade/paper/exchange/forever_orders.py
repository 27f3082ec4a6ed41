"""Forever orders: one or two trigger prices that wait at the broker, for days, and place an ordinary order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from copytrade.paper.exchange.family_rules import FamilyRules
from copytrade.paper.exchange.matching import Exchange
from copytrade.paper.exchange.orders import Family, PaperOrder, Ticket, order_error

#: What the wire says of a child, which does not have its parent's correlation id.
NO_ID = "NR"


@dataclass(slots=True)
class ForeverLeg:
    """One trigger price, and the order that it places. ``rises`` is whether the price has to rise to it."""

    quantity: int
    price: Decimal
    trigger: Decimal
    rises: bool

    def is_reached(self, price: Decimal) -> bool:
        """Return whether a price of the market sets it off."""
        return price >= self.trigger if self.rises else price <= self.trigger


@dataclass(slots=True)
class ForeverOrder:
    """A forever order; ``legs`` by their names. ``told`` is its own form as an order, which is at no exchange."""

    told: PaperOrder
    ticket: Ticket
    legs: dict[str, ForeverLeg]
    status: str = "CONFIRM"

    @property
    def waits(self) -> bool:
        """Whether it can still place an order."""
        return self.status == "CONFIRM"


class ForeverOrders:
    """The forever orders of every account. ``told`` sends a frame; ``rules`` returns those in force."""

    def __init__(
        self, exchange: Exchange, told: Callable[[PaperOrder], None], rules: Callable[[], FamilyRules]
    ) -> None:
        self._exchange = exchange
        self._told = told
        self._rules = rules
        self._orders: dict[str, ForeverOrder] = {}

    def place(self, client_id: str, ticket: Ticket, legs: dict[str, ForeverLeg]) -> ForeverOrder:
        """Take a forever order, without money blocked for it."""
        shadow = self._exchange.shadow(self._exchange.next_id(), client_id, ticket, "CONFIRM")
        order = self._orders[shadow.id] = ForeverOrder(shadow, ticket, legs)
        self._tell(order)
        return order

    def find(self, client_id: str, order_id: str) -> ForeverOrder:
        """Return a forever order that waits. Raises Refusal where there is none."""
        order = self._orders.get(order_id)
        if order is None or order.told.client_id != client_id or not order.waits:
            raise order_error("Order not found")
        return order

    def all(self, client_id: str) -> Iterator[ForeverOrder]:
        """Return an account's forever orders, oldest first, of earlier days too."""
        return (order for order in self._orders.values() if order.told.client_id == client_id)

    def end(self, order: ForeverOrder, status: str = "CANCELLED") -> None:
        """End a forever order: it places nothing more."""
        order.status = order.told.status = order.told.word = status
        self._tell(order)

    def rises_to(self, key: tuple[str, str], trigger: Decimal) -> bool:
        """Return whether the price has to rise to a trigger price."""
        return trigger > self._exchange.prices[key]

    def price_moved(self, key: tuple[str, str]) -> None:
        """Place the orders of those whose trigger price is reached."""
        price = self._exchange.prices[key]
        for order in [one for one in self._orders.values() if one.waits and one.ticket.instrument.key == key]:
            reached = [
                leg for leg in order.legs.values() if (price >= leg.trigger if leg.rises else price <= leg.trigger)
            ]
            if reached:
                self.end(order, "TRADED")
                self._exchange.place(order.told.client_id, _child(order, reached[0]))

    def _tell(self, order: ForeverOrder) -> None:
        if self._rules().forever_frames:
            self._told(order.told)


def _child(order: ForeverOrder, leg: ForeverLeg) -> Ticket:
    """Return the order that a leg places: the wire names its parent's number and the platform FOVR."""
    family = Family(algo_order=int(order.told.id), platform="FOVR")
    return replace(order.ticket, quantity=leg.quantity, price=leg.price, correlation_id=NO_ID, family=family)
