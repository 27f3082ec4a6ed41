"""What an account holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from copytrade.core.model.accounts import Result
from copytrade.core.model.ledger import LineKey
from copytrade.core.model.orders import InstrumentKey


@dataclass(frozen=True, slots=True)
class NetRead:
    """What an account holds, whoever traded it: units by line, short ones negative.

    ``began`` is when the request for its positions began, in monotonic seconds. ``multipliers`` are those of commodity
    and currency contracts, as the positions show them; ``result`` is the account's of the day, None if they do not.
    """

    account: str
    net: Mapping[LineKey, int]
    began: float
    multipliers: Mapping[InstrumentKey, Decimal] = field(default_factory=dict)
    result: Result | None = None
