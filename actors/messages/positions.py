"""What an account holds, as a read of it shows."""

from collections.abc import Mapping
from dataclasses import dataclass

from copytrade.ledger import LineKey


@dataclass(frozen=True, slots=True)
class NetRead:
    """What an account holds, whoever traded it, is known: units by line, short ones negative.

    ``began`` is when the request for its positions began, in monotonic seconds.
    """

    account: str
    net: Mapping[LineKey, int]
    began: float
