"""What keeps the machine ready goes the whole way of an order, and looks after the thread of the actors."""

import itertools
import threading
import time
from types import SimpleNamespace

import pytest

from actors.runtime.dispatcher import Dispatcher
from actors.system.keep_warm import LIVELY_FOR, QUIET_EVERY, Readiness, pace_after
from actors.system.warm_up import Rehearsal
from tests.system.counting import seated
from tests.waiting import eventually


def test_an_order_is_rehearsed_up_to_its_request_each_time() -> None:
    rehearsal = Rehearsal()
    sizes = [rehearsal.go_through() for _ in range(3)]
    assert sizes[0] > 200
    assert sizes == sizes[:1] * 3


def test_while_the_leader_trades_the_next_order_is_expected_and_afterwards_less_is_spent_on_it() -> None:
    lively, quiet = pace_after(0.015, LIVELY_FOR - 1.0), pace_after(0.015, LIVELY_FOR + 1.0)
    assert lively.every == 0.015
    assert lively.wakes_disk
    assert not quiet.wakes_disk
    assert quiet.every == QUIET_EVERY
    assert quiet.share < lively.share / 10
    assert pace_after(2.0, LIVELY_FOR + 1.0).every == 2.0  # what is set to be done seldom is not done more often then


def test_what_waits_behind_a_stuck_actor_is_served_at_the_next_touch(dispatcher: Dispatcher) -> None:
    stuck, _ = seated(dispatcher, "stuck")
    other, others_actor = seated(dispatcher, "other")
    release = threading.Event()
    stuck.tell(release)
    other.tell("hello")
    readiness = Readiness(None, 0.005, dispatcher, time.monotonic)
    readiness.start()
    eventually(lambda: others_actor.heard, "there is another thread for it")
    readiness.stop()
    release.set()


def test_the_first_order_after_a_quiet_time_ends_the_rest_that_a_rehearsal_was_to_be_given(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes 8 ms: 8 s are to pass until the next while nothing is expected, and 0.16 s while an order is."""
    rehearsed = itertools.count()
    times = SimpleNamespace(monotonic=lambda: now, thread_time=lambda: next(spent) * 0.008)
    spent, counted = itertools.count(), []
    monkeypatch.setattr("actors.system.keep_warm.time", times)
    monkeypatch.setattr(Rehearsal, "go_through", lambda _: counted.append(next(rehearsed)))
    now, last_order = 1000.0, 0.0
    readiness = Readiness(None, 0.001, dispatcher, lambda: last_order)
    readiness.start()
    eventually(lambda: len(counted) == 1, "it has been gone through")
    now = last_order = 1001.0
    eventually(lambda: len(counted) == 2, "it is gone through again")
    readiness.stop()
