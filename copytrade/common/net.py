"""What may be put on a connection, and where it may go."""

import ipaddress
import re

_HEADER_VALUE = re.compile(r"[!-~]+")


def is_sendable(value: str) -> bool:
    """Whether a value can be sent in a header: printable ASCII without spaces."""
    return _HEADER_VALUE.fullmatch(value) is not None


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
