"""Writing states as exact JSON, and reading them back."""

from fractions import Fraction
from typing import Any

import msgspec


def _plain(value: object) -> str:
    if isinstance(value, Fraction):
        return str(value)
    raise TypeError(f"{type(value)} has no place in a state")


def fraction(wanted: type, value: Any) -> Fraction:
    """Decode a fraction. Raises TypeError for any other type that msgspec cannot decode."""
    if wanted is Fraction:
        return Fraction(value)
    raise TypeError(f"{wanted} has no place in a state")


#: The encoder of states.
STATE = msgspec.json.Encoder(enc_hook=_plain)
