"""What is learnt of an account from replies in every shape, and from a socket that takes or drops a login."""

from datetime import datetime
from decimal import Decimal

import pytest
from pydantic import SecretStr

from copytrade.brokers.dhan.probe import inspect, try_feed
from copytrade.core.model.accounts import Facts, IpAddresses
from copytrade.core.model.orders import IST
from tests.brokers.fault_server import CLIENT_ID, TOKEN
from tests.brokers.tokens.jwt import jwt

FACTS = Facts("alice", False, CLIENT_ID, frozenset({"OPTIDX"}), False, datetime(2026, 11, 23, tzinfo=IST))
PROFILE = {"dhanClientId": CLIENT_ID, "tokenValidity": "24/11/2026 09:15", "activeSegment": "Equity, Derivative"}
FUNDS = {"availabelBalance": 5.5, "sodLimit": 10}


@pytest.mark.parametrize(
    ("answer", "addresses"),
    [
        ({"primaryIP": "10.0.0.1", "secondaryIP": "", "modifyDatePrimary": "x"}, IpAddresses(("10.0.0.1",))),
        ({"primaryIP": "10.0.0.1", "secondaryIP": "::2"}, IpAddresses(("10.0.0.1", "::2"))),
        ({"primaryIP": "NA", "secondaryIP": None, "ordersAllowed": "false"}, IpAddresses((), "", allowed=False)),
        ({"detectedIP": "10.0.0.1", "ordersAllowed": True}, IpAddresses(None, "10.0.0.1", allowed=True)),
        ({"ipMatchStatus": "MATCH", "primaryIP": "10.0.0.1"}, IpAddresses(("10.0.0.1",), "", allowed=True)),
        ({"ipMatchStatus": "MISMATCH", "ordersAllowed": None}, IpAddresses(None, "", allowed=False)),
        ({"ipMatchStatus": "who knows"}, IpAddresses(None)),
    ],
)
def test_addresses_are_read_in_every_documented_and_seen_shape(server, rest, answer, addresses) -> None:
    for document in (PROFILE, answer, FUNDS, []):
        server.will_answer(200, document, "Date: Mon, 23 Nov 2026 03:30:00 GMT\r\n")
    facts = inspect(FACTS, rest, SecretStr(TOKEN), thorough=True)
    assert facts.addresses == addresses
    assert (facts.token_of, facts.segments, facts.pending) == (CLIENT_ID, ("Equity", "Derivative"), 0)
    assert facts.token_until == datetime(2026, 11, 24, 9, 15, tzinfo=IST)
    assert (facts.funds.available, facts.funds.start_of_day) == (Decimal("5.5"), Decimal(10))
    assert facts.skew is not None
    assert [seen.path for seen in server.requests] == ["/v2/profile", "/v2/ip/getIP", "/v2/fundlimit", "/v2/orders"]


def test_a_broker_that_does_not_tell_about_addresses_is_no_fault(server, rest) -> None:
    server.will_answer(200, PROFILE)
    server.will_answer(404, {"errorCode": "DH-910", "errorMessage": "no"})
    server.will_answer(200, FUNDS)
    facts = inspect(FACTS, rest, SecretStr(TOKEN), thorough=False)
    assert (facts.addresses, facts.problem, facts.pending) == (None, "", None)


@pytest.mark.parametrize(
    ("status", "answer", "field", "words"),
    [
        (401, {"errorCode": "DH-901", "errorMessage": "expired"}, "token_refused", "DH-901 expired"),
        (400, {"errorCode": "DH-906", "errorMessage": "Invalid Token"}, "token_refused", "DH-906 Invalid Token"),
        (400, {"errorCode": "DH-902", "errorMessage": "no access"}, "account_refused", "DH-902 no access"),
        (400, {"errorCode": "DH-904", "errorMessage": "slow"}, "problem", "DH-904 slow"),
        (502, b"<html>", "problem", "HTTP 502"),
        (200, b"<html>", "problem", "the reply is not JSON"),
    ],
)
def test_after_a_refusal_nothing_more_is_asked(server, rest, status, answer, field, words) -> None:
    server.will_answer(status, answer)
    facts = inspect(FACTS, rest, jwt({"exp": 1795000000}), thorough=True)
    assert getattr(facts, field) == words
    assert facts.token_until == datetime.fromtimestamp(1795000000, IST)
    assert len(server.requests) == 1


@pytest.mark.parametrize("code", ["DH-905", "DH-911"])
def test_a_refused_address_is_told_from_other_trouble(server, rest, code) -> None:
    server.will_answer(200, PROFILE)
    server.will_answer(400, {"errorCode": code, "errorMessage": "Invalid IP"})
    server.will_answer(200, FUNDS)
    assert inspect(FACTS, rest, SecretStr(TOKEN), thorough=False).address_refused == f"{code} Invalid IP"


def test_a_login_that_lasts_was_taken(sockets) -> None:
    server = sockets()
    assert try_feed(server.url, CLIENT_ID, SecretStr(TOKEN), 0.1) == ""
    assert server.logins.get(timeout=5)["LoginReq"]["ClientId"] == CLIENT_ID


def test_a_login_that_is_dropped_or_never_begins_was_not(sockets) -> None:
    handshake = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    assert "403" in try_feed(sockets(handshake).url, CLIENT_ID, SecretStr(TOKEN), 5.0)
