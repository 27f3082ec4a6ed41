"""Reads of one account: its order book, net positions, funds and the day's result."""

from collections.abc import Generator

from pydantic import SecretStr

from copytrade.brokers.api import Net, OrderBook
from copytrade.brokers.dhan.positions import account_net, read_result
from copytrade.brokers.dhan.rest import DhanRest
from copytrade.brokers.families import ForeverOrderBook, SuperOrderBook
from copytrade.brokers.outcomes import Accepted, Outcome, Refusal, Refused
from copytrade.common import wall_clock
from copytrade.core.model.accounts import Funds, Result
from copytrade.core.model.orders import Order

#: Codes of refusals of a search that are about the order, not about the account or the connection.
_NO_SUCH_ORDER = (Refusal.ORDER, Refusal.VALIDATION, Refusal.OTHER)


class DhanReader:
    """An ``AccountReader`` over the REST interface."""

    def __init__(self, rest: DhanRest) -> None:
        self._rest = rest

    @property
    def known_skew(self) -> float | None:
        """Seconds to add to our time to get the broker's, None before the first reply."""
        return self._rest.known_skew

    def orders(self) -> Outcome[OrderBook]:
        """Read the day's order book."""
        return self._rest.orders()

    def super_orders(self) -> Outcome[SuperOrderBook]:
        """Read the day's super orders."""
        return self._rest.super_orders()

    def forever_orders(self) -> Outcome[ForeverOrderBook]:
        """Read the forever orders."""
        return self._rest.forever_orders()

    def search(self, correlation_id: str) -> Outcome[tuple[Order, ...]]:
        """Read the orders placed with a correlation id. A refusal about the order itself means that there is none."""
        outcome = self._rest.order_by_correlation_id(correlation_id)
        if isinstance(outcome, Refused) and outcome.refusal in _NO_SUCH_ORDER:
            return Accepted((), exchange=outcome.exchange)
        return outcome

    def net(self, *, holdings: bool) -> Generator[None, None, Outcome[Net]]:
        """Read the positions, and with ``holdings`` the shares in the depository, in another request."""
        began, positions = wall_clock.now(), self._rest.positions()
        if not isinstance(positions, Accepted):
            return positions
        if not holdings:
            return Accepted(account_net(positions.value, (), began), exchange=positions.exchange)
        yield
        shares = self._rest.holdings()
        if not isinstance(shares, Accepted):
            return shares
        return Accepted(account_net(positions.value, shares.value, began), exchange=shares.exchange)

    def funds(self) -> Outcome[Funds]:
        """Read the funds."""
        read = self._rest.fund_limit()
        if not isinstance(read, Accepted):
            return read
        found = read.value
        return Accepted(Funds(found.available_balance, found.sod_limit, found.collateral), exchange=read.exchange)

    def result(self) -> Outcome[Result]:
        """Read the account's profit or loss of the day."""
        return read_result(self._rest)

    def take_token(self, access_token: SecretStr) -> None:
        """Use another token from the next request on."""
        self._rest.take_token(access_token)

    def close(self) -> None:
        """Close every connection."""
        self._rest.close()
