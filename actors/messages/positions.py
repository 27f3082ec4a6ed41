"""What an account holds, as a read of it shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from copytrade.core.model.ledger import LineKey
from copytrade.core.model.orders import InstrumentKey


@dataclass(frozen=True, slots=True)
class NetRead:
    """What an account holds, whoever traded it, is known: units by line, short ones negative.

    ``began`` is when the request for its positions began, in monotonic seconds. ``multipliers`` are what the positions
    tell of commodity and currency contracts.
    """

    account: str
    net: Mapping[LineKey, int]
    began: float
    multipliers: Mapping[InstrumentKey, Decimal] = field(default_factory=dict)
