"""A request leaves only while the lease allows it, whoever has begun it."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from actors.follower.gateway import CancelOrder, Gateway
from actors.follower.messages import RequestFinished
from copytrade.brokers.outcomes import Accepted, HttpExchange, Refusal, Refused
from copytrade.core.lease.lease import Fence, Lease
from copytrade.core.model.lane import Lane
from tests.actors.listening import Listener
from tests.support.waiting import eventually

#: Seconds that a lease lasts: far longer than a test, where it has just been renewed.
LENGTH = 1000.0


class _Cold:
    """A broker without ready connections: a request leaves only when its outcome is waited for."""

    is_under_way = False

    def __init__(self) -> None:
        self.begun = self.sent = 0

    def is_warm(self, *_: object) -> bool:
        return True

    def cancel(self, _order_id: str) -> "_Cold":
        self.begun += 1
        return self

    def outcome(self) -> Accepted[str]:
        self.sent += 1
        return Accepted("done", exchange=HttpExchange("", "", "", 200, "", 0.0))

    def close(self) -> None:
        pass


class _Follower(Listener):
    epoch = 1


@pytest.fixture
def fenced() -> Iterator[tuple[Fence, _Cold, _Follower, Gateway]]:
    fence, broker, follower = Fence(logs_in=True), _Cold(), _Follower("alice")
    seen: Any = broker
    address: Any = follower
    gateway = Gateway(seen, address, 1, 1, fence)
    yield fence, broker, follower, gateway
    gateway.close()


def _aged(seconds: float) -> Lease:
    return Lease(1, 1, time.monotonic() - seconds, LENGTH)


def test_within_the_lease_a_request_leaves(fenced: tuple[Fence, _Cold, _Follower, Gateway]) -> None:
    fence, broker, follower, gateway = fenced
    fence.lease = _aged(0.0)

    gateway.send(1, CancelOrder("7"), Lane.ENTRY)
    gateway.listen(1)

    eventually(lambda: follower.of(RequestFinished), "it is answered")
    assert broker.sent == 1


@pytest.mark.parametrize("lease", [None, _aged(LENGTH / 2), _aged(2 * LENGTH)])
def test_an_entry_does_not_leave_by_a_lease_that_is_gone_or_old(
    fenced: tuple[Fence, _Cold, _Follower, Gateway], lease: Lease | None
) -> None:
    fence, broker, follower, gateway = fenced
    fence.lease = lease

    gateway.send(1, CancelOrder("7"), Lane.ENTRY)
    gateway.listen(1)

    (finished,) = follower.of(RequestFinished)
    assert isinstance(finished.outcome, Refused)
    assert finished.outcome.refusal is Refusal.NOT_SENT
    assert not broker.begun


def test_a_request_that_waited_for_a_thread_is_asked_about_again(
    fenced: tuple[Fence, _Cold, _Follower, Gateway],
) -> None:
    fence, broker, follower, gateway = fenced
    fence.lease = _aged(0.0)

    gateway.send(1, CancelOrder("7"), Lane.EXIT)
    fence.lease = None
    gateway.listen(1)

    (finished,) = eventually(lambda: follower.of(RequestFinished), "it is answered")
    assert isinstance(finished.outcome, Refused)
    assert broker.begun
    assert not broker.sent
