"""The paper broker's tokens over real sockets: they live for a day, and a new one ends the one before."""

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

import pyotp
import pytest
from pydantic import SecretStr

from copytrade.brokers.tokens.token import is_of_another, token_expiry
from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import PaperAccount
from copytrade.paper.process import PaperConfig, start_paper_process
from tests.paper.talking import CLIENT, OTHER, ask, feed
from tests.support.waiting import eventually

PIN, SECRET = "271828", "CANARYCANARYCANARYCANARY"


@pytest.fixture
def broker() -> Iterator[PaperBroker]:
    accounts = [PaperAccount(CLIENT, "one", pin=PIN, totp_secret=SECRET), PaperAccount(OTHER, "")]
    with PaperBroker(accounts) as broker:
        yield broker


def log_in(broker: PaperBroker, pin: str = PIN, totp: str | None = None, client_id: str = CLIENT) -> Any:
    connection = http.client.HTTPConnection(urlsplit(broker.auth_url).netloc, timeout=5)
    code = pyotp.TOTP(SECRET).now() if totp is None else totp
    query = urlencode({"dhanClientId": client_id, "pin": pin, "totp": code})
    connection.request("POST", f"/app/generateAccessToken?{query}")
    response = connection.getresponse()
    document = json.loads(response.read())
    connection.close()
    assert response.status == 200
    return document


def test_a_login_gives_a_token_and_ends_the_one_before(broker: PaperBroker) -> None:
    answer = log_in(broker)
    assert set(answer) == {
        "dhanClientId",
        "dhanClientName",
        "dhanClientUcc",
        "givenPowerOfAttorney",
        "accessToken",
        "expiryTime",
    }
    token = answer["accessToken"]
    expiry = token_expiry(SecretStr(token))
    assert expiry is not None
    assert answer["expiryTime"].startswith(f"{expiry:%Y-%m-%dT%H:%M}")
    assert not is_of_another(SecretStr(token), CLIENT)
    status, profile = ask(broker, "GET", "/profile", token=token)
    assert (status, profile["tokenValidity"]) == (200, f"{expiry:%d/%m/%Y %H:%M}")
    status, refusal = ask(broker, "GET", "/profile", token="one")
    assert (status, refusal["errorCode"], refusal["errorMessage"]) == (400, "DH-906", "Invalid Token")
    socket = feed(broker, token)
    eventually(lambda: broker.feed_connections(CLIENT) == 1, "the feed takes the new one")
    socket.close()


def test_a_login_is_refused_with_a_message_and_200(broker: PaperBroker) -> None:
    assert log_in(broker, pin="0000") == {"status": "error", "message": "Invalid Pin"}
    assert log_in(broker, totp="000000") == {"status": "error", "message": "Invalid TOTP"}
    assert log_in(broker, client_id="1") == {"status": "error", "message": "Invalid Client ID"}
    assert log_in(broker, client_id=OTHER)["message"] == "Invalid Pin"
    assert log_in(broker)["accessToken"]
    assert log_in(broker)["message"] == "Token can be generated once every 2 minutes."
    assert [attempt.refused for attempt in broker.token_attempts(CLIENT)] == [
        "Invalid Pin",
        "Invalid TOTP",
        "",
        "Token can be generated once every 2 minutes.",
    ]
    broker.allow_logins(0)
    assert log_in(broker)["accessToken"]


def test_a_token_from_the_web_site_can_be_renewed_and_one_from_a_login_cannot(broker: PaperBroker) -> None:
    status, answer = renew(broker, "one")
    assert (status, set(answer)) == (200, {"createTime", "expiryTime", "token"})
    assert renew(broker, "one")[1]["errorCode"] == "DH-906"
    assert ask(broker, "GET", "/profile", token=answer["token"])[0] == 200
    logged_in = log_in(broker)["accessToken"]
    assert renew(broker, logged_in)[0] == 400
    assert ask(broker, "GET", "/profile", token=logged_in)[0] == 200
    assert ask(broker, "GET", "/RenewToken", token=logged_in)[0] == 400  # without the header that it asks for


def renew(broker: PaperBroker, token: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(urlsplit(broker.rest_url).netloc, timeout=5)
    connection.request("GET", "/v2/RenewToken", headers={"access-token": token, "dhanClientId": CLIENT})
    response = connection.getresponse()
    document = json.loads(response.read())
    connection.close()
    return response.status, document


def test_a_token_expires_and_is_revoked(broker: PaperBroker) -> None:
    broker.shorten_token(CLIENT)
    status, refusal = ask(broker, "GET", "/orders")
    assert (status, refusal["errorCode"]) == (401, "DH-901")
    broker.replace_token(CLIENT, "two")
    assert ask(broker, "GET", "/orders", token="two")[0] == 200
    broker.revoke_token(CLIENT)
    assert ask(broker, "GET", "/orders", token="two")[1]["errorCode"] == "DH-906"
    assert ask(broker, "GET", "/orders", token="")[0] == 401
    socket = feed(broker, "two")
    assert socket.recv() == b"\x00\x01"


def test_another_process_can_do_the_same_and_the_configuration_carries_pin_and_secret() -> None:
    accounts = (PaperAccount(CLIENT, "one", pin=PIN, totp_secret=SECRET),)
    assert PIN not in repr(accounts)
    paper = start_paper_process(PaperConfig(accounts, CLIENT, scripted=False, control=True))
    try:
        paper.control("revoke_token", client_id=CLIENT)
        paper.control("allow_logins", every=0)
        paper.control("change_pin", client_id=CLIENT, pin="314159")
        assert log_in(paper)["message"] == "Invalid Pin"  # type: ignore[arg-type]
        assert log_in(paper, pin="314159")["accessToken"]  # type: ignore[arg-type]
        paper.control("shorten_token", client_id=CLIENT, lives=1.0)
        assert paper.control("replace_token", client_id=CLIENT, token="three", lives=60.0) == "three"
        assert [attempt["refused"] for attempt in paper.control("token_attempts", client_id=CLIENT)] == [
            "Invalid Pin",
            "",
        ]
    finally:
        paper.stop()
