"""Messages that are told later."""

import math
import queue
import random
import threading
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from actors.runtime.timers import TURNS, Clock, until_turn
from tests.support.waiting import PATIENCE, eventually


class Inbox:
    """Somebody who is told when it is time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.told: queue.SimpleQueue[object] = queue.SimpleQueue()

    def tell(self, message: object) -> None:
        self.told.put(message)


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    yield clock
    if clock.is_alive():
        clock.stop()
        clock.join(PATIENCE)
        assert not clock.is_alive()


def test_messages_are_told_in_the_order_in_which_they_are_due(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = Inbox("alice")
    with monkeypatch.context() as standing_still:
        standing_still.setattr("actors.runtime.timers.time", SimpleNamespace(monotonic=lambda: 0.0))
        for delay in (0.3, 0.1, 0.2, 0.2, 0.0, -1.0):
            clock.tell_later(delay, inbox, delay)
    clock.start()
    assert [inbox.told.get(timeout=PATIENCE) for _ in range(6)] == [-1.0, 0.0, 0.1, 0.2, 0.2, 0.3]


def test_what_is_due_at_one_moment_is_told_in_the_order_in_which_it_was_asked_for(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = Inbox("alice")
    with monkeypatch.context() as standing_still:
        standing_still.setattr("actors.runtime.timers.time", SimpleNamespace(monotonic=lambda: 0.0))
        for number in range(20):
            clock.tell_later(0.0, inbox, number)
    clock.start()
    assert [inbox.told.get(timeout=PATIENCE) for _ in range(20)] == list(range(20))


def test_a_timer_that_is_due_before_all_others_does_not_wait_for_them(clock: Clock) -> None:
    inbox = Inbox("alice")
    clock.start()
    clock.tell_later(3600.0, inbox, "an hour")
    clock.tell_later(1800.0, inbox, "half of it")
    clock.tell_later(0.0, inbox, "now")
    assert inbox.told.get(timeout=PATIENCE) == "now"


def test_a_timer_that_is_due_after_another_wakes_nobody(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = Inbox("alice")
    clock.start()
    clock.tell_later(1800.0, inbox, "half an hour")
    eventually(lambda: not math.isinf(clock._sleeps_until), "it sleeps until then")
    rung = Inbox("bell")
    monkeypatch.setattr(clock, "_bell", SimpleNamespace(put=rung.tell))
    clock.tell_later(3600.0, inbox, "an hour")
    clock.tell_later(math.inf, inbox, "never")
    assert rung.told.empty()
    clock.tell_later(900.0, inbox, "a quarter")
    assert rung.told.qsize() == 1
    monkeypatch.undo()


def test_turns_are_spread_over_the_interval_and_are_so_again_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    names, chance = [f"follower-{number}" for number in range(200)], random.Random(5)
    now = 0.0
    monkeypatch.setattr("actors.runtime.timers.time", SimpleNamespace(monotonic=lambda: now))
    last: dict[str, float] = {}
    for pause in (0.0, 5.0, 123.4, 0.0):
        now += pause  # from here on everybody asks in the same moment, and each a little later than it was told
        due = {}
        for name in names:
            now += chance.random() / 10_000
            due[name] = now + until_turn(name, 10.0)
            assert 0.0 < due[name] - now < 10.25
        moments = Counter(round(moment, 3) for moment in due.values())
        assert 30 <= len(moments) <= TURNS + 1
        assert max(moments.values()) < 15
        for name in names:
            late = (due[name] - last.get(name, due[name])) % 10.0
            assert min(late, 10.0 - late) < 1e-6  # its turn is always the same
        last, now = due, max(due.values())


@pytest.mark.parametrize("error", [-1e-9, 0.0, 1e-9])
def test_a_turn_is_taken_once(monkeypatch: pytest.MonkeyPatch, error: float) -> None:
    now = 1000.0
    monkeypatch.setattr("actors.runtime.timers.time", SimpleNamespace(monotonic=lambda: now))
    now += until_turn("alice", 10.0) + error
    assert until_turn("alice", 10.0) == pytest.approx(10.0)


def test_a_timer_that_is_never_due_ends_nothing(clock: Clock) -> None:
    inbox = Inbox("alice")
    clock.tell_later(math.inf, inbox, "never")
    clock.start()
    eventually(lambda: not clock._coming, "it is taken in")
    clock.tell_later(0.0, inbox, "now")
    assert inbox.told.get(timeout=PATIENCE) == "now"


def test_one_who_cannot_be_told_holds_up_nobody(clock: Clock) -> None:
    class Gone(Inbox):
        def tell(self, message: object) -> None:
            raise RuntimeError("no thread")

    inbox = Inbox("alice")
    clock.start()
    clock.tell_later(0.0, Gone("bob"), "hello")
    clock.tell_later(0.0, inbox, "hello")
    assert inbox.told.get(timeout=PATIENCE) == "hello"


def test_timers_of_many_threads_are_all_told_once(clock: Clock) -> None:
    inbox = Inbox("alice")
    clock.start()

    def ask(first: int) -> None:
        chance = random.Random(first)
        for number in range(first, first + 500):
            clock.tell_later(chance.random() / 100, inbox, number)

    asking = [threading.Thread(target=ask, args=(500 * n,)) for n in range(4)]
    for thread in asking:
        thread.start()
    assert sorted(inbox.told.get(timeout=PATIENCE) for _ in range(2000)) == list(range(2000))
    for thread in asking:
        thread.join()
    assert inbox.told.empty()
