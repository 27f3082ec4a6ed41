"""What is asked about a token, over real sockets, and what no one gets to see of it."""

import traceback
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from copytrade.brokers.dhan.login import TokenRequests
from copytrade.brokers.http.client import Request
from copytrade.brokers.outcomes import Accepted, Refusal, Refused, Unknown
from copytrade.brokers.tokens.token import Source
from copytrade.common.totp import totp_code
from copytrade.core.model.orders import IST
from tests.brokers.fault_server import CLIENT_ID
from tests.brokers.tokens.jwt import jwt

PIN, TOTP_SECRET = "271828", "CANARYCANARYCANARYCANARY"
AT = datetime(2026, 11, 25, 9, 0, 5, tzinfo=IST)
CODE = totp_code(TOTP_SECRET, AT)
NEW = jwt({"exp": 1795491000, "dhanClientId": CLIENT_ID}).get_secret_value()


@pytest.fixture
def requests(server, transport_to):
    rest, auth = transport_to(server.url), transport_to(server.url.removesuffix("/v2"))
    rest.take_token(None)
    auth.take_token(None)
    return TokenRequests(rest, auth, CLIENT_ID)


def say(server, status, text):
    server.will_answer(status, text.encode())


def log_in(requests):
    return requests.log_in(SecretStr(PIN), SecretStr(TOTP_SECRET), AT)


def shown(*things) -> str:
    return "".join(f"{thing!r}{thing}" for thing in things)


def hides_everything(text: str) -> bool:
    return not any(secret in text for secret in (PIN, CODE, TOTP_SECRET, NEW, "generateAccessToken?"))


def test_a_login_sends_pin_and_code_in_the_query_and_nowhere_else(server, requests):
    say(
        server,
        200,
        f'{{"dhanClientId": "{CLIENT_ID}", "accessToken": "{NEW}", "expiryTime": "2026-11-26T09:00:00.123"}}',
    )
    outcome = log_in(requests)
    assert isinstance(outcome, Accepted)
    assert outcome.value.secret.get_secret_value() == NEW
    assert (outcome.value.expires.isoformat(), outcome.value.source) == ("2026-11-24T09:00:00+05:30", Source.LOGIN)
    seen = server.requests[0]
    assert seen.method == "POST"
    url = urlsplit(seen.path)
    assert url.path == "/app/generateAccessToken"
    assert parse_qs(url.query) == {"dhanClientId": [CLIENT_ID], "pin": [PIN], "totp": [CODE]}
    assert "access-token" not in seen.headers
    assert outcome.exchange.path == "/app/generateAccessToken"
    assert hides_everything(shown(outcome, outcome.exchange, outcome.value))


def test_the_end_of_a_token_that_does_not_say_is_the_brokers_word_in_indian_time(server, requests):
    say(server, 200, '{"accessToken": "opaque", "expiryTime": "2026-11-26T09:00:00"}')
    assert log_in(requests).value.expires == datetime(2026, 11, 26, 9, tzinfo=IST)


@pytest.mark.parametrize(
    ("status", "body", "refusal", "message"),
    [
        (200, '{"status": "error", "message": "Invalid TOTP"}', Refusal.OTHER, "Invalid TOTP"),
        (400, '{"message": "Invalid Pin"}', Refusal.OTHER, "Invalid Pin"),
        (401, '{"errorCode": "DH-901", "errorMessage": "no such client"}', Refusal.OTHER, "no such client"),
        (403, "<html>no</html>", Refusal.OTHER, "HTTP 403"),
        (200, "{}", Refusal.OTHER, "HTTP 200"),
        (429, "", Refusal.RATE_LIMITED, "HTTP 429"),
        (
            200,
            '{"status": "error", "message": "Token can be generated once every 2 minutes."}',
            Refusal.RATE_LIMITED,
            "Token can be generated once every 2 minutes.",
        ),
        (
            400,
            f'{{"message": "pin {PIN} and {CODE} are wrong for {TOTP_SECRET}"}}',
            Refusal.OTHER,
            "pin *** and *** are wrong for ***",
        ),
    ],
)
def test_a_login_that_is_refused(server, requests, status, body, refusal, message):
    say(server, status, body)
    outcome = log_in(requests)
    assert isinstance(outcome, Refused)
    assert (outcome.refusal, outcome.message) == (refusal, message)
    assert hides_everything(shown(outcome, outcome.exchange))


@pytest.mark.parametrize("body", ['{"accessToken": 5}', '{"accessToken": "a b"}', '{"accessToken": "a\\nb"}'])
def test_a_token_that_could_not_be_sent_is_none(server, requests, body):
    say(server, 200, body)
    assert isinstance(log_in(requests), Unknown)


