"""The accounts' tokens: what is told of them, and what the token keeper is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import SecretStr

from actors.runtime.actor import ActorDied, ActorUp
from actors.runtime.address import Recipient
from copytrade.brokers.tokens.token import Credentials


@dataclass(frozen=True, slots=True)
class TokenReplaced:
    """An account's token from now on; the one it had, if that was found to work. ``expires`` is None if unknown."""

    account: str
    token: SecretStr
    expires: datetime | None


@dataclass(frozen=True, slots=True)
class TokenLost:
    """An account has no token that the broker takes, and why; TokenReplaced will follow."""

    account: str
    why: str


TokenNews = TokenReplaced | TokenLost


@dataclass(frozen=True, slots=True)
class WantToken:
    """Tell me an account's token, and whatever becomes of it."""

    account: str
    reply_to: Recipient[TokenNews]


@dataclass(frozen=True, slots=True)
class CheckToken:
    """See whether an account's token works, and tell everybody.

    A request was ``refused`` for it, or a feed was dropped right after its login.
    """

    account: str
    refused: bool


@dataclass(frozen=True, slots=True)
class CredentialsGiven:
    """How each account gets its tokens has been read again."""

    accounts: Mapping[str, Credentials]


TokenKeeperMessage = WantToken | CheckToken | CredentialsGiven | ActorUp | ActorDied
