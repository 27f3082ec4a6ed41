"""Access tokens: what a token says about itself, and how an account gets one."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec
from pydantic import SecretStr

from copytrade.core.model.orders import IST

#: The message for a token of another account.
OF_ANOTHER = "the token belongs to another account"


class Source(StrEnum):
    """The origin of a token."""

    GIVEN = "given"  #: from the settings, or put into the token file by hand: made on the broker's web site
    RENEWED = "renewed"  #: from one that was given
    LOGIN = "login"  #: from PIN and TOTP


class Token(msgspec.Struct, frozen=True, gc=False):
    """An access token. ``expires`` is None if neither the token nor the broker says it."""

    secret: SecretStr
    expires: datetime | None = None
    source: Source = Source.GIVEN

    def is_expired(self, now: datetime) -> bool:
        """Whether it has expired, by our clock."""
        return self.expires is not None and self.expires <= now


class Credentials(msgspec.Struct, frozen=True, gc=False):
    """How an account gets its tokens: a given token, PIN and TOTP secret, or both."""

    client_id: str
    given: SecretStr | None = None
    pin: SecretStr | None = None
    totp_secret: SecretStr | None = None

    @property
    def can_log_in(self) -> bool:
        """Whether there are PIN and TOTP secret to log in with."""
        return self.pin is not None and self.totp_secret is not None


def given_token(secret: SecretStr) -> Token:
    """Return a token from the settings, with the expiry that it contains."""
    return Token(secret, token_expiry(secret))


def is_of_another(secret: SecretStr, client_id: str) -> bool:
    """Whether a token belongs to another account: orders sent with it would be that account's."""
    named = _claims(secret).get("dhanClientId")
    return isinstance(named, str) and named != client_id


def token_expiry(secret: SecretStr) -> datetime | None:
    """Return when the token (a JWT) expires, None if it does not say. The signature is not checked."""
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
