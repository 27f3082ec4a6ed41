"""What gap recovery reads of an account for whoever asks: on a thread of the account's, as any of it may take long."""

import time
from collections.abc import Callable
from typing import TypeVar, assert_never

from loguru import logger

from actors.base import Address
from actors.messages import (
    BookReadFinished,
    CapitalReadFinished,
    GapRecoveryMessage,
    NetRead,
    NetReadFinished,
    PositionsRead,
    PositionsReadFinished,
    Problem,
    ReadBook,
    ReadCapital,
    ReadNet,
    ReadPositions,
    ReadResult,
    ResultReadFinished,
    SearchFinished,
    SearchOrder,
)
from copytrade.dhan.baseline import read_baseline, read_net, read_result
from copytrade.dhan.outcomes import Accepted, Outcome, Refusal, Refused
from copytrade.dhan.rest import DhanRest
from copytrade.orders import Order

T = TypeVar("T")

Request = ReadBook | SearchOrder | ReadCapital | ReadPositions | ReadResult | ReadNet
Finished = (
    BookReadFinished
    | SearchFinished
    | CapitalReadFinished
    | PositionsReadFinished
    | ResultReadFinished
    | NetReadFinished
)

#: Refusals of a search that are about the order and not about the account or the request's way.
_NO_SUCH_ORDER = (Refusal.ORDER, Refusal.VALIDATION, Refusal.OTHER)


def carry_out(rest: DhanRest, request: Request, recovery: Address[GapRecoveryMessage]) -> None:
    """Read what is asked for, and answer whatever happens."""
    recovery.tell(_finished(rest, request))


def _finished(rest: DhanRest, request: Request) -> Finished:
    match request:
        case ReadBook():
            began = time.monotonic()
            book, problem = _value(rest.orders)
            return BookReadFinished(request, began, book, problem, rest.known_skew)
        case SearchOrder(correlation_id=correlation_id):
            began = time.monotonic()
            orders, problem = _value(lambda: _found(rest.order_by_correlation_id(correlation_id)))
            return SearchFinished(request, began, orders or (), problem)
        case ReadCapital():
            funds, problem = _value(rest.fund_limit)
            return CapitalReadFinished(request, funds.sod_limit if funds else None, problem)
        case ReadPositions(account, holdings):
            baseline, problem = _value(lambda: read_baseline(rest, holdings=holdings))
            return PositionsReadFinished(request, PositionsRead(account, baseline) if baseline else None, problem)
        case ReadResult():
            result, problem = _value(lambda: read_result(rest))
            return ResultReadFinished(request, result, problem)
        case ReadNet(account, holdings):
            began = time.monotonic()
            net, problem = _value(lambda: read_net(rest, holdings=holdings))
            return NetReadFinished(request, None if net is None else NetRead(account, net, began), problem)
        case unknown:
            assert_never(unknown)


def _found(outcome: Outcome[tuple[Order, ...]]) -> Outcome[tuple[Order, ...]]:
    """Take for an answer that the broker names an error of the order's own: it knows no such order."""
    if isinstance(outcome, Refused) and outcome.refusal in _NO_SUCH_ORDER:
        return Accepted((), exchange=outcome.exchange)
    return outcome


def _value(read: Callable[[], Outcome[T]]) -> tuple[T | None, Problem | None]:
    """Return what a read gave, or why it gave nothing."""
    try:
        outcome = read()
    except Exception as error:  # an exception in a thread would otherwise end in silence
        logger.opt(exception=error).error("Reading failed unexpectedly")
        return None, Problem(f"{type(error).__name__}: {error}")
    match outcome:
        case Accepted(value=value):
            return value, None
        case Refused(refusal, code, message):
            return None, Problem(f"{code} {message}", refusal is Refusal.TOKEN)
        case unknown:
            return None, Problem(unknown.cause)
