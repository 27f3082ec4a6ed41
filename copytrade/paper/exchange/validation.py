"""Validation of requests before an order reaches the exchange: as strict as production, with its error codes."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from copytrade.paper.exchange.instruments import PaperInstrument
from copytrade.paper.exchange.orders import NO_PRICE, PaperOrder, Ticket, input_error, order_error

_SEGMENTS = {"NSE_EQ", "NSE_FNO", "NSE_CURRENCY", "BSE_EQ", "BSE_FNO", "BSE_CURRENCY", "MCX_COMM"}
_ORDER_TYPES = {"LIMIT", "MARKET", "STOP_LOSS", "STOP_LOSS_MARKET"}
_CORRELATION_ID = re.compile(r"[A-Za-z0-9_-]{1,25}")

#: Maximum modifications of one order (the broker's documentation).
MODIFICATIONS = 25


def read_ticket(payload: Mapping[str, object], instruments: Mapping[tuple[str, str], PaperInstrument]) -> Ticket:
    """Parse and check the body of a new order. Raises Refusal."""
    segment = _one_of(payload, "exchangeSegment", _SEGMENTS)
    security_id = payload.get("securityId")
    if not isinstance(security_id, str) or (segment, security_id) not in instruments:
        raise input_error("Invalid SecurityId")
    instrument = instruments[segment, security_id]
    correlation_id = payload.get("correlationId") or ""
    if correlation_id and not (isinstance(correlation_id, str) and _CORRELATION_ID.fullmatch(correlation_id)):
        raise input_error("Invalid correlationId")
    ticket = Ticket(
        side=_one_of(payload, "transactionType", {"BUY", "SELL"}),
        instrument=instrument,
        quantity=_whole(payload, "quantity"),
        order_type=_one_of(payload, "orderType", _ORDER_TYPES),
        product=_one_of(payload, "productType", _products(instrument)),
        validity=_one_of(payload, "validity", {"DAY", "IOC"}),
        price=read_price(payload, "price"),
        trigger_price=read_price(payload, "triggerPrice"),
        disclosed_quantity=_whole(payload, "disclosedQuantity", 0),
        after_market=payload.get("afterMarketOrder") is True,
        correlation_id=str(correlation_id),
    )
    if ticket.after_market:
        _one_of(payload, "amoTime", {"PRE_OPEN", "OPEN", "OPEN_30", "OPEN_60"})
    check_ticket(ticket)
    return ticket


def check_ticket(ticket: Ticket) -> None:
    """Check a parsed order. Raises Refusal."""
    _check_quantity(ticket.instrument, ticket.quantity, ticket.disclosed_quantity)
    _check_prices(ticket.instrument, ticket.side, ticket.order_type, ticket.price, ticket.trigger_price)


def read_change(payload: Mapping[str, object], order: PaperOrder) -> dict[str, object]:
    """Parse and check the body of a modification, which states all parameters. Raises Refusal."""
    change = {
        "order_type": _one_of(payload, "orderType", _ORDER_TYPES),
        "validity": _one_of(payload, "validity", {"DAY", "IOC"}),
        "quantity": _whole(payload, "quantity"),
        "price": read_price(payload, "price"),
        "trigger_price": read_price(payload, "triggerPrice"),
        "disclosed_quantity": _whole(payload, "disclosedQuantity", 0),
    }
    check_change(order, change)
    return change


def check_change(order: PaperOrder, change: Mapping[str, object]) -> None:
    """Check whether an order may be changed in this way. Raises Refusal."""
    if order.is_ended:
        raise order_error(f"Order is already {order.status.lower()} and cannot be modified")
    if order.modifications >= MODIFICATIONS:
        raise order_error("Maximum number of modifications exceeded")
    quantity, disclosed = change["quantity"], change["disclosed_quantity"]
    price, trigger_price = change["price"], change["trigger_price"]
    assert isinstance(quantity, int) and isinstance(disclosed, int)  # noqa: PT018, S101 (read above)
    assert isinstance(price, Decimal) and isinstance(trigger_price, Decimal)  # noqa: PT018, S101 (read above)
    if quantity <= order.filled:
        raise order_error("Quantity cannot be less than traded quantity")
    _check_quantity(order.instrument, quantity, disclosed)
    _check_prices(order.instrument, order.side, str(change["order_type"]), price, trigger_price)


def _check_quantity(instrument: PaperInstrument, quantity: int, disclosed: int) -> None:
    if quantity <= 0 or quantity % instrument.lot_size:
        raise input_error(f"Quantity must be a multiple of lot size {instrument.lot_size}")
    if quantity > instrument.freeze:
        raise order_error("Order quantity exceeds freeze quantity")
    if disclosed and not instrument.is_cash:
        raise input_error("Disclosed quantity is not allowed for derivatives")
    if disclosed and not quantity * 3 < disclosed * 10 <= quantity * 10:
        raise input_error("Disclosed quantity must be more than 30% of quantity")


def _check_prices(instrument: PaperInstrument, side: str, order_type: str, price: Decimal, trigger: Decimal) -> None:
    if order_type in ("LIMIT", "STOP_LOSS") and price <= 0:
        raise input_error("Price is required")
    if order_type in ("STOP_LOSS", "STOP_LOSS_MARKET") and trigger <= 0:
        raise input_error("Trigger price is required")
    if price % instrument.tick or trigger % instrument.tick:
        raise input_error(f"Price must be a multiple of tick size {instrument.tick}")
    if order_type == "STOP_LOSS" and (price < trigger if side == "BUY" else price > trigger):
        raise order_error(f"Trigger Price should be {'less' if side == 'BUY' else 'greater'} than Price")


def _products(instrument: PaperInstrument) -> set[str]:
    return {"CNC", "INTRADAY", "MTF"} if instrument.is_cash else {"INTRADAY", "MARGIN"}


def _one_of(payload: Mapping[str, object], key: str, allowed: set[str]) -> str:
    value = payload.get(key)
    if not isinstance(value, str) or value not in allowed:
        raise input_error(f"Invalid {key}")
    return value


def _whole(payload: Mapping[str, object], key: str, missing: int | None = None) -> int:
    value = payload.get(key, missing)
    if isinstance(value, bool) or not isinstance(value, int):
        raise input_error(f"Invalid {key}")
    return value


def read_price(payload: Mapping[str, object], key: str) -> Decimal:
    """Return an amount that is not negative, 0 without one. Raises Refusal."""
    value = payload.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise input_error(f"Invalid {key}")
    try:
        price = Decimal(str(value))
    except InvalidOperation:
        raise input_error(f"Invalid {key}") from None
    if not price.is_finite() or price < NO_PRICE:
        raise input_error(f"Invalid {key}")
    return price
