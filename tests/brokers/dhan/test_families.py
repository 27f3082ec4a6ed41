from dataclasses import replace
from decimal import Decimal

import pytest

from copytrade.brokers.api import Cancelled, Foreign
from copytrade.brokers.families import EntryChange, NewSuperOrder, StopChange, TargetChange
from copytrade.brokers.outcomes import Accepted, Refusal, Refused, Unknown
from copytrade.core.model.orders import InstrumentKey, Leg, OrderType, Product, Segment, Side, Status

ORDER = NewSuperOrder(
    correlation_id="ct-112611230001-1",
    side=Side.BUY,
    key=InstrumentKey(Segment.NSE_FNO, "45678"),
    product=Product.INTRADAY,
    order_type=OrderType.LIMIT,
    quantity=130,
    price=Decimal("100.05"),
    target_price=Decimal(120),
    stop_price=Decimal(90),
    trailing_jump=Decimal("0.5"),
)

#: The list as documented; the misspelt quantity is the broker's.
ROW = {
    "dhanClientId": "1000000001",
    "orderId": "5925022734212",
    "correlationId": "ct-112611230001-1",
    "orderStatus": "TRADED",
    "transactionType": "BUY",
    "exchangeSegment": "NSE_FNO",
    "productType": "INTRADAY",
    "orderType": "LIMIT",
    "validity": "DAY",
    "tradingSymbol": "NIFTY-Nov2026-26000-CE",
    "securityId": "45678",
    "quantity": 130,
    "remainingQuantity": 0,
    "ltp": 101.5,
    "price": 100.05,
    "afterMarketOrder": False,
    "legName": "ENTRY_LEG",
    "exchangeOrderId": "1500000000000001",
    "filledQty": 130,
    "averageTradedPrice": 100.05,
    "legDetails": [
        {
            "orderId": "5925022734213",
            "legName": "STOP_LOSS_LEG",
            "transactionType": "SELL",
            "totalQuatity": 130,
            "remainingQuantity": 130,
            "triggeredQuantity": 0,
            "price": 90.0,
            "orderStatus": "PENDING",
            "trailingJump": 0.5,
        },
        {
            "orderId": "5925022734214",
            "legName": "TARGET_LEG",
            "transactionType": "SELL",
            "totalQuatity": 130,
            "remainingQuantity": 130,
            "triggeredQuantity": 0,
            "price": 120.0,
            "orderStatus": "TRIGGERED",
            "trailingJump": 0.0,
        },
    ],
}

FOREVER = {
    "dhanClientId": "1000000001",
    "orderId": "1132208051115",
    "orderStatus": "CONFIRM",
    "transactionType": "SELL",
    "exchangeSegment": "NSE_FNO",
    "productType": "MARGIN",
    "orderType": "OCO",
    "tradingSymbol": "NIFTY-Nov2026-FUT",
    "securityId": "45678",
    "quantity": 65,
    "price": 1428,
    "triggerPrice": 1427,
    "legName": "TARGET_LEG",
    "createTime": "2026-08-05 12:41:19",
}


def sent(server, begin):
    server.will_answer(200, {"orderId": "7", "orderStatus": "PENDING"})
    assert isinstance(begin().outcome(), Accepted)
    request = server.requests[-1]
    return request.method, request.path, request.payload


def test_a_super_order_is_one_request(server, rest):
    assert sent(server, lambda: rest.place_super(ORDER)) == (
        "POST",
        "/v2/super/orders",
        {
            "dhanClientId": "1000000001",
            "correlationId": "ct-112611230001-1",
            "transactionType": "BUY",
            "exchangeSegment": "NSE_FNO",
            "productType": "INTRADAY",
            "orderType": "LIMIT",
            "securityId": "45678",
            "quantity": 130,
            "price": 100.05,
            "targetPrice": 120.0,
            "stopLossPrice": 90.0,
            "trailingJump": 0.5,
        },
    )


