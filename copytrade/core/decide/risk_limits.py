"""What a follower may enter at most. Limits bind entries; exits and cancellations always pass."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum

import msgspec

from copytrade.core.model.accounts import Result
from copytrade.core.model.orders import IST

#: Into a calendar day, when a trading day begins: nothing trades before it, and the broker has cleared its positions.
DAY_BEGINS = timedelta(hours=8)


class OnBreach(StrEnum):
    """What happens when the day's loss is reached: nothing more is entered, or what is held is closed as well."""

    CLOSE_ONLY = "close_only"
    FLATTEN = "flatten"


class LossLimit(msgspec.Struct, frozen=True, gc=False):
    """The most that may be lost in a day: rupees, or percent of the capital at the start of the day."""

    amount: Decimal
    is_percent: bool = False

    def rupees(self, capital: Decimal | None) -> Decimal | None:
        """Return the limit in rupees, None while the capital that it is a part of is not known."""
        if not self.is_percent:
            return self.amount
        return None if capital is None else capital * self.amount / 100

    def __str__(self) -> str:
        return f"{self.amount}%" if self.is_percent else str(self.amount)


class RiskLimits(msgspec.Struct, frozen=True, gc=False):
    """One follower's limits, None or empty where there is none.

    ``allowed`` and ``blocked`` are underlyings, trading symbols or segments in capital letters; ``trade_from`` and
    ``trade_until`` are times of day in India. A day's result counts for ``result_valid_for`` seconds.
    """

    max_daily_loss: LossLimit | None = None
    on_breach: OnBreach = OnBreach.CLOSE_ONLY
    max_open_lots: int | None = None
    max_orders_per_day: int | None = None
    allowed: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()
    trade_from: time | None = None
    trade_until: time | None = None
    result_valid_for: float = 60.0

    @property
    def is_any_set(self) -> bool:
        """Whether there is any limit."""
        unlimited = RiskLimits(on_breach=self.on_breach, result_valid_for=self.result_valid_for)
        return self != unlimited


class Breach(msgspec.Struct, frozen=True, gc=False):
    """A breach of the daily loss limit on a trading day."""

    day: date
    detail: str

    def __str__(self) -> str:
        return f"{self.day} {self.detail}"

    @classmethod
    def read(cls, text: str) -> "Breach":
        """Return a breach that was written down. Raises ValueError for anything else."""
        day, _, detail = text.partition(" ")
        return cls(date.fromisoformat(day), detail)


class LimitsUsed(msgspec.Struct, frozen=True, gc=False):
    """How much of each limit is used; what no limit needs is left at its default.

    ``open_lots`` are those held by copying and those of entries that may be live. ``limit`` is the loss in rupees at
    which entries end, None while it is not known.
    """

    breach: str = ""
    result: Result | None = None
    limit: Decimal | None = None
    open_lots: int = 0
    entries_today: int = 0


def trading_day(now: datetime) -> date:
    """Return the trading day to which a moment belongs: the night belongs to the day before it."""
    return (now.astimezone(IST) - DAY_BEGINS).date()
