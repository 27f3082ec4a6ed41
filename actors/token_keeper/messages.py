"""What the token keeper is told by itself and by its threads, and all that its inbox holds."""

from dataclasses import dataclass

from actors.messages.tokens import TokenKeeperMessage
from copytrade.brokers.api import Profile
from copytrade.brokers.outcomes import Outcome
from copytrade.brokers.tokens.lifecycle import Step
from copytrade.brokers.tokens.token import Token


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


TokenKeeperInbox = TokenKeeperMessage | TokenChecked | TokenFetched | TellToken | LookAfterToken
