"""The watches of a copier."""

from collections.abc import Collection

from actors.system.watches.close import CloseWatch
from actors.system.watches.crashes import CrashWatch
from actors.system.watches.feed import FeedWatch
from actors.system.watches.start import StartWatch
from actors.system.watches.watching import Watch
from copytrade.app.policies import market_rules_of
from copytrade.core.market.trading_day import TradingDay
from copytrade.settings import Settings


def watches_of(settings: Settings, left_out: Collection[str]) -> list[Watch]:
    """Return the watches of a copier with these settings. ``left_out`` are followers that take no part."""
    kinds = {kind for follower in settings.followers for kind in follower.instruments}
    day = TradingDay(market_rules_of(settings).hours, kinds)
    return [
        StartWatch(left_out),
        FeedWatch(settings.alerts.cooldown, day),
        CrashWatch(),
        CloseWatch(settings.store.database, day),
    ]
