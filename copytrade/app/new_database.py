"""What the accounts have already when copying begins with a new database, so that no lost one goes unnoticed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from loguru import logger

from copytrade.app.checks import with_token
from copytrade.brokers.dhan.positions import net_of
from copytrade.brokers.dhan.rest import DhanRest
from copytrade.brokers.outcomes import Accepted
from copytrade.common.logs import fields
from copytrade.settings import Account, Dhan, Follower, Settings


def say_what_it_does_not_know(settings: Settings, rest_of: Callable[[Account, Dhan], DhanRest]) -> None:
    """Warn of each follower with orders of ours or positions at the broker: a new database knows none of them."""

    def ask(follower: Follower) -> tuple[int, int]:
        account = with_token(follower, settings)
        return (0, 0) if account.access_token is None else _orders_and_positions(rest_of(account, settings.dhan))

    with ThreadPoolExecutor(max_workers=len(settings.followers)) as threads:
        for follower, (orders, positions) in zip(settings.followers, threads.map(ask, settings.followers), strict=True):
            if orders or positions:
                what = fields(account=follower.name, orders=orders, positions=positions, file=settings.store.database)
                logger.warning("New database, it knows nothing of what the account has {}", what)


def _orders_and_positions(rest: DhanRest) -> tuple[int, int]:
    """Return the number of today's orders of ours and of open positions, 0 where the broker does not tell."""
    try:
        book, positions = rest.orders(), rest.positions()
    finally:
        rest.close()
    ours = sum(order.is_ours for order in book.value.orders) if isinstance(book, Accepted) else 0
    held = sum(units != 0 for units in net_of(positions.value, ()).values()) if isinstance(positions, Accepted) else 0
    return ours, held
