import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from copytrade.brokers.tokens.token import token_expiry
from tests.brokers.tokens.jwt import jwt


def test_the_expiry_is_read():
    expiry = token_expiry(jwt({"iss": "dhan", "exp": 1795491000, "dhanClientId": "1000000001"}))
    assert expiry.isoformat() == "2026-11-24T09:00:00+05:30"


@pytest.mark.parametrize(
    "claims", [{}, {"exp": None}, {"exp": "soon"}, {"exp": True}, {"exp": 1e300}, {"exp": float("nan")}, [], 1]
)
def test_a_token_that_does_not_say(claims):
    assert token_expiry(jwt(claims)) is None


@settings(deadline=None)
@given(st.text())
def test_a_token_that_is_none(text):
    assert token_expiry(SecretStr(text)) is None
    assert token_expiry(SecretStr(f"a.{text}.b")) is None
