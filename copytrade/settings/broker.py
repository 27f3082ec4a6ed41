"""The broker, real or on paper, its tokens, and the market hours."""

import importlib.util
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from copytrade.core.market.calendar import MarketHoursUnusable
from copytrade.core.market.sessions import load_market_hours
from copytrade.settings.values import Chance, FeedUrl, HttpUrl, HttpUrlOrFile, Positive, Seconds, Section


class Dhan(Section):
    """The broker's addresses and timeouts, and whether the accounts are checked before copying."""

    rest_url: HttpUrl = "https://api.dhan.co/v2"
    feed_url: FeedUrl = "wss://api-order-update.dhan.co"
    auth_url: HttpUrl = "https://auth.dhan.co"
    instruments_at: time = time(8, 30)
    instruments_url: HttpUrlOrFile = "https://images.dhan.co/api-data/api-scrip-master.csv"
    request_timeout: Seconds = 5.0
    connect_timeout: Seconds = 3.0
    connections: int = Field(default=4, ge=1, le=16)
    check: bool = True


class Tokens(Section):
    """When a token is replaced and warned about before its expiry, and the interval of attempts, in seconds.

    ``keyring``: keep tokens in the operating system's keyring, not in a file beside the database.
    """

    renew_before: Seconds = 7200.0
    warn_before: Seconds = 28800.0
    attempt_interval: Seconds = 120.0
    keyring: bool = False

    @field_validator("keyring")
    @classmethod
    def _keyring_is_there(cls, keyring: bool) -> bool:
        if keyring and importlib.util.find_spec("keyring") is None:
            raise ValueError("needs the package keyring: pip install keyring")
        return keyring


class Market(Section):
    """When late copies may be sent, and how large an order may be.

    ``hours``: whether late copies are sent only in the exchange's sessions; ``always`` for a test on a holiday.
    ``calendar`` names a file of corrections to the market hours, ``freeze`` corrects freeze quantities by underlying.
    """

    hours: Literal["exchange", "always"] = "exchange"
    calendar: str | None = None
    freeze: dict[str, Annotated[int, Field(ge=1)]] = Field(default={})

    @field_validator("calendar")
    @classmethod
    def _calendar_is_usable(cls, calendar: str | None) -> str | None:
        if calendar is not None:
            try:
                load_market_hours(Path(calendar))
            except MarketHoursUnusable as error:
                raise ValueError(str(error)) from None
        return calendar


class Paper(Section):
    """The embedded broker of paper mode. ``funds`` are rupees by follower name, ``leader`` for the leader.

    The chances of a partial fill and of a rejected follower order, and the share of time that an instrument is halted,
    are from 0 to 1. With ``failures`` one follower crashes once and another hangs once.
    """

    seed: int = 1
    speed: Seconds = 1.0
    scripted: bool = True
    failures: bool = True
    partial_fills: Chance = 0.3
    rejections: Chance = 0.0
    halts: Annotated[float, Field(ge=0, lt=1)] = 0.0
    default_funds: Positive = Decimal(1_000_000)
    funds: dict[str, Positive] = Field(default={})
