"""When the day of what is copied is on, and when it is over."""

from datetime import datetime

import pytest

from copytrade.core.market.sessions import load_market_hours
from copytrade.core.market.trading_day import TradingDay
from copytrade.core.model.orders import IST


@pytest.mark.parametrize(
    ("kinds", "at", "is_on", "is_over"),
    [
        ("OPTIDX", "2026-11-23 09:00", False, False),
        ("OPTIDX", "2026-11-23 11:00", True, False),
        ("OPTIDX", "2026-11-23 15:40", False, True),
        ("OPTIDX FUTCOM", "2026-11-23 15:40", True, False),
        ("EQUITY", "2026-11-23 15:32", False, False),  # the closing auction
        ("EQUITY", "2026-11-23 16:00", False, True),
        ("*", "2026-11-23 23:56", False, True),
        ("OPTSTK", "2026-11-24 11:00", False, True),  # a holiday
        ("OPTIDX", "2027-01-04 03:00", True, False),  # nobody knows
    ],
)
def test_a_day_is_on_while_one_kind_trades_and_over_once_none_will(
    kinds: str, at: str, is_on: bool, is_over: bool
) -> None:
    day, moment = TradingDay(load_market_hours(), kinds.split()), datetime.fromisoformat(at).replace(tzinfo=IST)
    assert (day.is_on(moment), day.is_over(moment)) == (is_on, is_over)


def test_without_hours_a_day_never_ends() -> None:
    day = TradingDay(None, ["OPTIDX"])
    now = datetime(2026, 11, 28, 3, tzinfo=IST)
    assert day.is_on(now)
    assert not day.is_over(now)
