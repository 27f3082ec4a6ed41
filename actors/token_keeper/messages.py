"""What the token keeper is told by itself and by its threads, and all that its inbox holds."""

from dataclasses import dataclass

from actors.messages.tokens import TokenKeeperMessage
from copytrade.brokers.api import Profile
from copytrade.brokers.outcomes import Outcome
from copytrade.brokers.tokens.lifecycle import Step
from copytrade.brokers.tokens.token import Token


@dataclass(frozen=True, slots=True)
class TokenChecked:
    """The broker's answer to a request for the profile, which shows whether a ``token`` works."""

    account: str
    token: Token | None
    outcome: Outcome[Profile]


@dataclass(frozen=True, slots=True)
class TokenFetched:
    """The broker's answer to a request for another token."""

    account: str
    step: Step
    outcome: Outcome[Token]


@dataclass(frozen=True, slots=True)
class TellToken:
    """Tell everybody now that this token works."""

    account: str
    token: Token


@dataclass(frozen=True, slots=True)
class LookAfterToken:
    """The next step for an account's token is due; only the latest ``number`` counts."""

    account: str
    number: int


TokenKeeperInbox = TokenKeeperMessage | TokenChecked | TokenFetched | TellToken | LookAfterToken
