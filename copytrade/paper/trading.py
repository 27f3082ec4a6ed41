"""What a person can do at the paper broker: trade as on the web site, and move prices and orders of the exchange."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from copytrade.paper.exchange.instruments import PaperInstrument
from copytrade.paper.exchange.matching import Exchange
from copytrade.paper.exchange.orders import Family, Ticket, input_error
from copytrade.paper.exchange.super_orders import REMARKS, STOP, TARGET, SuperOrders
from copytrade.paper.exchange.validation import check_change, check_ticket
from copytrade.paper.server import wire

T = TypeVar("T")

Amount = float | str | Decimal


class Trading(ABC):
    """The methods of the paper broker that trade."""

    exchange: Exchange
    super_orders: SuperOrders

    @abstractmethod
    def call(self, work: Callable[[], T]) -> T:
        """Run a function on the server's loop and return its result."""

    def instrument(self, security_id: str, segment: str = "NSE_FNO") -> PaperInstrument:
        """Return an instrument. Raises Refusal if there is none."""
        try:
            return self.exchange.instruments[segment, security_id]
        except KeyError:
            raise input_error("Invalid SecurityId") from None

    def place(
        self,
        client_id: str,
        *,
        side: str,
        security_id: str,
        quantity: int,
        segment: str = "NSE_FNO",
        order_type: str = "LIMIT",
        product: str = "MARGIN",
        price: Amount = 0,
        trigger_price: Amount = 0,
        validity: str = "DAY",
        disclosed_quantity: int = 0,
        after_market: bool = False,
        correlation_id: str = "",
        source: str = "W",
        resting: bool = False,
        leg: int = 1,
        algo_order: int | str | None = None,
        platform: str = "",
        remarks: str = "",
    ) -> str:
        """Place an order as if from the broker's web site; return its id. Raises Refusal.

        With ``resting`` it waits until a price is set or a fill is forced, a MARKET order too. ``leg`` and the
        arguments after it are the fields of ``Family``.
        """
        is_plain = (leg, algo_order, platform, remarks) == (1, None, "", "")
        ticket = Ticket(
            side=side,
            instrument=self.instrument(security_id, segment),
            quantity=quantity,
            order_type=order_type,
            product=product,
            validity=validity,
            price=Decimal(str(price)),
            trigger_price=Decimal(str(trigger_price)),
            disclosed_quantity=disclosed_quantity,
            after_market=after_market,
            correlation_id=correlation_id,
            source=source,
            resting=resting,
            family=None if is_plain else Family(leg, algo_order, platform, remarks),
        )
        check_ticket(ticket)
        return self.call(lambda: self.exchange.place(client_id, ticket).id)

    def place_super(
        self,
        client_id: str,
        *,
        side: str,
        security_id: str,
        quantity: int,
        segment: str = "NSE_FNO",
        order_type: str = "LIMIT",
        product: str = "MARGIN",
        price: Amount = 0,
        trigger_price: Amount = 0,
        target: Amount = 0,
        stop: Amount = 0,
        jump: Amount = 0,
    ) -> str:
        """Place a super order as if from the broker's app, whose entry may have a trigger; return the entry's id."""
        ticket = Ticket(
            side=side,
            instrument=self.instrument(security_id, segment),
            quantity=quantity,
            order_type=order_type,
            product=product,
            price=Decimal(str(price)),
            trigger_price=Decimal(str(trigger_price)),
            source="W",
            family=Family(platform="FAST", remarks=REMARKS),
        )
        check_ticket(ticket)
        prices = {leg: Decimal(str(at)) for leg, at in ((STOP, stop), (TARGET, target)) if at}
        return self.call(lambda: self.super_orders.place(client_id, ticket, prices, Decimal(str(jump))).entry.id)

    def cancel_super(self, client_id: str, order_id: str, leg: int = 1) -> None:
        """Cancel a super order's entry (leg 1), stop (2) or target (3). Raises Refusal."""
        self.call(lambda: self.super_orders.cancel(self.super_orders.find(client_id, order_id), leg))

    def modify(
        self,
        client_id: str,
        order_id: str,
        *,
        quantity: int | None = None,
        price: Amount | None = None,
        trigger_price: Amount | None = None,
        order_type: str | None = None,
        validity: str | None = None,
        disclosed_quantity: int | None = None,
    ) -> None:
        """Change the given parameters of an order; ``quantity`` is the new total. Raises Refusal."""

        def change() -> None:
            order = self.exchange.order(client_id, order_id)
            whole: dict[str, object] = {
                "order_type": order_type or order.order_type,
                "validity": validity or order.validity,
                "quantity": order.quantity if quantity is None else quantity,
                "price": order.price if price is None else Decimal(str(price)),
                "trigger_price": order.trigger_price if trigger_price is None else Decimal(str(trigger_price)),
                "disclosed_quantity": order.disclosed_quantity if disclosed_quantity is None else disclosed_quantity,
            }
            if order_type == "MARKET":
                whole["price"] = Decimal(0)
            if order_type in ("MARKET", "LIMIT"):
                whole["trigger_price"] = Decimal(0)
            check_change(order, whole)
            self.exchange.modify(order, whole)

        self.call(change)

    def cancel(self, client_id: str, order_id: str) -> None:
        """Cancel an order. Raises Refusal."""
        self.call(lambda: self.exchange.cancel(self.exchange.order(client_id, order_id)))

    def fill(self, client_id: str, order_id: str, quantity: int | None = None, price: Amount | None = None) -> None:
        """Fill an order, in part or completely, at a price or its own."""
        at = None if price is None else Decimal(str(price))
        self.call(lambda: self.exchange.fill(self.exchange.order(client_id, order_id), quantity, at))

    def reject(self, client_id: str, order_id: str, reason: str) -> None:
        """Reject an order. Raises Refusal if it has ended."""
        self.call(lambda: self.exchange.reject(self.exchange.order(client_id, order_id), reason))

    def expire(self, client_id: str, order_id: str) -> None:
        """Expire an order. Raises Refusal if it has ended."""
        self.call(lambda: self.exchange.expire(self.exchange.order(client_id, order_id)))

    def trigger(self, client_id: str, order_id: str) -> None:
        """Trigger a stop order without filling it."""
        self.call(lambda: self.exchange.trigger(self.exchange.order(client_id, order_id)))

    def set_price(self, security_id: str, price: Amount, segment: str = "NSE_FNO", *, thin: bool = False) -> None:
        """Move an instrument's price, and fill the orders that it reaches; with ``thin`` each only in part."""
        key = self.instrument(security_id, segment).key
        self.call(lambda: self.exchange.set_price(key, Decimal(str(price)), thin=thin))

    def halt(self, security_id: str, segment: str = "NSE_FNO") -> None:
        """Halt an instrument: nothing fills or triggers until it is resumed."""
        key = self.instrument(security_id, segment).key
        self.call(lambda: self.exchange.halt(key))

    def resume(self, security_id: str, segment: str = "NSE_FNO") -> None:
        """End a halt, and fill the orders that the price has reached."""
        key = self.instrument(security_id, segment).key
        self.call(lambda: self.exchange.resume(key))

    def orders(self, client_id: str) -> list[dict[str, object]]:
        """Return an account's order-book rows, oldest first."""
        return self.call(lambda: [wire.row(order) for order in self.exchange.orders(client_id)])

    def order(self, client_id: str, order_id: str) -> dict[str, object]:
        """Return one order-book row."""
        return self.call(lambda: wire.row(self.exchange.order(client_id, order_id)))
