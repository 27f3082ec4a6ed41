"""What each reply means, for each kind of request."""

import json
from decimal import Decimal

import pytest

from copytrade.brokers.dhan.rest import DhanRest, NewOrder, OrderChange
from copytrade.brokers.outcomes import RESPONSE_TEXT_LIMIT, Accepted, Refusal, Refused, Unknown
from copytrade.core.model.orders import InstrumentKey, OrderType, Product, Segment, Side

ORDER = NewOrder(
    correlation_id="ct-112611230001-1",
    side=Side.BUY,
    key=InstrumentKey(Segment.NSE_FNO, "45678"),
    product=Product.MARGIN,
    order_type=OrderType.LIMIT,
    quantity=130,
    price=Decimal("100.05"),
)
CHANGE = OrderChange(OrderType.LIMIT, 195, Decimal("101.5"))

WRITES = {
    "place": lambda rest: rest.place(ORDER).outcome(),
    "modify": lambda rest: rest.modify("1", CHANGE).outcome(),
    "cancel": lambda rest: rest.cancel("1").outcome(),
}
READS = {
    "order": lambda rest: rest.order("1"),
    "order_by_correlation_id": lambda rest: rest.order_by_correlation_id("ct-1-1"),
    "orders": lambda rest: rest.orders(),
    "trades": lambda rest: rest.trades(),
    "positions": lambda rest: rest.positions(),
    "holdings": lambda rest: rest.holdings(),
    "fund_limit": lambda rest: rest.fund_limit(),
    "profile": lambda rest: rest.profile(),
}
REQUESTS = WRITES | READS


def error(code, message="", kind="Input_Exception"):
    return {"errorType": kind, "errorCode": code, "errorMessage": message}


REFUSALS = [
    (401, error("DH-901", "expired"), Refusal.TOKEN),
    (401, b"<html>", Refusal.TOKEN),
    (401, {"status": "failed", "data": {"808": "Authentication Failed"}}, Refusal.TOKEN),
    (400, error("DH-906", "Invalid Token"), Refusal.TOKEN),
    (400, {"errorCode": 809}, Refusal.TOKEN),
    (400, error("DH-905", "Invalid IP"), Refusal.ADDRESS),
    (400, error("DH-911", "whatever"), Refusal.ADDRESS),
    (401, error("DH-911", "Invalid IP"), Refusal.ADDRESS),
    (400, error("DH-905", "quantity"), Refusal.VALIDATION),
    (400, [error("DH-905", "quantity")], Refusal.VALIDATION),
    (400, error("DH-906", "Market is Closed!"), Refusal.ORDER),
    (404, error("DH-906", "no such order"), Refusal.ORDER),
    (403, error("DH-902"), Refusal.ACCOUNT),
    (400, error("DH-903"), Refusal.ACCOUNT),
    (429, error("DH-904"), Refusal.RATE_LIMITED),
    (429, b"slow down", Refusal.RATE_LIMITED),
    (400, error("DH-904"), Refusal.RATE_LIMITED),
    (400, {"errorCode": 805}, Refusal.RATE_LIMITED),
    (400, error("DH-910"), Refusal.OTHER),
    (400, {"errorCode": None, "internalErrorCode": "RS-9005", "internalErrorMessage": "later"}, Refusal.OTHER),
    (200, error("DH-906", "no"), Refusal.ORDER),
    (200, {"errorCode": "DH-905", "errorMessage": "Invalid IP", "orderId": None}, Refusal.ADDRESS),
]


@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize(("status", "body", "refusal"), REFUSALS)
def test_refusals(server, rest, request_name, status, body, refusal):
    server.will_answer(status, body)
    outcome = REQUESTS[request_name](rest)
    assert isinstance(outcome, Refused)
    assert (outcome.refusal, outcome.http_status) == (refusal, status)


