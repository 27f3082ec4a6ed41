"""Decoding of rows of the lists of super and forever orders. Neither function raises; see ``decode``."""

from collections.abc import Mapping
from datetime import datetime

from copytrade.brokers.api import Foreign, Unreadable
from copytrade.brokers.dhan.decode import PRODUCTS, SEGMENTS, SIDES, STATUSES, read_row
from copytrade.brokers.dhan.json_values import Fields, Lenient, UnreadableError, excerpt_of
from copytrade.brokers.families import ForeverOrder, SuperLeg, SuperOrder
from copytrade.core.model.orders import InstrumentKey, Leg, Order, Status

_EXITS = {leg.value: leg for leg in (Leg.TARGET, Leg.STOP_LOSS)}
#: A single forever order has been seen with each of these names.
_FOREVER_LEGS = _EXITS | {"ENTRY_LEG": Leg.ENTRY, "NA": Leg.NONE, "": Leg.NONE}


def read_super_row(row: object, client_id: str, observed_at: datetime) -> SuperOrder | Unreadable | Foreign:
    """Return the super order in one row of GET /super/orders."""
    entry = read_row(row, client_id, observed_at)
    if not isinstance(entry, Order) or not isinstance(row, Mapping):
        return entry if isinstance(entry, Unreadable | Foreign) else _unreadable(row, "super order", "no entry")
    details = Fields(row).raw("legdetails")
    if details is None:
        details = []
    if not isinstance(details, list):
        return _unreadable(row, "super order", "legdetails is not a list")
    try:
        legs = tuple(_super_leg(detail) for detail in details)
    except UnreadableError as error:
        return _unreadable(row, "super order", f"legdetails: {error}")
    if len({leg.leg for leg in legs}) < len(legs):
        return _unreadable(row, "super order", "legdetails has a leg twice")
    return SuperOrder(entry, legs)


def read_forever_row(row: object, client_id: str) -> ForeverOrder | Unreadable | Foreign:
    """Return the forever order in one row of GET /forever/orders. ``orderType`` is SINGLE or OCO there (documented)."""
    if not isinstance(row, Mapping):
        return _unreadable(row, "forever order", "not an object")
    fields = Fields(row)
    whose = Lenient(fields).identifier("dhanclientid")
    if whose.isdecimal() and client_id.isdecimal() and int(whose) != int(client_id):
        return Foreign("forever order", whose)
    try:
        segment = fields.choice("exchangesegment", SEGMENTS)
        return ForeverOrder(
            id=fields.required_identifier("orderid"),
            leg=fields.choice("legname", _FOREVER_LEGS),
            status=_status(fields),
            side=fields.choice("transactiontype", SIDES),
            key=InstrumentKey(segment, fields.required_identifier("securityid")),
            product=fields.choice("producttype", PRODUCTS),
            quantity=_required_quantity(fields),
            price=fields.price("price"),
            trigger_price=fields.price("triggerprice"),
            is_oco="OCO" in (fields.text("ordertype").upper(), fields.text("orderflag").upper()),
        )
    except UnreadableError as error:
        return _unreadable(row, "forever order", str(error))


def _super_leg(detail: object) -> SuperLeg:
    """Return one exit. Raises UnreadableError. The misspelt quantity is the broker's; the right spelling is read too.

    Unlike other quantities it must be there: a leg without one could not be told from a leg that waits.
    """
    if not isinstance(detail, Mapping):
        raise UnreadableError("not an object")
    fields = Fields(detail)
    if fields.raw("totalquatity") is None and fields.raw("totalquantity") is None:
        raise UnreadableError("totalquatity is missing")
    return SuperLeg(
        id=fields.required_identifier("orderid"),
        leg=fields.choice("legname", _EXITS),
        side=fields.choice("transactiontype", SIDES),
        status=_status(fields),
        quantity=fields.quantity("totalquatity", "totalquantity"),
        remaining_quantity=fields.quantity("remainingquantity"),
        triggered_quantity=fields.quantity("triggeredquantity"),
        price=fields.price("price"),
        trailing_jump=fields.price("trailingjump"),
    )


def _required_quantity(fields: Fields) -> int:
    quantity = fields.quantity("quantity")
    if not quantity:
        raise UnreadableError("quantity is missing")
    return quantity


def _status(fields: Fields) -> Status:
    return fields.choice("orderstatus", STATUSES)


def _unreadable(row: object, where: str, what: str) -> Unreadable:
    rest = Lenient(Fields(row)) if isinstance(row, Mapping) else None
    order_id, correlation_id = (rest.identifier("orderid"), rest.text("correlationid")) if rest else ("", None)
    return Unreadable(where, what, excerpt_of(row), order_id, correlation_id)
