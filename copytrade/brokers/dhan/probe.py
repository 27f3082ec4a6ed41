"""The preflight's questions to the broker about an account. They change nothing there."""

import socket
import threading

import msgspec
from pydantic import SecretStr

from copytrade.brokers.api import EndKind, FeedEnded, Profile
from copytrade.brokers.dhan.accounts import FundLimit
from copytrade.brokers.dhan.feed.connection import connect
from copytrade.brokers.dhan.rest import DhanRest
from copytrade.brokers.outcomes import Accepted, Outcome, Refusal, Refused
from copytrade.brokers.tokens.token import token_expiry
from copytrade.core.model.accounts import Facts, Funds


def inspect(facts: Facts, rest: DhanRest, token: SecretStr, *, thorough: bool) -> Facts:
    """Return the facts completed over REST: three short reads, and the order book if ``thorough``.

    After the first request without an answer no other is sent, so that an unreachable broker causes no long wait.
    """
    facts = msgspec.structs.replace(facts, token_until=token_expiry(token), no_source=_why_no_source(facts))
    if not facts.no_source:
        facts = _with_profile(facts, rest.profile())
    if not (facts.no_source or facts.problem or facts.token_refused or facts.account_refused):
        if facts.sends:
            facts = _with_addresses(facts, rest)
        facts = _with_funds(facts, rest.fund_limit())
        if thorough:
            facts = _with_book(facts, rest)
    return msgspec.structs.replace(facts, skew=rest.known_skew)


def try_feed(url: str, client_id: str, token: SecretStr, patience: float) -> str:
    """Log in at the order-update socket; return "" if the login was accepted, else why not.

    The broker confirms no login but drops a refused one: a connection that lasts ``patience`` seconds was accepted.
    """
    socket_ = connect(url, client_id, token)
    if isinstance(socket_, FeedEnded):
        return socket_.reason
    timer = threading.Timer(patience, socket_.close)
    timer.start()
    end = socket_.run(lambda _frame: None)
    timer.cancel()
    return "" if end.kind is EndKind.STOPPED else f"{end.kind} {end.reason}".strip()


def _why_no_source(facts: Facts) -> str:
    """Return why the configured source address cannot be used, "" if it can."""
    if not facts.source_address:
        return ""
    family = socket.AF_INET6 if ":" in facts.source_address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((facts.source_address, 0))
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _with_profile(facts: Facts, outcome: Outcome[Profile]) -> Facts:
    match outcome:
        case Accepted(value=profile):
            return msgspec.structs.replace(
                facts,
                token_of=profile.client_id,
                token_until=profile.token_valid_until or facts.token_until,
                segments=profile.segments,
            )
        case Refused(refusal=Refusal.TOKEN):
            return msgspec.structs.replace(facts, token_refused=_words(outcome))
        case Refused(refusal=Refusal.ACCOUNT):
            return msgspec.structs.replace(facts, account_refused=_words(outcome))
        case Refused(refusal=Refusal.ADDRESS):
            return msgspec.structs.replace(facts, address_refused=_words(outcome))
        case _:
            return msgspec.structs.replace(facts, problem=_words(outcome))


def _with_addresses(facts: Facts, rest: DhanRest) -> Facts:
    """Add the registered addresses, if the broker tells them."""
    outcome = rest.addresses()
    if isinstance(outcome, Accepted):
        return msgspec.structs.replace(facts, addresses=outcome.value)
    if isinstance(outcome, Refused) and outcome.refusal is Refusal.ADDRESS:
        return msgspec.structs.replace(facts, address_refused=_words(outcome))
    return facts


def _with_funds(facts: Facts, outcome: Outcome[FundLimit]) -> Facts:
    if isinstance(outcome, Accepted):
        funds = Funds(outcome.value.available_balance, outcome.value.sod_limit, outcome.value.collateral)
        return msgspec.structs.replace(facts, funds=funds)
    return msgspec.structs.replace(facts, problem=f"funds: {_words(outcome)}")


def _with_book(facts: Facts, rest: DhanRest) -> Facts:
    outcome = rest.orders()
    if isinstance(outcome, Accepted):
        pending = sum(order.is_ours and not order.status.is_terminal for order in outcome.value.orders)
        return msgspec.structs.replace(facts, pending=pending)
    return msgspec.structs.replace(facts, problem=f"order book: {_words(outcome)}")


def _words(outcome: Outcome[object]) -> str:
    match outcome:
        case Refused(code=code, message=message):
            return f"{code} {message}".strip()
        case Accepted():
            return ""
        case unknown:
            return unknown.cause
