"""What an access token says of itself."""

import base64
import json
from datetime import datetime

from pydantic import SecretStr

from copytrade.orders import IST


def token_expiry(token: SecretStr) -> datetime | None:
    """Return when the token (a JWT) expires, None if it does not say. Its signature is the broker's to check."""
    try:
        _, claims, _ = token.get_secret_value().split(".")
        decoded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        expiry = decoded["exp"]
        if isinstance(expiry, bool) or not isinstance(expiry, int | float):
            return None
        return datetime.fromtimestamp(expiry, IST)
    except (ValueError, TypeError, KeyError, OverflowError, OSError, RecursionError):
        return None
