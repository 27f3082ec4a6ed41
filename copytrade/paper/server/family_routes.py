"""The requests for super orders."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from starlette.requests import Request
from starlette.routing import Route

from copytrade.paper.exchange.instruments import PaperInstrument
from copytrade.paper.exchange.matching import Exchange, PaperAccount
from copytrade.paper.exchange.orders import Family, PaperOrder, input_error, order_error
from copytrade.paper.exchange.super_orders import REMARKS, STOP, TARGET, SuperOrder, SuperOrders
from copytrade.paper.exchange.validation import check_change, read_price, read_ticket
from copytrade.paper.server import wire
from copytrade.paper.server.account_status import AccountStatuses
from copytrade.paper.server.faults import Kind
from copytrade.paper.server.showing import Showing

Handler = Callable[[Request, PaperAccount, Mapping[str, object]], tuple[int, object]]

_LEGS = {"ENTRY_LEG": 1, "STOP_LOSS_LEG": STOP, "TARGET_LEG": TARGET}
_PRICES = {STOP: "stopLossPrice", TARGET: "targetPrice"}


class FamilyRoutes:
    """Answers requests for super orders. Runs on the server's loop."""

    def __init__(
        self, exchange: Exchange, super_orders: SuperOrders, showing: Showing, account_statuses: AccountStatuses
    ) -> None:
        self._exchange = exchange
        self._families = super_orders
        self._showing = showing
        self._account_statuses = account_statuses

    def routes(self, route: Callable[[str, str, Kind, Handler], Route]) -> list[Route]:
        """Return the routes; ``route`` makes one that counts, checks and misbehaves as every other."""
        return [
            route("/super/orders", "POST", Kind.PLACE, self._place),
            route("/super/orders/{order_id}", "PUT", Kind.MODIFY, self._modify),
            route("/super/orders/{order_id}/{leg}", "DELETE", Kind.CANCEL, self._cancel),
            route("/super/orders", "GET", Kind.READ, self._list),
        ]

    def dormant_rows(self, client_id: str) -> list[dict[str, object]]:
        """Return the rows of exits that wait for their entry, where the order book shows them."""
        if not self._families.rules.dormant_rows:
            return []
        families = [one for one in self._families.all(client_id) if not one.entry.is_ended]
        return [wire.row(order) for family in families for order in self._families.dormant(family)]

    def _place(self, _request: Request, account: PaperAccount, payload: Mapping[str, object]) -> tuple[int, object]:
        plain = {key: value for key, value in payload.items() if key != "correlationId"}
        if plain.get("orderType") not in ("LIMIT", "MARKET"):
            raise input_error("Invalid orderType")
        ticket = read_ticket(plain | {"validity": "DAY"}, self._exchange.instruments)
        if ticket.order_type == "MARKET" and ticket.price:
            raise input_error("Price must be 0 for a market order")
        self._account_statuses.of(account.client_id).check_segment(ticket.instrument.segment)
        prices = _exit_prices(payload, ticket.instrument)
        if not prices:
            raise input_error("targetPrice or stopLossPrice is required")
        _check_sides(ticket.side, ticket.price or self._exchange.prices[ticket.instrument.key], prices)
        correlation_id = self._correlation_id(payload)
        ticket = replace(ticket, correlation_id=correlation_id, family=Family(platform="API", remarks=REMARKS))
        family = self._families.place(account.client_id, ticket, prices, read_price(payload, "trailingJump"))
        return 200, {"orderId": family.entry.id, "orderStatus": "PENDING"}

    def _modify(self, request: Request, account: PaperAccount, payload: Mapping[str, object]) -> tuple[int, object]:
        family = self._families.find(account.client_id, request.path_params["order_id"])
        leg = _leg(payload.get("legName"))
        prices = _exit_prices(payload, family.entry.instrument)
        if leg == 1:
            entry = family.entry
            change: dict[str, object] = {
                "order_type": payload.get("orderType") or entry.order_type,
                "validity": entry.validity,
                "quantity": payload.get("quantity"),
                "price": read_price(payload, "price"),
                "trigger_price": entry.trigger_price,
                "disclosed_quantity": 0,
            }
            if type(change["quantity"]) is not int:
                raise input_error("Invalid quantity")
            check_change(entry, change)
            self._families.change_entry(family, change, prices)
        elif leg not in prices:
            raise input_error(f"{_PRICES[leg]} is required")
        else:
            self._families.change_exit(family, leg, prices[leg])
        if leg in (1, STOP):
            family.trail.jump = read_price(payload, "trailingJump")
            family.trail.anchor = self._exchange.prices[family.entry.instrument.key]
        return 200, {"orderId": family.entry.id, "orderStatus": "TRANSIT"}

    def _cancel(self, request: Request, account: PaperAccount, _payload: Mapping[str, object]) -> tuple[int, object]:
        family = self._families.find(account.client_id, request.path_params["order_id"])
        self._families.cancel(family, _leg(request.path_params["leg"]))
        return 202, {"orderId": family.entry.id, "orderStatus": "CANCELLED"}

    def _list(self, _request: Request, account: PaperAccount, _payload: Mapping[str, object]) -> tuple[int, object]:
        families = {family.entry.id: family for family in self._families.all(account.client_id)}
        entries = self._showing.orders(account.client_id, (one.entry for one in families.values()), 0.0)
        return 200, [self._row(families[entry.id], entry) for entry in entries]

    def _row(self, family: SuperOrder, entry: PaperOrder) -> dict[str, object]:
        exits = [*family.orders.values(), *self._families.dormant(family)]
        row = wire.row(entry) | {
            "legName": "ENTRY_LEG",
            "ltp": float(self._exchange.prices[entry.instrument.key]),
            "legDetails": [_detail(order, family) for order in exits],
        }
        return row | {"orderStatus": "CLOSED"} if family.is_closed else row

    def _correlation_id(self, payload: Mapping[str, object]) -> str:
        correlation_id = payload.get("correlationId") or ""
        allowed = f"[A-Za-z0-9_-]{{0,{self._families.rules.correlation_id_length}}}"
        if not isinstance(correlation_id, str) or not re.fullmatch(allowed, correlation_id):
            raise input_error("Invalid correlationId")
        return correlation_id


