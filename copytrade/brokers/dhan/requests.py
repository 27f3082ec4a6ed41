"""Requests built by the broker's SDK, corrected where the SDK is wrong or incomplete.

The SDK's classes get an HTTP object of ours that returns each request instead of sending it. So paths and field names
are the SDK's, but its HTTP code and its handling of failures are not used.
"""

import importlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast
from urllib.parse import quote

from copytrade.brokers.api import NewOrder, OrderChange
from copytrade.brokers.families import EntryChange, NewSuperOrder, StopChange, SuperChange, TargetChange
from copytrade.brokers.http.client import Request
from copytrade.core.model.orders import Leg


class _Recorder:
    """Replaces the SDK's HTTP object and context: returns each request instead of sending it."""

    def get_dhan_http(self) -> "_Recorder":
        return self

    def get(self, endpoint: str) -> Request:
        return Request("GET", endpoint)

    def post(self, endpoint: str, payload: Mapping[str, object]) -> Request:
        return Request("POST", endpoint, payload)

    def put(self, endpoint: str, payload: Mapping[str, object]) -> Request:
        return Request("PUT", endpoint, payload)

    def delete(self, endpoint: str) -> Request:
        return Request("DELETE", endpoint)


#: Fields that are left out if they are zero.
_BLANK_AT_ZERO = ("triggerPrice", "disclosedQuantity", "targetPrice", "stopLossPrice")


class Builders:
    """The requests of one account."""

    def __init__(self, client_id: str) -> None:
        # Imported here because the SDK brings in much that is not needed: a fifth of a second, once.
        sdk: Any = importlib.import_module("dhanhq")
        recorder = _Recorder()
        self._orders = sdk.Order(recorder)
        self._funds = sdk.Funds(recorder)
        self._portfolio = sdk.Portfolio(recorder)
        self._statement = sdk.Statement(recorder)
        self._client_id = client_id

    def place(self, order: NewOrder) -> Request:
        """Build the request that places the order. Raises ValueError for a number that JSON cannot carry exactly."""
        request: Request = self._orders.place_order(
            security_id=order.key.security_id,
            exchange_segment=order.key.segment,
            transaction_type=order.side,
            quantity=order.quantity,
            order_type=order.order_type,
            product_type=order.product,
            price=_number(order.price),
            trigger_price=_number(order.trigger_price),
            disclosed_quantity=order.disclosed_quantity,
            after_market_order=order.after_market,
            validity=order.validity,
            tag=order.correlation_id,
        )
        extra: dict[str, object] = {}
        if order.after_market:
            # Not passed to the SDK, which refuses PRE_OPEN though the broker takes it.
            extra["amoTime"] = order.amo_time
        return self._complete(request, extra)

    def modify(self, order_id: str, change: OrderChange) -> Request:
        """Build the request that changes the order. Raises ValueError for a number that JSON cannot carry exactly."""
        request: Request = self._orders.modify_order(
            order_id=_segment(order_id),
            order_type=change.order_type,
            leg_name=None,
            quantity=change.quantity,
            price=_number(change.price),
            trigger_price=_number(change.trigger_price),
            disclosed_quantity=change.disclosed_quantity,
            validity=change.validity,
        )
        return self._complete(request, {"orderId": order_id})

    def cancel(self, order_id: str) -> Request:
        """Build the request that cancels the order."""
        return cast("Request", self._orders.cancel_order(_segment(order_id)))

    def place_super(self, order: NewSuperOrder) -> Request:
        """Build the request that places a super order, as ``place`` does. The SDK refuses MARKET, so it is ours."""
        payload = {
            "correlationId": order.correlation_id,
            "transactionType": order.side,
            "exchangeSegment": order.key.segment,
            "productType": order.product,
            "orderType": order.order_type,
            "securityId": order.key.security_id,
            "quantity": order.quantity,
            "price": _number(order.price),
            "targetPrice": _number(order.target_price),
            "stopLossPrice": _number(order.stop_price),
            "trailingJump": _number(order.trailing_jump),
        }
        return self._complete(Request("POST", "/super/orders", payload), {})

    def modify_super(self, order_id: str, change: SuperChange) -> Request:
        """Build the request that changes one leg of a super order, as ``place`` does."""
        match change:
            case EntryChange():
                leg: dict[str, object] = {
                    "legName": Leg.ENTRY,
                    "orderType": change.order_type,
                    "quantity": change.quantity,
                    "price": _number(change.price),
                    "targetPrice": _number(change.target_price),
                    "stopLossPrice": _number(change.stop_price),
                    "trailingJump": _number(change.trailing_jump),
                }
            case TargetChange():
                leg = {"legName": Leg.TARGET, "targetPrice": _number(change.price)}
            case StopChange():
                leg = {
                    "legName": Leg.STOP_LOSS,
                    "stopLossPrice": _number(change.price),
                    "trailingJump": _number(change.trailing_jump),
                }
        path = f"/super/orders/{_segment(order_id)}"
        return self._complete(Request("PUT", path, leg), {"orderId": order_id})

    def cancel_super(self, order_id: str, leg: Leg) -> Request:
        """Build the request that cancels one leg of a super order, or all with the entry."""
        return Request("DELETE", f"/super/orders/{_segment(order_id)}/{leg.value}")

    def super_orders(self) -> Request:
        """Build the request for the day's super orders."""
        return Request("GET", "/super/orders")

    def forever_orders(self) -> Request:
        """Build the request for the forever orders."""
        return Request("GET", "/forever/orders")

    def order(self, order_id: str) -> Request:
        """Build the request for one order."""
        return cast("Request", self._orders.get_order_by_id(_segment(order_id)))

    def order_by_correlation_id(self, correlation_id: str) -> Request:
        """Build the request for the orders placed with this correlation id."""
        return cast("Request", self._orders.get_order_by_correlationID(_segment(correlation_id)))

    def orders(self) -> Request:
        """Build the request for the day's order book."""
        return cast("Request", self._orders.get_order_list())

    def trades(self) -> Request:
        """Build the request for the day's fills."""
        request: Request = self._statement.get_trade_book()
        return Request(request.method, request.path.rstrip("/"))  # the SDK asks for "/trades/"

    def positions(self) -> Request:
        """Build the request for the day's positions."""
        return cast("Request", self._portfolio.get_positions())

    def holdings(self) -> Request:
        """Build the request for the holdings."""
        return cast("Request", self._portfolio.get_holdings())

    def fund_limit(self) -> Request:
        """Build the request for the funds."""
        return cast("Request", self._funds.get_fund_limits())

    def profile(self) -> Request:
        """Build the request for the profile: the SDK's own sends at once, so this one is ours."""
        return Request("GET", "/profile")

    def addresses(self) -> Request:
        """Build the request for the registered addresses: the SDK's own has no timeout, so this one is ours."""
        return Request("GET", "/ip/getIP")

    def _complete(self, request: Request, extra: Mapping[str, object]) -> Request:
        """Add the account, and drop unused fields: the broker refuses blank optional fields."""
        payload = {"dhanClientId": self._client_id, **(request.payload or {}), **extra}
        for name, value in tuple(payload.items()):
            if value is None or (value == 0 and name in _BLANK_AT_ZERO):
                del payload[name]
        return Request(request.method, request.path, payload)


def _segment(text: str) -> str:
    """Return the text quoted as one segment of a path."""
    return quote(text, safe="")


def _number(value: Decimal) -> float:
    """Return the number whose JSON is exactly ``value``."""
    number = float(value)
    if not value.is_finite() or Decimal(repr(number)) != value:
        raise ValueError(f"{value} cannot be sent exactly")
    return number
