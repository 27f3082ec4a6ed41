"""Secrets are taken out of what is kept and shown, ids are not; and what is shown is what it looks like."""

import json
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from pydantic import SecretStr

from copytrade.brokers.dhan.json_values import Fields
from copytrade.common import redaction as hiding
from copytrade.common.redaction import hide, payload_without_secrets, readable, without_secrets
from copytrade.core.model.accounts import AccountType
from copytrade.storage.records import CommandAnswered, CopyChanged, OrderChanged, RequestMade, lines_of
from copytrade.storage.rows import news_row, order_row
from tests.core.asking import resting
from tests.core.orders import NOW, an_order

PIN, CODE, SECRET, TOKEN = "246810", "135791", "CANARYSECRETCANARY", "canary-token"
JWT = "eyJhbGciOiJIUzUxMiJ9.eyJkaGFuQ2xpZW50SWQiOiIxIn0.c2lnbmF0dXJl"
SAID = f"no: {TOKEN} {PIN}, {CODE}; {SECRET} pin_{PIN} {JWT} totp=12345"


@pytest.fixture(autouse=True)
def hidden(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(hiding, "_hidden", [])
    monkeypatch.setattr(hiding, "_hidden_numbers", set())
    for secret in (PIN, CODE, SECRET, TOKEN, JWT):
        hide(SecretStr(secret))
    yield
    without_secrets.cache_clear()


def is_clean(text: str) -> bool:
    return not any(one in text for one in (PIN, CODE, SECRET, TOKEN, "eyJ"))


def test_free_text_loses_every_secret() -> None:
    assert without_secrets(SAID) == "no: *** ***, ***; *** pin_*** *** totp=***"


@pytest.mark.parametrize("text", [f"1{PIN}", f"{PIN}0", f"A{PIN}", f"{PIN}B", f"order 11{PIN}11", f"{PIN}é"])
def test_a_pin_inside_a_longer_run_of_letters_or_digits_stays(text: str) -> None:
    assert without_secrets(text) == text


def test_a_token_that_was_cut_off_is_one_too() -> None:
    for length in range(12, len(JWT)):
        assert without_secrets(f"token {JWT[:length]}") == "token ***"


def test_a_secret_hidden_late_is_taken_out_of_a_text_that_was_seen_before() -> None:
    assert without_secrets("what came 424242 before") == "what came 424242 before"
    hide(SecretStr("424242"))
    assert without_secrets("what came 424242 before") == "what came *** before"


def test_a_payload_keeps_its_ids_and_stays_json() -> None:
    reply = {
        "orderId": PIN,
        "securityId": PIN,
        "correlationId": f"ct-{PIN}-1",
        "exchOrderNo": PIN,
        "omsErrorDescription": SAID,
        "code": int(PIN),
        "pin": int(CODE),
    }
    found = json.loads(payload_without_secrets(f"POST {json.dumps(reply)}").removeprefix("POST "))
    ids = {name: found.pop(name) for name in ("orderId", "securityId", "correlationId", "exchOrderNo")}
    assert ids == {"orderId": PIN, "securityId": PIN, "correlationId": f"ct-{PIN}-1", "exchOrderNo": PIN}
    assert is_clean(json.dumps(found))
    assert found["code"] == found["pin"] == "***"


def test_nothing_that_is_written_down_repeats_a_secret_in_its_free_text() -> None:
    order = an_order(id=PIN, reason=SAID, correlation_id=f"ct-{PIN}-1")
    copy = replace(resting(order=an_order(id="7")), error=SAID)
    records = [
        OrderChanged("leader", AccountType.LEADER, order),
        CopyChanged(copy, order, NOW),
        RequestMade("alice", "place", "POST /orders", json.dumps({"message": SAID}), 400, 1.0, datetime.now(UTC)),
        CommandAnswered(1, False, SAID, NOW),
    ]
    lines = lines_of(records).decode()
    assert is_clean(lines.replace(f'"id":"{PIN}"', "").replace(f"ct-{PIN}-1", ""))
    assert lines.count(f'"id":"{PIN}"') == 2  # an id stays what it is
    assert records[0] == OrderChanged("leader", AccountType.LEADER, order)  # as it is made, whoever makes it
    for row in (order_row(records[0]), news_row(records[0])):  # type: ignore[arg-type]
        assert "no: *** ***" in json.dumps(row, default=str)


def test_a_secret_across_the_end_of_what_is_kept_of_a_reason_is_not_kept_in_half() -> None:
    for before in range(470, 500):
        reason = Fields({"omsErrorDescription": f"{'x ' * (before // 2)}{SECRET} {PIN}"}).free_text(
            "omserrordescription"
        )
        assert "CANARY" not in reason
        assert "2468" not in reason


@pytest.mark.parametrize("code", [0, 7, 0x1B, 0xD, 9, 0x7F, 0x85, 0x9B, 0xAD, 0x61C, 0x200B, 0x200E, 0x2028, 0x2029])
def test_a_character_that_does_not_show_is_shown_as_an_escape(code: int) -> None:
    shown = readable(f"a{chr(code)}b")
    assert shown.startswith("a\\")
    assert shown.isascii()
    assert shown.isprintable()


def test_no_character_of_any_control_or_format_kind_is_left() -> None:
    everything = "".join(map(chr, range(0x110000)))
    kinds = {unicodedata.category(one) for one in readable(everything)}
    assert kinds.isdisjoint({"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"})
    assert readable("naïve ₹100 \u0939\u093f") == "naïve ₹100 \u0939\u093f"
