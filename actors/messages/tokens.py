"""News of the accounts' tokens, and what the token keeper is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import SecretStr

from actors.runtime.actor import ActorDied, ActorUp
from actors.runtime.address import Recipient
from copytrade.brokers.api import TokenService
from copytrade.brokers.tokens.token import Credentials
from copytrade.core.lease.lease import Fence


@dataclass(frozen=True, slots=True)
class TokenReplaced:
    """An account's token from now on, or again if it was found to work. ``expires`` is None if unknown."""

    account: str
    token: SecretStr
    expires: datetime | None


@dataclass(frozen=True, slots=True)
class TokenLost:
    """The broker takes no token of this account, and why; TokenReplaced will follow."""

    account: str
    why: str


TokenNews = TokenReplaced | TokenLost


@dataclass(frozen=True, slots=True)
class WantToken:
    """Tell me an account's token, and every later one."""

    account: str
    reply_to: Recipient[TokenNews]


@dataclass(frozen=True, slots=True)
class CheckToken:
    """Check whether an account's token works, and tell everybody.

    ``refused``: a request was refused for it. Otherwise a feed was dropped right after its login.
    """

    account: str
    refused: bool


@dataclass(frozen=True, slots=True)
class CredentialsGiven:
    """The settings for each account's token have been read again."""

    accounts: Mapping[str, Credentials]


@dataclass(frozen=True, slots=True)
class LoginTried:
    """When a login was last tried for an account, and how many in a row the broker has refused."""

    account: str
    at: datetime | None
    refusals: int


@dataclass(frozen=True, slots=True)
class TokenAccountJoined:
    """Look after the token of another account.

    Where other nodes may have it: it logs in only within the ``fence``; ``logs_in`` says that another node's token has
    to be ended by a login first, and ``tried`` what logins that node has tried.
    """

    account: str
    credentials: Credentials
    requests: TokenService
    fence: Fence | None = None
    logs_in: bool = False
    tried: LoginTried | None = None


@dataclass(frozen=True, slots=True)
class TokenAccountLeft:
    """Look after an account's token no more."""

    account: str


TokenKeeperMessage = (
    WantToken | CheckToken | CredentialsGiven | TokenAccountJoined | TokenAccountLeft | ActorUp | ActorDied
)
