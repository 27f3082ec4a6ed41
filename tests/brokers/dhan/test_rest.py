import dataclasses
import logging
from datetime import datetime
from decimal import Decimal

import pytest

from copytrade.brokers.dhan.requests import Builders
from copytrade.brokers.dhan.rest import DhanRest, NewOrder, OrderChange
from copytrade.brokers.outcomes import Accepted, Refused, Unknown
from copytrade.core.model.orders import (
    IST,
    AmoTime,
    InstrumentKey,
    OrderType,
    Product,
    Segment,
    Side,
    Source,
    Status,
    Validity,
)

KEY = InstrumentKey(Segment.NSE_FNO, "45678")
ORDER = NewOrder(
    correlation_id="ct-112611230001-1",
    side=Side.BUY,
    key=KEY,
    product=Product.MARGIN,
    order_type=OrderType.LIMIT,
    quantity=130,
    price=Decimal("100.05"),
)


def placed_payload(server, rest, order):
    server.will_answer(200, {"orderId": "1", "orderStatus": "TRANSIT"})
    assert isinstance(rest.place(order).outcome(), Accepted)
    return server.requests[-1].payload


def test_a_limit_order_says_no_more_than_it_must(server, rest):
    assert placed_payload(server, rest, ORDER) == {
        "dhanClientId": "1000000001",
        "correlationId": "ct-112611230001-1",
        "transactionType": "BUY",
        "exchangeSegment": "NSE_FNO",
        "productType": "MARGIN",
        "orderType": "LIMIT",
        "validity": "DAY",
        "securityId": "45678",
        "quantity": 130,
        "price": 100.05,
        "afterMarketOrder": False,
    }
    assert b'"price":100.05,' in server.requests[-1].body


def test_a_stop_order_with_everything(server, rest):
    order = dataclasses.replace(
        ORDER,
        side=Side.SELL,
        order_type=OrderType.STOP_LOSS,
        validity=Validity.IOC,
        trigger_price=Decimal("0.0025"),
        disclosed_quantity=65,
    )
    payload = placed_payload(server, rest, order)
    assert (payload["triggerPrice"], payload["disclosedQuantity"], payload["validity"]) == (0.0025, 65, "IOC")


def test_a_market_order_has_price_zero(server, rest):
    payload = placed_payload(server, rest, dataclasses.replace(ORDER, order_type=OrderType.MARKET, price=Decimal(0)))
    assert payload["price"] == 0


@pytest.mark.parametrize("when", AmoTime)
def test_after_market_orders_for_every_time(server, rest, when):
    payload = placed_payload(server, rest, dataclasses.replace(ORDER, after_market=True, amo_time=when))
    assert (payload["afterMarketOrder"], payload["amoTime"]) == (True, when.value)


@pytest.mark.parametrize("price", [Decimal("NaN"), Decimal("Infinity"), Decimal("0.1000000000000000000001")])
def test_a_price_that_cannot_be_sent_exactly_is_not_sent(server, rest, price):
    with pytest.raises(ValueError, match="exactly"):
        rest.place(dataclasses.replace(ORDER, price=price))
    assert server.requests == []


def test_a_change_restates_the_order(server, rest):
    server.will_answer(200, {"orderId": "112611230001", "orderStatus": "TRANSIT"})
    change = OrderChange(OrderType.STOP_LOSS, 195, Decimal("101.5"), trigger_price=Decimal(102))
    outcome = rest.modify("112611230001", change).outcome()
    assert isinstance(outcome, Accepted)
    assert outcome.value.status is Status.TRANSIT
    seen = server.requests[0]
    assert (seen.method, seen.path) == ("PUT", "/v2/orders/112611230001")
    assert seen.payload == {
        "dhanClientId": "1000000001",
        "orderId": "112611230001",
        "orderType": "STOP_LOSS",
        "quantity": 195,
        "price": 101.5,
        "triggerPrice": 102.0,
        "validity": "DAY",
    }


def test_a_change_to_market_has_price_zero(server, rest):
    server.will_answer(200, {"orderId": "1"})
    rest.modify("1", OrderChange(OrderType.MARKET, 195)).outcome()
    assert server.requests[0].payload["price"] == 0


def test_a_cancel_has_no_body(server, rest):
    server.will_answer(202)
    outcome = rest.cancel("112611230001").outcome()
    assert isinstance(outcome, Accepted)
    assert outcome.value.status is None
    seen = server.requests[0]
    assert (seen.method, seen.path, seen.body) == ("DELETE", "/v2/orders/112611230001", b"")


