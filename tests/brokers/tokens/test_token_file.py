"""Tokens between two runs: whole or not at all, and for their owner alone."""

from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import SecretStr

from copytrade.brokers.tokens.storage import KeptToken, TokenFile, TokenKeyring, TokensUnreadable
from copytrade.brokers.tokens.token import Source

EXPIRES = datetime(2026, 11, 26, 3, 30, tzinfo=UTC)
KEPT = {"1000000001": KeptToken(SecretStr("canary"), EXPIRES, Source.LOGIN, EXPIRES)}


def test_what_is_written_is_read_and_only_its_owner_can(tmp_path: Path) -> None:
    path = tmp_path / "copy.db.tokens"
    file = TokenFile(path)
    assert file.read() == {}
    file.write(KEPT)
    assert file.read() == KEPT
    assert path.stat().st_mode & 0o777 == 0o600
    file.write({})
    assert file.read() == {}
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text('{"1": {"access_token": "by-hand"}}')
    path.chmod(0o644)
    token = TokenFile(path).read()["1"].token
    assert token is not None
    assert (token.secret, token.source, token.expires) == (SecretStr("by-hand"), Source.GIVEN, None)
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_a_crash_left_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "tokens.new").write_text("half")
    file = TokenFile(tmp_path / "tokens")
    file.write(KEPT)
    assert file.read() == KEPT


@pytest.mark.parametrize(
    "text",
    [
        "{canary",
        "[]",
        "canary",
        '{"1": "canary"}',
        '{"1": {"access_token": 5}}',
        '{"1": {"expires": "2026-11-26T09:00"}}',
    ],
)
def test_what_cannot_be_read_is_said_without_its_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tokens"
    path.write_text(text)
    with pytest.raises(TokensUnreadable) as caught:
        TokenFile(path).read()
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_token_that_could_not_be_sent_is_none() -> None:
    assert KeptToken(SecretStr("a b")).token is None
    assert KeptToken().token is None
    assert "canary" not in repr(KEPT)


def test_the_keyring_keeps_them_where_it_is_installed() -> None:
    keyring = pytest.importorskip("keyring")
    backend = pytest.importorskip("keyring.backend")

    class InMemory(backend.KeyringBackend):  # type: ignore[misc, name-defined]
        priority = 1
        entries: ClassVar[dict[tuple[str, str], str]] = {}

        def get_password(self, service: str, username: str) -> str | None:
            return self.entries.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            self.entries[service, username] = password

    keyring.set_keyring(InMemory())
    place = TokenKeyring("copy.db")
    assert place.read() == {}
    place.write(KEPT)
    assert TokenKeyring("copy.db").read() == KEPT
    assert TokenKeyring("other.db").read() == {}
    InMemory.entries["copytrade", "copy.db"] = "canary"
    with pytest.raises(TokensUnreadable):
        place.read()