def test_a_market_entry_has_price_0_and_an_exit_that_is_not_wanted_is_not_named(server, rest):
    market = replace(ORDER, order_type=OrderType.MARKET, price=Decimal(0), target_price=Decimal(0))
    payload = sent(server, lambda: rest.place_super(market))[2]
    assert payload["price"] == 0
    assert "targetPrice" not in payload


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        (TargetChange(Decimal(125)), {"legName": "TARGET_LEG", "targetPrice": 125.0}),
        (
            StopChange(Decimal(95), Decimal(0)),
            {"legName": "STOP_LOSS_LEG", "stopLossPrice": 95.0, "trailingJump": 0.0},
        ),
        (
            EntryChange(OrderType.LIMIT, 65, Decimal(99), Decimal(120), Decimal(90), Decimal(0)),
            {
                "legName": "ENTRY_LEG",
                "orderType": "LIMIT",
                "quantity": 65,
                "price": 99.0,
                "targetPrice": 120.0,
                "stopLossPrice": 90.0,
                "trailingJump": 0.0,
            },
        ),
    ],
)
def test_a_change_names_its_leg_and_restates_the_jump(server, rest, change, fields):
    expected = {"dhanClientId": "1000000001", "orderId": "7"} | fields
    assert sent(server, lambda: rest.modify_super("7", change)) == ("PUT", "/v2/super/orders/7", expected)


def test_a_leg_is_cancelled_by_its_name(server, rest):
    server.will_answer(202, b"")
    outcome = rest.cancel_super("7", Leg.STOP_LOSS).outcome()
    assert isinstance(outcome, Accepted)
    assert outcome.value == Cancelled("7", None)
    assert (server.requests[-1].method, server.requests[-1].path) == ("DELETE", "/v2/super/orders/7/STOP_LOSS_LEG")


def test_an_address_that_is_not_registered_refuses_a_super_order(server, rest):
    server.will_answer(400, {"errorType": "Input_Exception", "errorCode": "DH-905", "errorMessage": "Invalid IP"})
    outcome = rest.place_super(ORDER).outcome()
    assert isinstance(outcome, Refused)
    assert outcome.refusal is Refusal.ADDRESS


def test_the_list_shows_the_legs_of_an_entry(server, rest):
    server.will_answer(200, [ROW])
    read = rest.super_orders()
    assert isinstance(read, Accepted)
    (family,) = read.value.orders
    assert (family.entry.id, family.entry.leg, family.entry.status) == ("5925022734212", Leg.ENTRY, Status.TRADED)
    stop, target = family.legs
    assert (stop.leg, stop.side, stop.quantity, stop.trailing_jump) == (Leg.STOP_LOSS, Side.SELL, 130, Decimal("0.5"))
    assert (target.leg, target.price, target.status) == (Leg.TARGET, 120, Status.TRIGGERED)


def test_legs_of_a_waiting_entry_carry_its_id_and_no_quantity(server, rest):
    legs = [leg | {"orderId": ROW["orderId"], "totalQuatity": 0} for leg in ROW["legDetails"]]
    server.will_answer(200, [ROW | {"orderStatus": "PENDING", "filledQty": 0, "legDetails": legs}])
    (family,) = rest.super_orders().value.orders
    assert [(leg.id, leg.quantity) for leg in family.legs] == [(family.entry.id, 0)] * 2


@pytest.mark.parametrize(
    "wrong",
    [{"totalQuatity": None}, {"legName": "ENTRY_LEG"}, {"orderStatus": "HELD"}, {"price": "x"}, {"orderId": ""}],
)
def test_a_leg_that_cannot_be_read_makes_its_family_unreadable_and_no_other(server, rest, wrong):
    legs = [ROW["legDetails"][0] | wrong, ROW["legDetails"][1]]
    server.will_answer(200, [ROW | {"legDetails": legs}, ROW | {"orderId": "8"}])
    book = rest.super_orders().value
    assert [family.entry.id for family in book.orders] == ["8"]
    assert [row.order_id for row in book.unreadable] == [ROW["orderId"]]


def test_a_row_of_another_account_is_foreign_in_both_lists(server, rest):
    other = {"dhanClientId": "1000000009"}
    server.will_answer(200, [ROW | other])
    assert [type(row) for row in rest.super_orders().value.foreign] == [Foreign]
    server.will_answer(200, [FOREVER | other])
    assert [type(row) for row in rest.forever_orders().value.foreign] == [Foreign]


def test_the_list_of_forever_orders(server, rest):
    server.will_answer(200, [FOREVER, FOREVER | {"quantity": 0}])
    book = rest.forever_orders().value
    (order,) = book.orders
    assert (order.status, order.leg, order.is_oco) == (Status.DORMANT, Leg.TARGET, True)
    assert (order.quantity, order.price, order.trigger_price) == (65, 1428, 1427)
    assert [row.what for row in book.unreadable] == ["quantity is missing"]


def test_a_list_that_is_none_teaches_nothing(server, rest):
    server.will_answer(200, {"orderId": "7"})
    assert isinstance(rest.super_orders(), Unknown)
