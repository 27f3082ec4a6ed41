"""How many requests the broker allows each account per second, minute, hour and day."""

from pydantic import Field

from copytrade.settings.values import Section


class Reads(Section):
    """The budget of an account's reads: order book, positions, results and funds together."""

    per_second: int = Field(default=1, ge=1)
    per_minute: int = Field(default=60, ge=1)
    per_hour: int = Field(default=600, ge=1)


class Limits(Section):
    """The broker's order budget of one account: requests per window; the day ends at midnight in India.

    ``reserve_percent`` of each window but the second's is kept for exits, so that a follower can always get out.
    ``reads`` have windows of their own.
    """

    per_second: int = Field(default=10, ge=1)
    per_minute: int = Field(default=250, ge=1)
    per_hour: int = Field(default=1000, ge=1)
    per_day: int = Field(default=7000, ge=1)
    reserve_percent: int = Field(default=10, ge=0, le=90)
    reads: Reads = Reads()
