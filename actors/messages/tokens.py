"""The accounts' tokens: what is told of them, and what the token keeper is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import SecretStr

from actors.runtime.actor import ActorDied, ActorUp, Recipient
from copytrade.brokers.api import Profile
from copytrade.brokers.outcomes import Outcome
from copytrade.brokers.tokens.lifecycle import Step
from copytrade.brokers.tokens.token import Credentials, Token


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
class TokenChecked:
    """What the broker said when asked for the profile."""

    account: str
    outcome: Outcome[Profile]


@dataclass(frozen=True, slots=True)
class TokenFetched:
    """What the broker said when asked for another token."""

    account: str
    step: Step
    outcome: Outcome[Token]


@dataclass(frozen=True, slots=True)
class TellToken:
    """Say now that this token works."""

    account: str
    token: Token


@dataclass(frozen=True, slots=True)
class LookAfterToken:
    """There may be something to be done about an account's token; only the latest ``number`` counts."""

    account: str
    number: int


@dataclass(frozen=True, slots=True)
class CredentialsGiven:
    """How each account gets its tokens has been read again."""

    accounts: Mapping[str, Credentials]


TokenKeeperMessage = (
    WantToken
    | CheckToken
    | TokenChecked
    | TokenFetched
    | TellToken
    | LookAfterToken
    | CredentialsGiven
    | ActorUp
    | ActorDied
)
