"""The codes of a TOTP secret (RFC 6238: six digits, a new one every 30 s)."""

from datetime import datetime
from typing import ClassVar

import pyotp


class _AnyLength(pyotp.TOTP):
    """TOTP without a minimum length of the secret: the broker chooses it, often 80 bits."""

    min_secret_length_bits: ClassVar[int] = 0


def totp_code(secret: str, at: datetime) -> str:
    """Return the code of a secret at a time. Raises ValueError for a secret that is not base32."""
    return _AnyLength(secret).at(at)