def test_ids_cannot_leave_their_place_in_the_path(server, rest):
    server.will_answer(200, [])
    rest.order_by_correlation_id("a/../b c?d")
    assert server.requests[0].path == "/v2/orders/external/a%2F..%2Fb%20c%3Fd"


@pytest.mark.parametrize("shape", ["order_by_id_as_seen", "order_by_id_as_documented"])
def test_one_order_in_both_shapes(server, rest, book, shape):
    server.will_answer(200, book[shape])
    outcome = rest.order("112611230002")
    assert isinstance(outcome, Accepted)
    assert (outcome.value.id, outcome.value.status, outcome.value.source) == (
        "112611230002",
        Status.PENDING,
        Source.BOOK,
    )
    assert server.requests[0].path == "/v2/orders/112611230002"


def test_an_answer_about_another_order_is_none(server, rest, book):
    server.will_answer(200, book["order_by_id_as_documented"])
    assert isinstance(rest.order("112611230001"), Unknown)


def test_no_such_order_is_not_an_answer(server, rest):
    server.will_answer(200, [])
    assert isinstance(rest.order("112611230001"), Unknown)


@pytest.mark.parametrize("shape", ["order_by_id_as_seen", "order_by_id_as_documented"])
def test_orders_by_correlation_id(server, rest, book, shape):
    server.will_answer(200, book[shape])
    outcome = rest.order_by_correlation_id("cp-m1-0001")
    assert isinstance(outcome, Accepted)
    assert [order.id for order in outcome.value] == ["112611230002"]
    assert server.requests[0].path == "/v2/orders/external/cp-m1-0001"


def test_twins_are_both_told(server, rest, book):
    row = book["order_by_id_as_documented"]
    server.will_answer(200, [row, row | {"orderId": "112611230099"}])
    outcome = rest.order_by_correlation_id("cp-m1-0001")
    assert [order.id for order in outcome.value] == ["112611230002", "112611230099"]


def test_an_empty_list_says_there_is_none(server, rest):
    server.will_answer(200, [])
    outcome = rest.order_by_correlation_id("ct-1-1")
    assert isinstance(outcome, Accepted)
    assert outcome.value == ()


def test_an_answer_about_another_correlation_id_proves_nothing(server, rest, book):
    server.will_answer(200, book["order_by_id_as_seen"])
    assert isinstance(rest.order_by_correlation_id("ct-1-1"), Unknown)


def test_one_unreadable_order_among_those_asked_for_proves_nothing(server, rest, book):
    server.will_answer(200, [book["order_by_id_as_documented"], {"correlationId": "cp-m1-0001"}])
    assert isinstance(rest.order_by_correlation_id("cp-m1-0001"), Unknown)


def test_the_order_book_keeps_what_it_cannot_read(server, rest, book):
    before = datetime.now(IST)
    server.will_answer(200, [*book["orders"], {"orderId": "7"}, "?", book["orders"][0] | {"dhanClientId": "2"}])
    outcome = rest.orders()
    assert isinstance(outcome, Accepted)
    assert [order.id for order in outcome.value.orders] == [row["orderId"] for row in book["orders"]]
    assert [(row.order_id, row.correlation_id) for row in outcome.value.unreadable] == [("7", ""), ("", None)]
    assert [row.client_id for row in outcome.value.foreign] == ["2"]
    assert {order.observed_at for order in outcome.value.orders} == {outcome.value.read_from}
    assert before <= outcome.value.read_from <= datetime.now(IST)


def test_an_empty_order_book(server, rest):
    server.will_answer(200, [])
    assert rest.orders().value.orders == ()


def test_trades(server, rest, book):
    server.will_answer(200, book["trades"])
    trades = rest.trades().value
    assert [(trade.quantity, trade.price) for trade in trades] == [(65, Decimal("100.95")), (130, Decimal("101.0"))]
    assert server.requests[0].path == "/v2/trades"


def test_positions(server, rest, book):
    server.will_answer(200, book["positions"])
    (position,) = rest.positions().value
    assert (position.key, position.product, position.net_quantity) == (KEY, Product.MARGIN, 195)


def test_a_short_position(server, rest, book):
    server.will_answer(200, [book["positions"][0] | {"netQty": -65}])
    assert rest.positions().value[0].net_quantity == -65


@pytest.mark.parametrize(
    "odd", [{"buyAvg": "x"}, {"dayBuyQty": 0.5}, {"tradingSymbol": []}, {"multiplier": {}}, {"realizedProfit": "?"}]
)
def test_what_no_position_rests_on_may_be_odd(server, rest, book, odd):
    server.will_answer(200, [book["positions"][0] | odd])
    (position,) = rest.positions().value
    assert position.net_quantity == book["positions"][0]["netQty"]
    assert position.profit is None or "realizedProfit" not in odd


