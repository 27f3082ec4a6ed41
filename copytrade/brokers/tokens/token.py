"""Access tokens: what one says of itself, which of several to use, and how an account gets another."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec
from pydantic import SecretStr

from copytrade.core.model.orders import IST

#: What is said of a token that would have orders go to somebody else's account.
OF_ANOTHER = "the token belongs to another account"


class Source(StrEnum):
    """Where a token comes from."""

    GIVEN = "given"  #: from the settings, or put into the token file by hand: made on the broker's web site
    RENEWED = "renewed"  #: from one that was given
    LOGIN = "login"  #: from PIN and TOTP


class Token(msgspec.Struct, frozen=True, gc=False):
    """An access token. ``expires`` is None where neither it nor the broker has said so."""

    secret: SecretStr
    expires: datetime | None = None
    source: Source = Source.GIVEN

    def is_expired(self, now: datetime) -> bool:
        """Whether its time has passed, by our clock."""
        return self.expires is not None and self.expires <= now


class Credentials(msgspec.Struct, frozen=True, gc=False):
    """How an account gets its tokens, as the settings say: one that is given, PIN and TOTP secret, or both."""

    client_id: str
    given: SecretStr | None = None
    pin: SecretStr | None = None
    totp_secret: SecretStr | None = None

    @property
    def can_log_in(self) -> bool:
        """Whether a token can be had by PIN and TOTP."""
        return self.pin is not None and self.totp_secret is not None


def given_token(secret: SecretStr) -> Token:
    """Return a token that somebody has given us, with what it says of its end."""
    return Token(secret, token_expiry(secret))


def is_of_another(secret: SecretStr, client_id: str) -> bool:
    """Whether a token says that it belongs to another account: orders sent with it would be that account's."""
    named = _claims(secret).get("dhanClientId")
    return isinstance(named, str) and named != client_id


def token_expiry(secret: SecretStr) -> datetime | None:
    """Return when the token (a JWT) expires, None if it does not say. Its signature is the broker's to check."""
    expiry = _claims(secret).get("exp")
    if isinstance(expiry, bool) or not isinstance(expiry, int | float):
        return None
    try:
        return datetime.fromtimestamp(expiry, IST)
    except (ValueError, OverflowError, OSError):
        return None


def _claims(secret: SecretStr) -> Mapping[str, object]:
    try:
        _, claims, _ = secret.get_secret_value().split(".")
        decoded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    except (ValueError, RecursionError):
        return {}
    return decoded if isinstance(decoded, dict) else {}
