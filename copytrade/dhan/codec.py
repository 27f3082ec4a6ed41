"""Orders as the broker says them: frames of the order-update socket, and rows of the order book.

Neither reader ever raises: what cannot be relied on comes back as :class:`Unreadable`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

from copytrade.dhan.fields import Fields, UnreadableError, exact, excerpt_of
from copytrade.orders import (
    SEGMENT_OF,
    InstrumentKey,
    Leg,
    Order,
    OrderType,
    Product,
    Segment,
    Side,
    Source,
    Status,
    Validity,
)

#: A frame carries one or two KB.
FRAME_LIMIT = 1024 * 1024

_SPACE = re.compile(r"[\s,]*")

SIDES = {"B": Side.BUY, "S": Side.SELL, "BUY": Side.BUY, "SELL": Side.SELL}
_ORDER_TYPES = {
    "LMT": OrderType.LIMIT,
    "MKT": OrderType.MARKET,
    "SL": OrderType.STOP_LOSS,
    "SLM": OrderType.STOP_LOSS_MARKET,
    "SL-M": OrderType.STOP_LOSS_MARKET,
} | {kind.value: kind for kind in OrderType}
PRODUCTS = {
    "C": Product.CNC,
    "I": Product.INTRADAY,
    "M": Product.MARGIN,
    "F": Product.MTF,
    "V": Product.CO,
    "B": Product.BO,
} | {product.value: product for product in Product}
_VALIDITIES = {validity.value: validity for validity in Validity}
SEGMENTS = {segment.value: segment for segment in Segment}
STATUSES = {status.value: status for status in Status}
_LEGS = {leg.value: leg for leg in Leg} | {"": Leg.NONE}
_LEG_NUMBERS = {2: Leg.STOP_LOSS, 3: Leg.TARGET}


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something the broker sent that cannot be relied on. ``excerpt`` is its beginning, safe to log."""

    where: str
    what: str
    excerpt: str


def _refuse_constant(word: str) -> object:
    raise ValueError(f"{word} is not a number")


_JSON = json.JSONDecoder(parse_float=exact, parse_constant=_refuse_constant)

#: What decoding hostile JSON can raise: bad syntax, a number beyond any exponent, nesting beyond any stack.
_BAD_JSON = (ValueError, ArithmeticError, RecursionError)


def parse_json(text: str) -> object:
    """Return the one JSON document in ``text``, fractions as Decimal.

    Raises ValueError for anything else, numbers that are none and nesting too deep included.
    """
    try:
        return _JSON.decode(text)
    except _BAD_JSON as error:
        raise ValueError(f"not JSON: {type(error).__name__}") from None


def read_frame(frame: str | bytes, observed_at: datetime) -> list[Order | Unreadable]:
    """Return the orders that one frame of the order-update socket tells of.

    A frame can hold several JSON documents, or a number before one (both seen by public clients). Envelopes of other
    types, and bare numbers or words, are passed over.
    """
    if len(frame) > FRAME_LIMIT:
        return [Unreadable("frame", f"longer than {FRAME_LIMIT}", excerpt_of(frame))]
    if isinstance(frame, bytes):
        try:
            frame = frame.decode()
        except UnicodeDecodeError:
            return [Unreadable("frame", "not text", excerpt_of(frame))]
    found: list[Order | Unreadable] = []
    position, end = _after_space(frame, 0), len(frame)
    while position < end:
        try:
            document, past = _JSON.raw_decode(frame, position)
        except _BAD_JSON:
            found.append(Unreadable("frame", "not JSON", excerpt_of(frame[position : position + 200])))
            break
        if isinstance(document, dict):
            order = _read_envelope(Fields(document), observed_at, frame[position:past])
            if order is not None:
                found.append(order)
        elif isinstance(document, list):
            found.append(Unreadable("frame", "an array, not an envelope", excerpt_of(frame[position:past])))
        position = _after_space(frame, past)
    return found


def read_row(row: object, client_id: str, observed_at: datetime) -> Order | Unreadable:
    """Return the order that one row of ``client_id``'s order book tells of."""
    if not isinstance(row, Mapping):
        return Unreadable("order book row", "not an object", excerpt_of(row))
    try:
        return _row_order(Fields(row), client_id, observed_at)
    except UnreadableError as error:
        return Unreadable("order book row", str(error), excerpt_of(row))


def _after_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _read_envelope(envelope: Fields, observed_at: datetime, text: str) -> Order | Unreadable | None:
    kind, document = envelope.raw("type"), envelope.raw("data")
    if kind is None and document is not None:
        return Unreadable("frame", "type is missing", excerpt_of(text))
    if not isinstance(kind, str) or kind.lower() != "order_alert":
        return None
    if not isinstance(document, dict):
        return Unreadable("frame", "data is not an object", excerpt_of(text))
    try:
        return _frame_order(Fields(document), observed_at)
    except UnreadableError as error:
        return Unreadable("frame", str(error), excerpt_of(text))


