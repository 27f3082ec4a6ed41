"""Connections and credentials of the accounts of the settings."""

from collections.abc import Callable, Mapping

from pydantic import SecretStr

from copytrade.brokers.api import AccountReader, BrokerAccount, OrderGateway, OrderUpdateSource, TokenService
from copytrade.brokers.dhan.feed.order_updates import OrderUpdates
from copytrade.brokers.dhan.login import TokenRequests
from copytrade.brokers.dhan.reader import DhanReader
from copytrade.brokers.dhan.rest import DhanRest
from copytrade.brokers.http.client import Transport
from copytrade.brokers.tokens.storage import TokenFile, TokenKeyring, TokenMemory, TokenPlace
from copytrade.brokers.tokens.token import Credentials
from copytrade.settings import Account, Dhan, Settings
from copytrade.storage.files.lock_file import beside, without_password


def accounts_of(settings: Settings) -> dict[str, Account]:
    """Return every account by its name among actors."""
    leaders: dict[str, Account] = {leader.name: leader for leader in settings.leaders}
    return leaders | {follower.name: follower for follower in settings.followers}


def credentials_of(settings: Settings) -> dict[str, Credentials]:
    """Return the credentials of each account."""
    return {name: credentials_for(account) for name, account in accounts_of(settings).items()}


class DhanAccount:
    """A ``BrokerAccount`` at Dhan."""

    def __init__(self, account: Account, settings: Settings) -> None:
        self._account = account
        self._dhan = settings.dhan

    def gateway(self) -> OrderGateway:
        """Return the sender of the account's orders."""
        return tokenless_rest_of(self._account, self._dhan)

    def reader(self) -> AccountReader:
        """Return the reader of the account."""
        return DhanReader(tokenless_rest_of(self._account, self._dhan))

    def updates(self) -> OrderUpdateSource:
        """Return the source of the account's order updates."""
        return OrderUpdates(self._dhan.feed_url, self._account.client_id)

    def tokens(self) -> TokenService:
        """Return the service for the account's token."""
        client_id = self._account.client_id
        return TokenRequests(
            transport_of(self._account, self._dhan, self._dhan.rest_url, None, {"dhanClientId": client_id}),
            transport_of(self._account, self._dhan, self._dhan.auth_url, None),
            client_id,
        )


#: The adapters by the value of an account's ``broker``.
ADAPTERS: dict[str, Callable[[Account, Settings], BrokerAccount]] = {"dhan": DhanAccount}


def broker_of(account: Account, settings: Settings) -> BrokerAccount:
    """Return an account at its broker."""
    return ADAPTERS[account.broker](account, settings)


def brokers_of(settings: Settings) -> dict[str, BrokerAccount]:
    """Return every account at its broker, by its name among actors."""
    return {name: broker_of(account, settings) for name, account in accounts_of(settings).items()}


def unknown_brokers(settings: Settings) -> list[str]:
    """Return a line per unknown broker in the settings."""
    known = ", ".join(sorted(ADAPTERS))
    return [
        f"{name}: broker = {account.broker!r} is not known; use one of: {known}"
        for name, account in accounts_of(settings).items()
        if account.broker not in ADAPTERS
    ]


def tokenless_rest_of(account: Account, dhan: Dhan) -> DhanRest:
    """Return new REST connections for an account, without a token until one is given."""
    return rest_of(account.model_copy(update={"access_token": None}), dhan)


def rest_of(account: Account, dhan: Dhan) -> DhanRest:
    """Return new REST connections for an account, from its configured address."""
    return DhanRest(transport_of(account, dhan, dhan.rest_url, account.access_token), account.client_id)


def transport_of(
    account: Account, dhan: Dhan, url: str, token: SecretStr | None, headers: Mapping[str, str] | None = None
) -> Transport:
    """Return new connections for an account to one of the broker's servers."""
    return Transport(
        url,
        account.client_id,
        token,
        headers=headers,
        connect_timeout=dhan.connect_timeout,
        request_timeout=dhan.request_timeout,
        source_address=str(account.source_address) if account.source_address else None,
        proxy=account.proxy,
    )


def place_for(settings: Settings) -> TokenPlace:
    """Return where tokens are stored between runs; those of a paper broker end with it."""
    database = settings.store.database
    if settings.mode == "paper":
        return TokenMemory()
    if settings.tokens.keyring:
        return TokenKeyring(without_password(database))
    return TokenFile(beside(database, "tokens"))


def credentials_for(account: Account) -> Credentials:
    """Return the credentials of an account."""
    return Credentials(account.client_id, account.access_token, account.pin, account.totp_secret)
