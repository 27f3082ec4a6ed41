"""The requests for forever orders."""

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.routing import Route

from copytrade.paper.exchange.forever_orders import ForeverLeg, ForeverOrder, ForeverOrders
from copytrade.paper.exchange.matching import Exchange, PaperAccount
from copytrade.paper.exchange.orders import Ticket, input_error
from copytrade.paper.exchange.validation import read_price, read_ticket
from copytrade.paper.server import wire
from copytrade.paper.server.family_routes import Handler
from copytrade.paper.server.faults import Kind


class ForeverRoutes:
    """Answers requests for forever orders. Runs on the server's loop."""

    def __init__(self, exchange: Exchange, forever_orders: ForeverOrders) -> None:
        self._exchange = exchange
        self._orders = forever_orders

    def routes(self, route: Callable[[str, str, Kind, Handler], Route]) -> list[Route]:
        """Return the routes; ``route`` makes one that counts, checks and misbehaves as every other."""
        return [
            route("/forever/orders", "POST", Kind.PLACE, self._place),
            route("/forever/orders/{order_id}", "PUT", Kind.MODIFY, self._modify),
            route("/forever/orders/{order_id}", "DELETE", Kind.CANCEL, self._cancel),
            route("/forever/orders", "GET", Kind.READ, self._list),
            route("/forever/all", "GET", Kind.READ, self._list),
        ]

    def _place(self, _request: Request, account: PaperAccount, payload: Mapping[str, object]) -> tuple[int, object]:
        flag = payload.get("orderFlag")
        if flag not in ("SINGLE", "OCO") or payload.get("orderType") not in ("LIMIT", "MARKET"):
            raise input_error("Invalid orderFlag or orderType")
        ticket = read_ticket(
            {key: value for key, value in payload.items() if key != "triggerPrice"}, self._exchange.instruments
        )
        legs = {"TARGET_LEG": self._leg(ticket, payload, "")}
        if flag == "OCO":
            legs["STOP_LOSS_LEG"] = self._leg(ticket, payload, "1")
        order = self._orders.place(account.client_id, ticket, legs)
        return 200, {"orderId": order.told.id, "orderStatus": "PENDING"}

    def _modify(self, request: Request, account: PaperAccount, payload: Mapping[str, object]) -> tuple[int, object]:
        order = self._orders.find(account.client_id, request.path_params["order_id"])
        name = payload.get("legName")
        if not isinstance(name, str) or name not in order.legs:
            raise input_error("Invalid legName")
        order.legs[name] = self._leg(order.ticket, payload, "")
        return 200, {"orderId": order.told.id, "orderStatus": "PENDING"}

    def _cancel(self, request: Request, account: PaperAccount, _payload: Mapping[str, object]) -> tuple[int, object]:
        order = self._orders.find(account.client_id, request.path_params["order_id"])
        self._orders.end(order)
        return 202, {"orderId": order.told.id, "orderStatus": "CANCELLED"}

    def _list(self, _request: Request, account: PaperAccount, _payload: Mapping[str, object]) -> tuple[int, object]:
        orders = self._orders.all(account.client_id)
        return 200, [_row(order, name, leg) for order in orders for name, leg in order.legs.items()]

    def _leg(self, ticket: Ticket, payload: Mapping[str, object], suffix: str) -> ForeverLeg:
        quantity, trigger = payload.get(f"quantity{suffix}"), read_price(payload, f"triggerPrice{suffix}")
        instrument = ticket.instrument
        if type(quantity) is not int or quantity <= 0 or quantity % instrument.lot_size:
            raise input_error(f"Quantity must be a multiple of lot size {instrument.lot_size}")
        price = read_price(payload, f"price{suffix}")
        if not trigger or trigger % instrument.tick or price % instrument.tick:
            raise input_error("Invalid triggerPrice")
        return ForeverLeg(quantity, price, trigger, self._orders.rises_to(instrument.key, trigger))


def _row(order: ForeverOrder, name: str, leg: ForeverLeg) -> dict[str, object]:
    """Return a leg's row: ``orderType`` is SINGLE or OCO there (documented)."""
    return wire.row(order.told) | {
        "orderStatus": order.status,
        "orderType": "OCO" if len(order.legs) > 1 else "SINGLE",
        "legName": name,
        "quantity": leg.quantity,
        "price": float(leg.price),
        "triggerPrice": float(leg.trigger),
    }
