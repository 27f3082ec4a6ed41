"""What an account held before today's orders, read from a broker that trades on meanwhile."""

from copytrade.dhan.baseline import ATTEMPTS, read_baseline
from copytrade.dhan.outcomes import Accepted, Refused, Unknown
from copytrade.ledger import LineKey
from copytrade.orders import InstrumentKey, Product, Segment

OPTION = LineKey(InstrumentKey(Segment.NSE_FNO, "45678"), Product.MARGIN)
SHARES = LineKey(InstrumentKey(Segment.NSE_EQ, "1333"), Product.CNC)


def filled(book, order_id, units):
    """Return an order-book row that bought so many units."""
    row = {"orderId": order_id, "orderStatus": "PART_TRADED", "quantity": 650, "filledQty": units, "price": 100.5}
    return book["orders"][0] | row


def test_todays_fills_are_not_in_it(server, rest, book):
    server.will_answer(200, [filled(book, "1", 130)])
    server.will_answer(200, [book["positions"][0] | {"netQty": 195}])
    server.will_answer(200, [filled(book, "1", 130)])
    baseline = read_baseline(rest, holdings=False).value
    assert (baseline.positions, baseline.without) == ({OPTION: 65}, {"1"})


def test_it_is_read_again_while_orders_fill(server, rest, book):
    server.will_answer(200, [filled(book, "1", 65)])
    server.will_answer(200, [book["positions"][0] | {"netQty": 65}])
    server.will_answer(200, [filled(book, "1", 130)])
    server.will_answer(200, [book["positions"][0] | {"netQty": 130}])
    server.will_answer(200, [filled(book, "1", 130)])
    assert read_baseline(rest, holdings=False).value.positions == {OPTION: 0}


def test_an_account_that_never_comes_to_rest_is_not_guessed_at(server, rest, book):
    server.will_answer(200, [filled(book, "1", 0)])
    for attempt in range(ATTEMPTS):
        server.will_answer(200, [book["positions"][0]])
        server.will_answer(200, [filled(book, "1", 65 * (attempt + 1))])
    assert isinstance(read_baseline(rest, holdings=False), Unknown)


def test_shares_in_the_depository_count_where_they_are_asked_for(server, rest):
    for _ in range(3):
        server.will_answer(200, [])
    server.will_answer(200, [{"securityId": "1333", "tradingSymbol": "HDFCBANK", "totalQty": 10}])
    outcome = read_baseline(rest, holdings=True)
    assert isinstance(outcome, Accepted)
    assert outcome.value.positions[SHARES] == 10


def test_what_cannot_be_read_is_no_baseline(server, rest):
    server.will_answer(200, [])
    server.will_answer(401, {"errorType": "Invalid_Authentication", "errorCode": "DH-901", "errorMessage": "token"})
    assert isinstance(read_baseline(rest, holdings=False), Refused)