UNKNOWN = [
    (400, error("DH-908")),
    (400, error("DH-909")),
    (400, {"errorCode": 800}),
    (400, b"<html>"),
    (400, {}),
    (404, None),
    (408, b""),
    (500, error("DH-906", "no")),
    (500, b"<html>"),
    (502, None),
    (503, {}),
    (301, None),
    (304, None),
    (200, error("DH-908")),
    (200, b"<html>"),
    (200, b"{"),
    (200, b'{"orderId": "1'),
    (200, b'{"orderId": "1"} {"orderId": "2"}'),
    (200, b"\xff"),
    (200, b'{"orderId": NaN}'),
    (200, b"[" * 100_000),
    (200, b"null"),
    (200, b"1"),
    (200, {}),
    (200, {"data": []}),
    (200, {"orderId": None, "orderStatus": "TRANSIT"}),
    (200, {"orderId": "1", "errorCode": "DH-906"}),
    (200, [{"orderId": "1", "errorCode": "DH-906"}]),
]


@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize(("status", "body"), UNKNOWN)
def test_replies_that_prove_nothing(server, rest, request_name, status, body):
    server.will_answer(status, body)
    outcome = REQUESTS[request_name](rest)
    assert isinstance(outcome, Unknown)
    assert outcome.http_status == status


@pytest.mark.parametrize("request_name", [name for name in REQUESTS if name != "cancel"])
@pytest.mark.parametrize("status", [200, 202, 204])
def test_an_empty_success_proves_nothing(server, rest, request_name, status):
    server.will_answer(status)
    assert isinstance(REQUESTS[request_name](rest), Unknown)


@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize("end", ["reset", "close", "truncated"])
def test_a_lost_reply_proves_nothing(server, rest, request_name, end):
    whole = b'HTTP/1.1 200 X\r\nContent-Length: 40\r\n\r\n{"orderId":"1"}'
    server.will_send(whole if end == "truncated" else b"", then="close" if end != "reset" else "reset")
    outcome = REQUESTS[request_name](rest)
    assert isinstance(outcome, Unknown)
    assert len(server.requests) == 1


@pytest.mark.parametrize("request_name", REQUESTS)
def test_without_a_connection_it_is_refused(transport_to, request_name):
    rest = DhanRest(transport_to("http://127.0.0.1:1"), "1000000001")
    outcome = REQUESTS[request_name](rest)
    assert isinstance(outcome, Refused)
    assert (outcome.refusal, outcome.http_status) == (Refusal.NOT_SENT, None)


@pytest.mark.parametrize("request_name", ["place", "modify"])
@pytest.mark.parametrize("body", [{"orderId": "1", "orderStatus": "TRANSIT"}, {"orderId": 1}, [{"orderId": "1"}]])
def test_an_order_id_is_an_acceptance(server, rest, request_name, body):
    server.will_answer(200, body)
    outcome = WRITES[request_name](rest)
    assert isinstance(outcome, Accepted)
    assert outcome.value.order_id == "1"


@pytest.mark.parametrize("body", [None, b" \r\n", {"orderId": "1", "orderStatus": "CANCELLED"}])
@pytest.mark.parametrize("status", [200, 202])
def test_an_acceptance_of_a_cancel_may_be_empty(server, rest, status, body):
    server.will_answer(status, body)
    outcome = rest.cancel("1").outcome()
    assert isinstance(outcome, Accepted)
    assert outcome.value.order_id == "1"


@pytest.mark.parametrize("body", [[{"orderId": "1"}, {"orderId": "2"}], {"orderId": "0"}, {"orderId": "a b"}, [], [{}]])
def test_an_answer_to_place_without_one_order_proves_nothing(server, rest, body):
    server.will_answer(200, body)
    assert isinstance(rest.place(ORDER).outcome(), Unknown)


@pytest.mark.parametrize("request_name", ["modify", "cancel"])
def test_an_answer_about_another_order_proves_nothing(server, rest, request_name):
    server.will_answer(200, {"orderId": "2", "orderStatus": "TRANSIT"})
    assert isinstance(WRITES[request_name](rest), Unknown)


def test_every_outcome_carries_what_was_said(server, rest):
    server.will_answer(400, error("DH-905", "x" * 5000))
    outcome = rest.place(ORDER).outcome()
    exchange = outcome.exchange
    assert (exchange.method, exchange.path, exchange.status) == ("POST", "/orders", 400)
    assert json.loads(exchange.payload_json)["correlationId"] == "ct-112611230001-1"
    assert len(exchange.response_text) == RESPONSE_TEXT_LIMIT
    assert exchange.duration_ms > 0
    assert "canary-token" not in repr(outcome)
