"""What may be sent as the value of an HTTP header."""

import re

_HEADER_VALUE = re.compile(r"[!-~]+")


def is_sendable(value: str) -> bool:
    """Whether a value can be sent in a header: printable ASCII without spaces."""
    return _HEADER_VALUE.fullmatch(value) is not None