def _frame_order(fields: Fields, observed_at: datetime) -> Order:
    exchange, letter = fields.text("exchange").upper(), fields.text("segment").upper()
    segment = SEGMENT_OF.get((exchange, letter))
    if segment is None:
        raise UnreadableError(f"exchange and segment are {excerpt_of(exchange)!r} and {excerpt_of(letter)!r}")
    quantity, filled = _quantities(fields, "tradedqty")
    return Order(
        id=fields.required_identifier("orderno"),
        client_id=fields.required_identifier("clientid"),
        status=_status(fields, "status", quantity, filled),
        side=fields.choice("txntype", SIDES),
        key=_key(segment, fields.required_identifier("securityid")),
        product=fields.choice("product", PRODUCTS),
        order_type=fields.choice("ordertype", _ORDER_TYPES),
        validity=fields.choice("validity", _VALIDITIES),
        quantity=quantity,
        observed_at=observed_at,
        source=Source.FEED,
        filled_quantity=filled,
        disclosed_quantity=fields.quantity("discquantity"),
        price=fields.price("price"),
        trigger_price=fields.price("triggerprice"),
        average_price=fields.price("avgtradedprice"),
        correlation_id=fields.common("correlationid"),
        exchange_order_id=fields.identifier("exchorderno"),
        symbol=fields.common("displayname") or fields.common("symbol"),
        leg=_frame_leg(fields),
        after_market=fields.flag("offmktflag"),
        created_at=fields.time("orderdatetime"),
        updated_at=fields.time("lastupdatedtime"),
        exchange_at=fields.time("exchordertime"),
        reason=fields.free_text("reasondescription"),
        instrument=fields.common("instrument") or None,
        lot_size=fields.quantity("lotsize") or None,
        tick_size=fields.price("ticksize") or None,
        multiplier=multiplier_of(fields, segment),
        last_price=fields.price("refltp") or None,
    )


def _row_order(fields: Fields, client_id: str, observed_at: datetime) -> Order:
    if fields.identifier("dhanclientid") not in ("", client_id):
        raise UnreadableError("dhanclientid is another account's")
    quantity, filled = _quantities(fields, "filledqty", "filled_qty")
    segment = fields.choice("exchangesegment", SEGMENTS)
    return Order(
        id=fields.required_identifier("orderid"),
        client_id=client_id,
        status=_status(fields, "orderstatus", quantity, filled),
        side=fields.choice("transactiontype", SIDES),
        key=_key(segment, fields.required_identifier("securityid")),
        product=fields.choice("producttype", PRODUCTS),
        order_type=fields.choice("ordertype", _ORDER_TYPES),
        validity=fields.choice("validity", _VALIDITIES),
        quantity=quantity,
        observed_at=observed_at,
        source=Source.BOOK,
        filled_quantity=filled,
        disclosed_quantity=fields.quantity("disclosedquantity"),
        price=fields.price("price"),
        trigger_price=fields.price("triggerprice"),
        average_price=fields.price("averagetradedprice"),
        correlation_id=fields.common("correlationid"),
        exchange_order_id=fields.identifier("exchangeorderid"),
        symbol=fields.common("tradingsymbol"),
        leg=fields.choice("legname", _LEGS),
        after_market=fields.flag("aftermarketorder"),
        created_at=fields.time("createtime"),
        updated_at=fields.time("updatetime"),
        exchange_at=fields.time("exchangetime"),
        reason=fields.free_text("omserrordescription"),
        multiplier=multiplier_of(fields, segment),
    )


def multiplier_of(fields: Fields, segment: Segment) -> Decimal | None:
    """Return how many units of what is priced one unit of quantity stands for; None where that is not said.

    Only currency and commodity contracts have one (the broker's documentation); others are told with 1, or any number.
    """
    return fields.price("multiplier") or None if segment.has_multiplier else None


@lru_cache(maxsize=8192)
def _key(segment: Segment, security_id: str) -> InstrumentKey:
    return InstrumentKey(segment, security_id)


def _quantities(fields: Fields, *filled_names: str) -> tuple[int, int]:
    quantity = fields.quantity("quantity", smallest=1)
    filled = fields.quantity(*filled_names)
    if quantity == 0:
        raise UnreadableError("quantity is missing")
    if filled > quantity:
        raise UnreadableError(f"{filled_names[0]} is more than quantity")
    return quantity, filled


def _status(fields: Fields, name: str, quantity: int, filled: int) -> Status:
    """Return the status, corrected by what was filled: the wire's word for a partial fill is not known for sure."""
    word = fields.text(name).upper().replace(" ", "_").replace("-", "_")
    status = STATUSES.get(word)
    if status is None:
        raise UnreadableError(f"{name} is {excerpt_of(word, 40) or 'missing'}")
    if filled < quantity and (status is Status.TRADED or (filled and not status.is_terminal)):
        return Status.PART_TRADED
    return status


def _frame_leg(fields: Fields) -> Leg:
    number = fields.quantity("legno")
    if number > 3:
        raise UnreadableError("legno is out of bounds")
    if number in _LEG_NUMBERS:
        return _LEG_NUMBERS[number]
    # The parent's number comes as a float or as text, "0" for a plain order.
    if fields.identifier("algoordno") or fields.text("remarks").lower() == "super order":
        return Leg.ENTRY
    return Leg.NONE
