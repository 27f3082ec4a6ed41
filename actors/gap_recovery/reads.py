"""Makes the reads of one account, on a thread of the account's, because each may take long."""

import time
from collections.abc import Generator
from typing import TypeVar

from loguru import logger

from actors.gap_recovery.messages import Found, GapRecoveryInbox, Problem, ReadFinished, ReadGoesOn
from actors.messages.reads import ReadBook, ReadCapital, ReadNet, ReadRequest, ReadResult, SearchOrder
from actors.runtime.address import Recipient
from copytrade.brokers.api import AccountReader
from copytrade.brokers.outcomes import Accepted, Outcome, Refused

T = TypeVar("T")

#: A read of one or more requests to the broker. It yields before each but the first, so that others can go in between.
#: It returns the fields of a `ReadFinished` but its request, because another request may have joined meanwhile.
Reading = Generator[None, None, tuple[float, Found | Problem, float | None]]


def reading_of(reader: AccountReader, request: ReadRequest) -> Reading:
    """Return a read that begins when it is first advanced."""
    began = time.monotonic()
    answer = yield from _answer(reader, request)
    return began, answer, reader.known_skew


def carry_on(reading: Reading, request: ReadRequest, recovery: Recipient[GapRecoveryInbox]) -> None:
    """Make the next request of a read, and tell gap recovery whether it has ended."""
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


def _answer(reader: AccountReader, request: ReadRequest) -> Generator[None, None, Found | Problem]:
    match request:
        case ReadBook():
            return _value(reader.orders())
        case SearchOrder(correlation_id=correlation_id):
            return _value(reader.search(correlation_id))
        case ReadCapital():
            return _value(reader.funds())
        case ReadResult():
            return _value(reader.result())
        case ReadNet(holdings=holdings):
            return _value((yield from reader.net(holdings=holdings)))


def _value(outcome: Outcome[T]) -> T | Problem:
    """Return what a read shows, or why it failed."""
    match outcome:
        case Accepted(value=value):
            return value
        case Refused(refusal, code, message):
            return Problem(f"{code} {message}", refusal)
        case unknown:
            return Problem(unknown.cause)
