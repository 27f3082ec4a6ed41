"""The watches of a copier."""

from collections.abc import Callable, Collection

from actors.system.watches.close import CloseWatch
from actors.system.watches.crashes import CrashWatch
from actors.system.watches.feed import FeedWatch
from actors.system.watches.start import StartWatch
from actors.system.watches.watching import Watch
from copytrade.core.market.trading_day import TradingDay
from copytrade.settings import Settings


def watches_of(
    settings: Settings, left_out: Collection[str], day: TradingDay, cooldown: Callable[[], float]
) -> list[Watch]:
    """Return the watches of a copier with these settings.

    ``left_out`` are followers that take no part. ``cooldown`` returns the seconds between two alerts, as they are now.
    """
    return [
        StartWatch(left_out),
        FeedWatch(cooldown, day),
        CrashWatch(),
        CloseWatch(settings.store.database, day),
    ]
