"""The watches of a copier."""

from actors.system.watches.feed import FeedWatch
from actors.system.watches.watching import Watch
from copytrade.app.policies import market_rules_of
from copytrade.core.market.trading_day import TradingDay
from copytrade.settings import Settings


def watches_of(settings: Settings) -> list[Watch]:
    """Return the watches of a copier with these settings."""
    kinds = {kind for follower in settings.followers for kind in follower.instruments}
    day = TradingDay(market_rules_of(settings).hours, kinds)
    return [FeedWatch(settings.alerts.cooldown, day)]