def _detail(order: PaperOrder, family: SuperOrder) -> dict[str, object]:
    """Return an exit's part of a row; the misspelt key is the broker's. While it waits its id is the entry's."""
    leg = order.family.leg if order.family else 0
    return {
        "orderId": order.id,
        "legName": "TARGET_LEG" if leg == TARGET else "STOP_LOSS_LEG",
        "transactionType": order.side,
        "totalQuatity": order.quantity,
        "remainingQuantity": order.remaining,
        "triggeredQuantity": order.filled,
        "price": float(order.trigger_price or order.price),
        "orderStatus": order.status if order.quantity else "PENDING",
        "trailingJump": float(family.trail.jump) if leg == STOP else 0.0,
    }


def _exit_prices(payload: Mapping[str, object], instrument: PaperInstrument) -> dict[int, Decimal]:
    prices = {leg: price for leg, name in _PRICES.items() if (price := read_price(payload, name))}
    if any(price % instrument.tick for price in prices.values()):
        raise input_error(f"Price must be a multiple of tick size {instrument.tick}")
    return prices


def _check_sides(side: str, price: Decimal, prices: Mapping[int, Decimal]) -> None:
    sign = 1 if side == "BUY" else -1
    if TARGET in prices and (prices[TARGET] - price) * sign <= 0:
        raise order_error("Target price is on the wrong side of the price")
    if STOP in prices and (price - prices[STOP]) * sign <= 0:
        raise order_error("Stop loss price is on the wrong side of the price")


def _leg(name: object) -> int:
    if not isinstance(name, str) or name not in _LEGS:
        raise input_error("Invalid legName")
    return _LEGS[name]
