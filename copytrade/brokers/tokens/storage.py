"""Storage of tokens between runs, so that a restart needs no new ones: a private file, or the OS keyring.

An operator may put a token there by hand: ``{"<client id>": {"access_token": "..."}}``.
"""

import codecs
import importlib
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Protocol

import msgspec
from pydantic import SecretStr

from copytrade.brokers.tokens.token import Source, Token, given_token
from copytrade.common.header_value import is_sendable

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class KeptToken(msgspec.Struct, frozen=True, gc=False):
    """An account's token, "" for none, and when a new one was last requested."""

    access_token: SecretStr = SecretStr("")
    expires: _Moment | None = None
    source: Source = Source.GIVEN
    attempted: _Moment | None = None

    @property
    def token(self) -> Token | None:
        """The token, None if there is no usable one."""
        if not is_sendable(self.access_token.get_secret_value()):
            return None
        return Token(self.access_token, self.expires or given_token(self.access_token).expires, self.source)


KeptTokens = Mapping[str, KeptToken]


class TokensUnreadable(Exception):
    """The stored tokens cannot be read; the message shows nothing of them."""


class TokenPlace(Protocol):
    """Keeps tokens by client id."""

    def read(self) -> KeptTokens:
        """Return the stored tokens. Raises TokensUnreadable."""
        ...

    def write(self, tokens: KeptTokens) -> None:
        """Store these tokens and no others. Raises OSError, or an error of the keyring."""
        ...


class TokenFile:
    """Keeps tokens in a file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def read(self) -> KeptTokens:
        """Return the stored tokens; make the file private if it is not."""
        try:
            if self._path.stat().st_mode & 0o077:
                self._path.chmod(0o600)
            return _decoded(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise TokensUnreadable(error.strerror or type(error).__name__) from None

    def write(self, tokens: KeptTokens) -> None:
        """Replace the file atomically; it is never readable by others."""
        new = self._path.with_name(f"{self._path.name}.new")
        with suppress(FileNotFoundError):
            new.unlink()
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_encoded(tokens))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)


class TokenKeyring:
    """Keeps tokens in the operating system's keyring, through the package ``keyring``."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._keyring: Any = importlib.import_module("keyring")

    def __str__(self) -> str:
        return f"keyring entry {self._name}"

    def read(self) -> KeptTokens:
        """Return the stored tokens."""
        try:
            text = self._keyring.get_password("copytrade", self._name)
        except Exception as error:  # whatever the backend of this system raises
            raise TokensUnreadable(type(error).__name__) from None
        return _decoded(text.encode()) if text else {}

    def write(self, tokens: KeptTokens) -> None:
        """Replace the entry."""
        self._keyring.set_password("copytrade", self._name, _encoded(tokens).decode())


class TokenMemory:
    """Keeps tokens in memory: in paper mode they are worthless after the run."""

    def __init__(self) -> None:
        self._tokens: KeptTokens = {}

    def read(self) -> KeptTokens:
        """Return the stored tokens."""
        return self._tokens

    def write(self, tokens: KeptTokens) -> None:
        """Store these tokens."""
        self._tokens = dict(tokens)


def _secret(kind: type, value: object) -> object:
    if kind is SecretStr and isinstance(value, str):
        return SecretStr(value)
    raise TypeError("not text")


def _plain(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else NotImplemented


_DECODER = msgspec.json.Decoder(dict[str, KeptToken], dec_hook=_secret)
_ENCODER = msgspec.json.Encoder(enc_hook=_plain)


def _decoded(content: bytes) -> KeptTokens:
    try:
        return _DECODER.decode(content.removeprefix(codecs.BOM_UTF8))
    except (ValueError, TypeError, RecursionError):  # its words may be the file's
        raise TokensUnreadable("it does not hold tokens by client id, as JSON") from None


def _encoded(tokens: KeptTokens) -> bytes:
    return msgspec.json.format(_ENCODER.encode(dict(tokens))) + b"\n"
