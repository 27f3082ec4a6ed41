"""Asks the broker about one account's token, on the account's thread."""

from loguru import logger

from actors.runtime.address import Recipient
from actors.token_keeper.messages import TokenChecked, TokenFetched, TokenKeeperInbox
from copytrade.brokers.api import Profile, TokenService
from copytrade.brokers.outcomes import HttpExchange, Outcome, Unknown
from copytrade.brokers.tokens.lifecycle import Step
from copytrade.brokers.tokens.token import Credentials, Token
from copytrade.common import wall_clock
from copytrade.common.logs import fields


def ask_broker(
    keeper: Recipient[TokenKeeperInbox],
    account: str,
    requests: TokenService,
    step: Step,
    credentials: Credentials,
    token: Token | None,
) -> None:
    """Ask the broker, and tell the keeper the answer or the failure."""
    if step is Step.CHECK:
        keeper.tell(TokenChecked(account, token, _check(requests, token)))
    else:
        keeper.tell(TokenFetched(account, step, _fetch(requests, step, credentials, token)))


def _check(requests: TokenService, token: Token | None) -> Outcome[Profile]:
    try:
        return requests.check(token.secret) if token else _no_answer("no token")
    except Exception as error:  # an exception in a thread would otherwise end in silence
        return _failed(error)


def _fetch(requests: TokenService, step: Step, credentials: Credentials, token: Token | None) -> Outcome[Token]:
    try:
        if step is Step.RENEW and token:
            return requests.renew(token.secret)
        if credentials.pin and credentials.totp_secret:
            return requests.log_in(credentials.pin, credentials.totp_secret, wall_clock.now())
        return _no_answer("no credentials")
    except Exception as error:  # an exception in a thread would otherwise end in silence
        return _failed(error)


def _failed(error: Exception) -> Unknown:
    """Log the type of an unexpected error, but not its text, which may hold secrets."""
    logger.error("Asking about a token failed unexpectedly {}", fields(error=type(error).__name__))
    return _no_answer(type(error).__name__)


def _no_answer(why: str) -> Unknown:
    return Unknown(why, exchange=HttpExchange("", "", "", None, "", 0.0))
