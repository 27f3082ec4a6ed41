"""Decoding of orders: frames of the order-update socket, and rows of the order book.

Neither function raises: what cannot be decoded is returned as :class:`Unreadable`. Fields that decide are read strictly
(an invalid value makes the order unreadable), all others leniently (an invalid value counts as absent). ``_order`` says
which is which, for frames and rows alike.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from copytrade.brokers.api import Foreign, Told, Unreadable
from copytrade.brokers.dhan.json_values import Fields, Lenient, UnreadableError, exact, excerpt_of
from copytrade.core.model.orders import (
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
STATUSES = {status.value: status for status in Status} | dict.fromkeys(
    ("CONFIRM", "ACTIVE", "DUMMY", "INACTIVE"), Status.DORMANT
)
_LEGS = {leg.value: leg for leg in Leg} | {"": Leg.NONE}
_LEG_NUMBERS = {2: Leg.STOP_LOSS, 3: Leg.TARGET}

#: The platform that the child of a forever order comes from; on the socket only (seen on the wire, undocumented).
_FOREVER = "FOVR"


class _Names(NamedTuple):
    """Names of the fields, in lower case, that differ between a frame and a row."""

    where: str
    id: str
    client_id: str
    status: str
    side: str
    product: str
    filled: tuple[str, ...]
    disclosed: str
    average: str
    exchange_id: str
    symbol: tuple[str, ...]
    after_market: str
    created: str
    updated: str
    exchanged: str
    reason: str


_FRAME = _Names(
    where="frame",
    id="orderno",
    client_id="clientid",
    status="status",
    side="txntype",
    product="product",
    filled=("tradedqty",),
    disclosed="discquantity",
    average="avgtradedprice",
    exchange_id="exchorderno",
    symbol=("displayname", "symbol"),
    after_market="offmktflag",
    created="orderdatetime",
    updated="lastupdatedtime",
    exchanged="exchordertime",
    reason="reasondescription",
)

_ROW = _Names(
    where="order book row",
    id="orderid",
    client_id="dhanclientid",
    status="orderstatus",
    side="transactiontype",
    product="producttype",
    filled=("filledqty", "filled_qty"),
    disclosed="disclosedquantity",
    average="averagetradedprice",
    exchange_id="exchangeorderid",
    symbol=("tradingsymbol",),
    after_market="aftermarketorder",
    created="createtime",
    updated="updatetime",
    exchanged="exchangetime",
    reason="omserrordescription",
)


def _refuse_constant(word: str) -> object:
    raise ValueError(f"{word} is not a number")


_JSON = json.JSONDecoder(parse_float=exact, parse_constant=_refuse_constant)

#: Errors of decoding hostile JSON: bad syntax, a number out of range, nesting that is too deep.
_BAD_JSON = (ValueError, ArithmeticError, RecursionError)


def parse_json(text: str) -> object:
    """Return the one JSON document in ``text``, fractions as Decimal.

    Raises ValueError for anything else, also for NaN and for nesting that is too deep.
    """
    try:
        return _JSON.decode(text)
    except _BAD_JSON as error:
        raise ValueError(f"not JSON: {type(error).__name__}") from None


def read_frame(frame: str | bytes, client_id: str, observed_at: datetime) -> list[Told]:
    """Return the orders in one frame of ``client_id``'s order-update socket.

    A frame can hold several JSON documents, or a number before one (both seen by public clients). Envelopes of other
    types, legs that wait without a quantity, and bare numbers or words are ignored.
    """
    if len(frame) > FRAME_LIMIT:
        return [Unreadable("frame", f"longer than {FRAME_LIMIT}", excerpt_of(frame))]
    if isinstance(frame, bytes):
        try:
            frame = frame.decode()
        except UnicodeDecodeError:
            return [Unreadable("frame", "not text", excerpt_of(frame))]
    found: list[Told] = []
    position, end = _after_space(frame, 0), len(frame)
    while position < end:
        try:
            document, past = _JSON.raw_decode(frame, position)
        except _BAD_JSON:
            found.append(Unreadable("frame", "not JSON", excerpt_of(frame[position : position + 200])))
            break
        if isinstance(document, dict):
            told = _read_envelope(Fields(document), client_id, observed_at, frame[position:past])
            if told is not None:
                found.append(told)
        elif isinstance(document, list):
            found.append(Unreadable("frame", "an array, not an envelope", excerpt_of(frame[position:past])))
        position = _after_space(frame, past)
    return found


def read_row(row: object, client_id: str, observed_at: datetime) -> Told | None:
    """Return the order in one row of ``client_id``'s order book.

    None for a leg that waits without a quantity: it may carry the id of its entry, and is not at the exchange.
    """
    if not isinstance(row, Mapping):
        return Unreadable("order book row", "not an object", excerpt_of(row))
    return _read(Fields(row), _ROW, client_id, observed_at, row)


def _after_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _read_envelope(envelope: Fields, client_id: str, observed_at: datetime, text: str) -> Told | None:
    kind, document = envelope.raw("type"), envelope.raw("data")
    if kind is None and document is not None:
        return Unreadable("frame", "type is missing", excerpt_of(text))
    if not isinstance(kind, str) or kind.lower() != "order_alert":
        return None
    if not isinstance(document, dict):
        return Unreadable("frame", "data is not an object", excerpt_of(text))
    return _read(Fields(document), _FRAME, client_id, observed_at, text)


def _read(fields: Fields, names: _Names, client_id: str, observed_at: datetime, sent: object) -> Told | None:
    rest = Lenient(fields)
    whose, ours = _digits(rest.identifier(names.client_id)), _digits(client_id)
    if whose and ours and whose != ours:
        return Foreign(names.where, whose)
    try:
        return _order(fields, rest, names, client_id, observed_at)
    except UnreadableError as error:
        order_id, correlation_id = rest.identifier(names.id), _correlation_id_of(fields)
        return Unreadable(names.where, str(error), excerpt_of(sent), order_id, correlation_id)


def _order(fields: Fields, rest: Lenient, names: _Names, client_id: str, observed_at: datetime) -> Order | None:
    """Return the order; None for a leg that waits without a quantity. Raises UnreadableError."""
    is_row = names is _ROW
    segment = fields.choice("exchangesegment", SEGMENTS) if is_row else _frame_segment(fields)
    leg = fields.choice("legname", _LEGS) if is_row else _frame_leg(fields, rest)
    status, quantity = _word(fields, names.status), fields.quantity("quantity")
    filled = fields.quantity(*names.filled)
    if quantity == 0:
        if not filled and (status is Status.DORMANT or leg in (Leg.STOP_LOSS, Leg.TARGET)):
            return None
        raise UnreadableError("quantity is missing")
    if filled > quantity:
        raise UnreadableError(f"{names.filled[0]} is more than quantity")
    return Order(
        id=fields.required_identifier(names.id),
        client_id=client_id,
        status=_status(status, quantity, filled),
        side=fields.choice(names.side, SIDES),
        key=_key(segment, fields.required_identifier("securityid")),
        product=fields.choice(names.product, PRODUCTS),
        order_type=fields.choice("ordertype", _ORDER_TYPES),
        validity=fields.choice("validity", _VALIDITIES),
        quantity=quantity,
        observed_at=observed_at,
        source=Source.BOOK if is_row else Source.FEED,
        filled_quantity=filled,
        price=fields.price("price"),
        trigger_price=fields.price("triggerprice"),
        correlation_id=fields.common("correlationid"),
        leg=leg,
        parent_id=fields.identifier("algoordno"),
        after_market=fields.flag(names.after_market),
        disclosed_quantity=rest.quantity(names.disclosed),
        average_price=rest.price(names.average),
        exchange_order_id=rest.identifier(names.exchange_id),
        symbol=next(filter(None, map(rest.common, names.symbol)), ""),
        created_at=rest.time(names.created),
        updated_at=rest.time(names.updated),
        exchange_at=rest.time(names.exchanged),
        reason=rest.free_text(names.reason),
        instrument=rest.common("instrument") or None,
        lot_size=rest.quantity("lotsize") or None,
        tick_size=rest.price("ticksize") or None,
        multiplier=multiplier_of(rest, segment),
        last_price=rest.price("refltp") or None,
    )


def _correlation_id_of(fields: Fields) -> str | None:
    """Return the correlation id of an unreadable order; None if that is unreadable too."""
    try:
        return fields.text("correlationid")
    except UnreadableError:
        return None


@lru_cache(maxsize=64)
def _digits(client_id: str) -> str:
    """Return a client id without leading zeros, for comparison; "" if it is no number."""
    return client_id.lstrip("0") if client_id.isdecimal() else ""


def _frame_segment(fields: Fields) -> Segment:
    exchange, letter = fields.text("exchange").upper(), fields.text("segment").upper()
    segment = SEGMENT_OF.get((exchange, letter))
    if segment is None:
        raise UnreadableError(f"exchange and segment are {excerpt_of(exchange)!r} and {excerpt_of(letter)!r}")
    return segment


def multiplier_of(rest: Lenient, segment: Segment) -> Decimal | None:
    """Return how many priced units one unit of quantity stands for; None if the broker does not say.

    Only currency and commodity contracts have one (documented); others come with 1, or with any number.
    """
    return rest.price("multiplier") or None if segment.has_multiplier else None


@lru_cache(maxsize=8192)
def _key(segment: Segment, security_id: str) -> InstrumentKey:
    return InstrumentKey(segment, security_id)


def _word(fields: Fields, name: str) -> Status:
    word = fields.text(name).upper().replace(" ", "_").replace("-", "_")
    status = STATUSES.get(word)
    if status is None:
        raise UnreadableError(f"{name} is {excerpt_of(word, 40) or 'missing'}")
    return status


def _status(status: Status, quantity: int, filled: int) -> Status:
    """Return the status, corrected by the filled quantity: the status of a partial fill is not known for sure."""
    if filled < quantity and (status is Status.TRADED or (filled and not status.is_terminal)):
        return Status.PART_TRADED
    return status


def _frame_leg(fields: Fields, rest: Lenient) -> Leg:
    """Return which leg it is. The child of a forever order names its parent as a leg does, and is a plain order."""
    number, parent = fields.quantity("legno"), fields.identifier("algoordno")
    if number > 3:
        raise UnreadableError("legno is out of bounds")
    if rest.text("orderplatform").upper() == _FOREVER:
        return Leg.NONE
    if number in _LEG_NUMBERS:
        return _LEG_NUMBERS[number]
    if parent or rest.text("remarks").lower() == "super order":
        return Leg.ENTRY
    return Leg.NONE
