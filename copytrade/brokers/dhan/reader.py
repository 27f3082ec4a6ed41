"""One account at the broker, read: its order book, its net positions, its funds and the day's result."""

from collections.abc import Generator

from pydantic import SecretStr

from copytrade.brokers.api import Net, OrderBook
from copytrade.brokers.dhan.positions import account_net, read_result
from copytrade.brokers.dhan.rest import DhanRest
from copytrade.brokers.outcomes import Accepted, Outcome, Refusal, Refused
from copytrade.core.model.accounts import Funds, Result
from copytrade.core.model.orders import Order

#: Refusals of a search that are about the order and not about the account or the request's way.
_NO_SUCH_ORDER = (Refusal.ORDER, Refusal.VALIDATION, Refusal.OTHER)


class DhanReader:
    """An ``AccountReader`` over the REST interface."""

    def __init__(self, rest: DhanRest) -> None:
        self._rest = rest

    @property
    def known_skew(self) -> float | None:
        """Seconds to add to our time to have the broker's, None while no reply has told."""
        return self._rest.known_skew

    def orders(self) -> Outcome[OrderBook]:
        """Read the day's order book."""
        return self._rest.orders()

    def search(self, correlation_id: str) -> Outcome[tuple[Order, ...]]:
        """Read the orders placed with an id. That the broker names an error of the order's own means: there is none."""
        outcome = self._rest.order_by_correlation_id(correlation_id)
        if isinstance(outcome, Refused) and outcome.refusal in _NO_SUCH_ORDER:
            return Accepted((), exchange=outcome.exchange)
        return outcome

    def net(self, *, holdings: bool) -> Generator[None, None, Outcome[Net]]:
        """Read the positions, and with ``holdings`` the shares in the depository, which is another request."""
        positions = self._rest.positions()
        if not isinstance(positions, Accepted):
            return positions
        if not holdings:
            return Accepted(account_net(positions.value, ()), exchange=positions.exchange)
        yield
        shares = self._rest.holdings()
        if not isinstance(shares, Accepted):
            return shares
        return Accepted(account_net(positions.value, shares.value), exchange=shares.exchange)

    def funds(self) -> Outcome[Funds]:
        """Read the funds."""
        read = self._rest.fund_limit()
        if not isinstance(read, Accepted):
            return read
        found = read.value
        return Accepted(Funds(found.available_balance, found.sod_limit, found.collateral), exchange=read.exchange)

    def result(self) -> Outcome[Result]:
        """Read what the account has made of the day."""
        return read_result(self._rest)

    def take_token(self, access_token: SecretStr) -> None:
        """Use another token from the next request on."""
        self._rest.take_token(access_token)

    def close(self) -> None:
        """End every connection."""
        self._rest.close()