def test_a_login_whose_answer_is_lost_may_have_ended_the_token(server, requests):
    server.will_reset()
    outcome = log_in(requests)
    assert isinstance(outcome, Unknown)
    assert hides_everything(shown(outcome, outcome.exchange))
    say(server, 502, "<html>")
    assert isinstance(log_in(requests), Unknown)


def test_a_login_that_never_left(transport_to):
    nobody = transport_to("http://127.0.0.1:1")
    outcome = log_in(TokenRequests(nobody, nobody, CLIENT_ID))
    assert isinstance(outcome, Refused)
    assert outcome.refusal is Refusal.NOT_SENT
    assert hides_everything(shown(outcome, outcome.exchange))


def test_what_goes_wrong_in_between_shows_no_secret(requests):
    class Broken:
        def send(self, request: Request) -> None:
            raise RuntimeError(f"cannot send {request}")

    requests._auth = Broken()
    with pytest.raises(RuntimeError) as caught:
        log_in(requests)
    assert hides_everything("".join(traceback.format_exception(caught.value)))


def test_a_renewal_names_the_account_and_is_read_without_keeping_its_body(server, transport_to):
    rest = transport_to(server.url, headers={"dhanClientId": CLIENT_ID})
    requests = TokenRequests(rest, rest, CLIENT_ID)
    say(server, 200, f'{{"createTime": "x", "expiryTime": "2026-11-26T09:00:00", "token": "{NEW}"}}')
    outcome = requests.renew(SecretStr("the.old.one"))
    assert isinstance(outcome, Accepted)
    assert (outcome.value.secret.get_secret_value(), outcome.value.source) == (NEW, Source.RENEWED)
    seen = server.requests[0]
    assert (seen.method, seen.path) == ("GET", "/v2/RenewToken")
    assert (seen.headers["access-token"], seen.headers["dhanclientid"]) == ("the.old.one", CLIENT_ID)
    assert hides_everything(shown(outcome, outcome.exchange))
    say(server, 400, '{"errorType": "E", "errorCode": "DH-905", "errorMessage": "no"}')
    assert isinstance(requests.renew(SecretStr("the.old.one")), Refused)
    say(server, 200, f'{{"errorCode": "DH-908", "token": "{NEW}"}}')
    odd = requests.renew(SecretStr("the.old.one"))
    assert isinstance(odd, Unknown)
    assert hides_everything(shown(odd, odd.exchange))


def test_a_token_of_another_account_is_refused_whoever_brings_it(server, requests):
    other = jwt({"dhanClientId": "1999999999"}).get_secret_value()
    say(server, 200, f'{{"accessToken": "{other}"}}')
    assert log_in(requests).refusal is Refusal.TOKEN
    until = (AT + timedelta(hours=1)).strftime("%d/%m/%Y %H:%M")
    say(server, 200, f'{{"dhanClientId": "1999999999", "tokenValidity": "{until}"}}')
    assert requests.check(SecretStr("opaque")).refusal is Refusal.TOKEN
    say(server, 200, f'{{"dhanClientId": "{CLIENT_ID}", "tokenValidity": "{until}"}}')
    assert requests.check(SecretStr("opaque")).value.token_valid_until == AT.replace(second=0) + timedelta(hours=1)


def test_a_transport_takes_another_token_and_never_echoes_the_one_it_sent(server, transport_to):
    transport = transport_to(server.url)
    transport.take_token(SecretStr("first-token"))
    say(server, 200, '"first-token second-token"')
    begun = transport.begin(Request("GET", "/x"))
    transport.take_token(SecretStr("second-token"))
    assert transport.finish(begun).body == b'"[access token] second-token"'
    say(server, 200, '"first-token second-token"')
    assert transport.send(Request("GET", "/x")).body == b'"first-token [access token]"'
    assert [seen.headers["access-token"] for seen in server.requests] == ["first-token", "second-token"]
    with pytest.raises(ValueError, match="printable"):
        transport.take_token(SecretStr("not one"))
    assert "token" not in repr(begun)


@pytest.mark.parametrize("secret", ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "GEZDGNBVGY3TQOJQ"])
def test_the_code_is_that_of_the_secret_however_long_it_is(secret):
    code = totp_code(secret, datetime.fromtimestamp(59, IST))
    assert code == ("287082" if len(secret) == 32 else code)  # RFC 6238, appendix B
    assert len(code) == 6
    assert code.isdecimal()