def test_a_position_in_a_segment_that_is_not_known_here_hides_no_other(server, rest, book):
    server.will_answer(200, [book["positions"][0] | {"exchangeSegment": "NSE_COMM"}, book["positions"][0]])
    assert len(rest.positions().value) == 1


@pytest.mark.parametrize(
    "odd", [{"exchangeSegment": []}, {"exchangeSegment": None}, {"netQty": 0.5}, {"securityId": ""}]
)
def test_a_position_of_which_nobody_knows_what_it_is_makes_the_answer_unknown(server, rest, book, odd):
    server.will_answer(200, [book["positions"][0] | odd])
    assert isinstance(rest.positions(), Unknown)


@pytest.mark.parametrize("path", ["trades", "positions", "holdings"])
def test_one_unreadable_row_makes_the_list_unknown(server, rest, book, path):
    server.will_answer(200, [{"securityId": None}])
    assert isinstance(getattr(rest, path)(), Unknown)


@pytest.mark.parametrize("status", [400, 404, 500])
@pytest.mark.parametrize(
    "error",
    [
        {"errorType": "HOLDING_ERROR", "errorCode": "DHOLDING_ERROR", "errorMessage": "No holdings available"},
        {"errorType": None, "errorCode": None, "internalErrorCode": "DH-1111", "internalErrorMessage": "No holdings"},
    ],
)
def test_an_account_without_holdings(server, rest, status, error):
    server.will_answer(status, error)
    outcome = rest.holdings()
    assert isinstance(outcome, Accepted)
    assert outcome.value == ()


def test_holdings(server, rest):
    server.will_answer(200, [{"securityId": "1333", "tradingSymbol": "HDFCBANK", "totalQty": 10, "availableQty": 4}])
    (holding,) = rest.holdings().value
    assert (holding.security_id, holding.total_quantity, holding.available_quantity) == ("1333", 10, 4)


@pytest.mark.parametrize("spelling", ["availabelBalance", "availableBalance"])
def test_funds_in_both_spellings(server, rest, book, spelling):
    funds = dict(book["fundlimit"])
    funds[spelling] = funds.pop("availabelBalance")
    server.will_answer(200, funds)
    limit = rest.fund_limit().value
    assert (limit.available_balance, limit.sod_limit) == (Decimal("98440.0"), Decimal("113642.0"))


@pytest.mark.parametrize("missing", ["availabelBalance", "sodLimit"])
def test_funds_that_do_not_say_how_much_are_unknown(server, rest, book, missing):
    funds = dict(book["fundlimit"])
    del funds[missing]
    server.will_answer(200, funds)
    assert isinstance(rest.fund_limit(), Unknown)


def test_profile(server, rest):
    server.will_answer(
        200,
        {"dhanClientId": "1000000001", "tokenValidity": "24/11/2026 09:15", "activeSegment": "Equity, Derivative"},
    )
    profile = rest.profile().value
    assert profile.client_id == "1000000001"
    assert profile.token_valid_until.isoformat() == "2026-11-24T09:15:00+05:30"
    assert profile.segments == ("Equity", "Derivative")


def test_a_profile_that_makes_no_sense_is_unknown(server, rest):
    server.will_answer(200, {"dhanClientId": None, "tokenValidity": "24/11/2026 09:15"})
    assert isinstance(rest.profile(), Unknown)


def test_a_profile_whose_end_cannot_be_read_is_one_all_the_same(server, rest):
    server.will_answer(200, {"dhanClientId": "1", "tokenValidity": "tomorrow", "activeSegment": 7})
    profile = rest.profile().value
    assert (profile.client_id, profile.token_valid_until) == ("1", None)


def test_the_sdk_neither_prints_nor_logs(server, rest, capfd, caplog):
    caplog.set_level(logging.DEBUG)
    server.will_answer(500, b"<html>")
    server.will_answer(400, [])
    assert isinstance(rest.place(ORDER).outcome(), Unknown)
    assert isinstance(rest.orders(), Unknown | Refused)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_requests_of_one_account_do_not_mix():
    build = Builders("1000000001")
    first, second = build.place(ORDER), build.place(dataclasses.replace(ORDER, quantity=65))
    assert (first.payload["quantity"], second.payload["quantity"]) == (130, 65)


def test_the_token_stays_out_of_the_rest_object(transport_to):
    assert "canary" not in repr(DhanRest(transport_to("http://127.0.0.1:1"), "1000000001").__dict__)
