"""What gap recovery reads of an account for whoever asks: on a thread of the account's, as any of it may take long."""

import time
from collections.abc import Generator
from typing import TypeVar

from loguru import logger

from actors.messages import (
    Found,
    GapRecoveryMessage,
    Problem,
    ReadBook,
    ReadCapital,
    ReadFinished,
    ReadGoesOn,
    ReadNet,
    ReadRequest,
    ReadResult,
    SearchOrder,
)
from actors.runtime.actor import Address
from copytrade.brokers.dhan.positions import account_net, read_result
from copytrade.brokers.dhan.rest import DhanRest
from copytrade.brokers.outcomes import Accepted, Outcome, Refusal, Refused
from copytrade.core.model.accounts import Funds
from copytrade.core.model.orders import Order

T = TypeVar("T")

#: A read that takes one request to the broker or several: it stops before each but the first, so that they are spread.
#: It ends with what a `ReadFinished` says beside its request: by the end it may be another's who joined half way.
Reading = Generator[None, None, tuple[float, Found | Problem, float | None]]

#: Refusals of a search that are about the order and not about the account or the request's way.
_NO_SUCH_ORDER = (Refusal.ORDER, Refusal.VALIDATION, Refusal.OTHER)


def reading_of(rest: DhanRest, request: ReadRequest) -> Reading:
    """Read what is asked for, beginning when it is first advanced."""
    began = time.monotonic()
    answer = yield from _answer(rest, request)
    return began, answer, rest.known_skew


def carry_on(reading: Reading, request: ReadRequest, recovery: Address[GapRecoveryMessage]) -> None:
    """Make the next request of a read, and tell what came of it under the request it was submitted with."""
    began = time.monotonic()
    try:
        next(reading)
    except StopIteration as end:
        recovery.tell(ReadFinished(request, *end.value))
    except Exception as error:  # an exception in a thread would otherwise end in silence
        logger.opt(exception=error).error("Reading failed unexpectedly")
        recovery.tell(ReadFinished(request, began, Problem(f"{type(error).__name__}: {error}"), None))
    else:
        recovery.tell(ReadGoesOn(request))


def _answer(rest: DhanRest, request: ReadRequest) -> Generator[None, None, Found | Problem]:
    match request:
        case ReadBook():
            return _value(rest.orders())
        case SearchOrder(correlation_id=correlation_id):
            return _value(_found(rest.order_by_correlation_id(correlation_id)))
        case ReadCapital():
            funds = _value(rest.fund_limit())
            if isinstance(funds, Problem):
                return funds
            return Funds(funds.available_balance, funds.sod_limit, funds.collateral)
        case ReadResult():
            return _value(read_result(rest))
        case ReadNet(holdings=holdings):
            positions = _value(rest.positions())
            if isinstance(positions, Problem) or not holdings:
                return positions if isinstance(positions, Problem) else account_net(positions, ())
            yield
            shares = _value(rest.holdings())
            return shares if isinstance(shares, Problem) else account_net(positions, shares)


def _found(outcome: Outcome[tuple[Order, ...]]) -> Outcome[tuple[Order, ...]]:
    """Take for an answer that the broker names an error of the order's own: it knows no such order."""
    if isinstance(outcome, Refused) and outcome.refusal in _NO_SUCH_ORDER:
        return Accepted((), exchange=outcome.exchange)
    return outcome


def _value(outcome: Outcome[T]) -> T | Problem:
    """Return what a read gave, or why it gave nothing."""
    match outcome:
        case Accepted(value=value):
            return value
        case Refused(refusal, code, message):
            return Problem(f"{code} {message}", refusal)
        case unknown:
            return Problem(unknown.cause)
