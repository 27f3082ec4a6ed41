"""What an account holds, as its positions and holdings tell."""

from copytrade.brokers.dhan.positions import read_net
from copytrade.brokers.outcomes import Accepted, Refused
from copytrade.core.model.ledger import LineKey
from copytrade.core.model.orders import InstrumentKey, Product, Segment

OPTION = LineKey(InstrumentKey(Segment.NSE_FNO, "45678"), Product.MARGIN)
SHARES = LineKey(InstrumentKey(Segment.NSE_EQ, "1333"), Product.CNC)


def test_positions_are_net_units_by_line(server, rest, book):
    server.will_answer(200, [book["positions"][0] | {"netQty": -195}])
    assert read_net(rest, holdings=False).value == {OPTION: -195}


def test_shares_in_the_depository_count_where_they_are_asked_for(server, rest):
    server.will_answer(200, [])
    server.will_answer(200, [{"securityId": "1333", "tradingSymbol": "HDFCBANK", "totalQty": 10}])
    outcome = read_net(rest, holdings=True)
    assert isinstance(outcome, Accepted)
    assert outcome.value[SHARES] == 10


def test_what_cannot_be_read_is_no_position(server, rest):
    server.will_answer(401, {"errorType": "Invalid_Authentication", "errorCode": "DH-901", "errorMessage": "token"})
    assert isinstance(read_net(rest, holdings=False), Refused)
