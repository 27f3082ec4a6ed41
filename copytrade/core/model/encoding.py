"""A state as JSON, exact, and how to read it back."""

from fractions import Fraction
from typing import Any

import msgspec


def _plain(value: object) -> str:
    if isinstance(value, Fraction):
        return str(value)
    raise TypeError(f"{type(value)} has no place in a state")


def fraction(wanted: type, value: Any) -> Fraction:
    """Read what the decoder itself cannot."""
    if wanted is Fraction:
        return Fraction(value)
    raise TypeError(f"{wanted} has no place in a state")


#: Writes a state down.
STATE = msgspec.json.Encoder(enc_hook=_plain)
