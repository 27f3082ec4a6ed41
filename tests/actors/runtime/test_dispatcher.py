"""Many actors on one thread: in order, one message at a time, and no one held up by another that is stuck."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pykka
import pytest

from actors.runtime.dispatcher import Dispatcher
from actors.runtime.poller import Sockets
from tests.actors.runtime.counting import seated
from tests.support.waiting import PATIENCE, eventually


def workers(dispatcher: Dispatcher) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == dispatcher._name]


def from_threads(tell: Callable[[int], None], count: int) -> None:
    """Tell from so many threads at once, each with its number, until they have."""
    tellers = [threading.Thread(target=tell, args=(teller,)) for teller in range(count)]
    for teller in tellers:
        teller.start()
    for teller in tellers:
        teller.join()


def test_every_message_is_handled_once_and_in_the_order_of_each_teller(dispatcher: Dispatcher) -> None:
    actors = [seated(dispatcher, f"a{number}") for number in range(20)]

    def tell(teller: int) -> None:
        for number in range(500):
            actors[number % 20][0].tell((teller, number))

    from_threads(tell, 4)
    eventually(lambda: sum(len(actor.heard) for _, actor in actors) == 2000, "all is handled")
    for _, actor in actors:
        for teller in range(4):
            mine = [number for whose, number in actor.heard if whose == teller]
            assert mine == sorted(mine)
            assert len(mine) == 25


def test_an_actor_that_is_stuck_holds_up_nobody_and_its_thread_goes_when_it_is_not_needed(
    dispatcher: Dispatcher,
) -> None:
    stuck, its_actor = seated(dispatcher, "stuck")
    other, others_actor = seated(dispatcher, "other")
    release = threading.Event()
    stuck.tell(release)
    stuck.tell("after")
    eventually(lambda: other.tell("hello") and others_actor.heard, "the other is served")
    assert its_actor.heard == []
    assert len(workers(dispatcher)) == 2
    release.set()
    eventually(lambda: its_actor.heard == [release, "after"], "the one that was stuck goes on")
    eventually(lambda: len(workers(dispatcher)) == 1, "one thread is enough again")


def test_what_waits_behind_a_stuck_actor_is_served_though_nothing_more_is_told(dispatcher: Dispatcher) -> None:
    stuck, _ = seated(dispatcher, "stuck")
    other, others_actor = seated(dispatcher, "other")
    release = threading.Event()
    stuck.tell(release)
    other.tell("hello")
    eventually(lambda: dispatcher.relieve() or others_actor.heard, "somebody looks after the thread")
    release.set()


def test_a_thread_that_waits_is_left_to_wait_by_who_looks_after_threads(
    dispatcher: Dispatcher, nobody_wakes_by_itself: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seated(dispatcher, "idle")
    eventually(lambda: dispatcher._sockets._is_asleep, "nothing is left to do")
    woken = []
    monkeypatch.setattr(
        dispatcher._sockets, "wake", lambda: woken.append("woken")
    )  # threads of other tests may be left
    dispatcher.relieve()
    assert woken == []
    assert len(workers(dispatcher)) == 1


def test_a_thread_that_cannot_be_had_now_is_had_later(dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck, _ = seated(dispatcher, "stuck")
    other, others_actor = seated(dispatcher, "other")
    release, refused = threading.Event(), threading.Event()

    def refuse(_worker: Any) -> None:
        refused.set()
        raise RuntimeError("can't start new thread")

    stuck.tell(release)
    with monkeypatch.context() as patch:
        patch.setattr("actors.runtime.dispatcher._Worker.start", refuse)
        eventually(lambda: other.tell("hello") and refused.is_set(), "a thread is wanted")
        assert others_actor.heard == []
    eventually(lambda: dispatcher.relieve() or others_actor.heard, "somebody looks again")
    release.set()


def test_who_asks_an_actor_that_stops_first_hears_of_its_death(dispatcher: Dispatcher) -> None:
    address, _ = seated(dispatcher, "mortal")
    release = threading.Event()
    address.tell(release)
    assert address.ref is not None
    address.ref.stop(block=False)
    asked = address.ref.ask("still there?", block=False)
    release.set()
    with pytest.raises(pykka.ActorDeadError):
        asked.get(timeout=PATIENCE)
    eventually(lambda: address.health.has_ended, "it has ended")


def test_an_actor_whose_library_fails_ends_and_leaves_the_thread_to_the_others(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, actor = seated(dispatcher, "broken")
    other, others_actor = seated(dispatcher, "other")
    monkeypatch.setattr(actor, "_actor_loop_running", lambda: 1 / 0)
    address.tell("anything")
    other.tell("hello")
    eventually(lambda: others_actor.heard == ["hello"], "the other is served")
    assert address.health.has_ended


def test_what_is_told_to_one_that_has_just_ended_is_dropped_and_keeps_nobody_busy(dispatcher: Dispatcher) -> None:
    address, _ = seated(dispatcher, "gone")
    ref = address.ref
    assert ref is not None
    ref.stop(block=False)
    eventually(lambda: address.health.has_ended, "it has ended")
    ref.actor_inbox.put("too late")  # as by who saw it alive a moment before
    eventually(ref.actor_inbox.empty, "it is dropped")


def test_what_can_wait_waits_until_nothing_else_is_left(dispatcher: Dispatcher) -> None:
    address, actor = seated(dispatcher, "busy")

    def begin() -> None:
        address.tell_when_idle("at last", PATIENCE)
        for number in range(100):
            address.tell(number)

    address.tell(begin)
    eventually(lambda: len(actor.heard) == 102, "all is heard")
    assert actor.heard == [begin, *range(100), "at last"]


def test_what_can_wait_waits_for_what_there_is_to_read(dispatcher: Dispatcher) -> None:
    address, actor = seated(dispatcher, "busy")
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)

        def look(_now: float) -> float | None:
            address.tell(near.recv(100))
            return None

        def begin() -> None:
            address.tell_when_idle("at last", PATIENCE)
            far.send(b"a reply")

        address.watch(near.fileno(), look, time.monotonic() + PATIENCE)
        address.tell(begin)
        eventually(lambda: len(actor.heard) == 3, "all is heard")
        assert actor.heard == [begin, b"a reply", "at last"]


def test_what_can_wait_longest_comes_last_and_waits_for_all_that_comes_of_the_rest(dispatcher: Dispatcher) -> None:
    address, actor = seated(dispatcher, "busy")
    other, _ = seated(dispatcher, "other")

    def first() -> None:
        other.tell(lambda: address.tell("what comes of it"))

    def begin() -> None:
        address.tell_when_idle("last", PATIENCE)
        address.tell_when_idle(first, PATIENCE / 2)

    address.tell(begin)
    eventually(lambda: len(actor.heard) == 4, "all is heard")
    assert actor.heard == [begin, first, "what comes of it", "last"]


def test_what_can_wait_does_not_wait_for_ever(dispatcher: Dispatcher) -> None:
    address, _ = seated(dispatcher, "busy")
    is_heard = threading.Event()

    def again() -> None:
        if not is_heard.is_set():
            address.tell(again)

    def begin() -> None:
        address.tell_when_idle(is_heard.set, 0.005)
        address.tell(again)

    address.tell(begin)
    try:
        eventually(is_heard.is_set, "it is heard although there is always something else")
    finally:
        is_heard.set()


def test_what_can_wait_wakes_a_thread_that_sleeps(dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.runtime.poller.LONGEST_WAIT", 3600.0)
    address, actor = seated(dispatcher, "asleep")
    for number in range(100):  # each finds the thread asleep, or on its way to sleep
        address.tell_when_idle(number, PATIENCE)
        eventually(lambda number=number: number in actor.heard, "it is heard")


@pytest.mark.parametrize("tell", ["now", "when idle"])
def test_what_is_told_to_a_thread_on_its_way_to_sleep_keeps_it_awake(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch, tell: str
) -> None:
    """It has seen that there is nothing to do, and does not wait yet."""
    monkeypatch.setattr("actors.runtime.poller.LONGEST_WAIT", 3600.0)
    address, actor = seated(dispatcher, "somebody")
    wait, told = Sockets.wait, []

    def wait_after_all(sockets: Sockets, has_work: Callable[[], object]) -> bool:
        if len(told) < 3:
            told.append(len(told))
            if tell == "now":
                address.tell(told[-1])
            else:
                address.tell_when_idle(told[-1], PATIENCE)
        return wait(sockets, has_work)

    monkeypatch.setattr(Sockets, "wait", wait_after_all)
    address.tell("first")
    eventually(lambda: actor.heard == ["first", 0, 1, 2], "all is heard")


def test_what_is_told_is_handled_however_often_threads_take_turns(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every thread counts as stuck as soon as it has begun: others are started, and it goes when it sees them."""
    monkeypatch.setattr("actors.runtime.poller.LONGEST_WAIT", 3600.0)
    actors = [seated(dispatcher, f"a{number}") for number in range(5)]
    monkeypatch.setattr("actors.runtime.dispatcher.PATIENCE", 0.0)

    def tell(teller: int) -> None:
        for number in range(100):
            actors[number % 5][0].tell((teller, number))
            actors[number % 5][0].tell_when_idle((teller, number), PATIENCE)

    from_threads(tell, 2)
    eventually(lambda: sum(len(actor.heard) for _, actor in actors) == 400, "all is handled")
    monkeypatch.setattr("actors.runtime.dispatcher.PATIENCE", 3600.0)
    eventually(lambda: len(workers(dispatcher)) == 1, "one thread is enough")
    address, actor = actors[0]
    address.tell("hello")
    eventually(lambda: actor.heard[-1] == "hello", "it is there")


def test_a_thread_that_is_to_end_on_its_way_to_sleep_does_not_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.runtime.poller.LONGEST_WAIT", 3600.0)
    dispatcher, wait = Dispatcher("ending"), Sockets.wait

    def wait_after_all(sockets: Sockets, has_work: Callable[[], object]) -> bool:
        dispatcher.stop()
        return wait(sockets, has_work)

    monkeypatch.setattr(Sockets, "wait", wait_after_all)
    dispatcher.relieve()
    eventually(lambda: not any(thread.name == "ending" for thread in threading.enumerate()), "no thread is left")


def test_threads_end_once_they_have_run_what_is_waiting() -> None:
    dispatcher = Dispatcher("ending")
    address, actor = seated(dispatcher, "last")
    release = threading.Event()
    address.tell(release)
    address.tell("told before")
    address.tell_when_idle("when idle", PATIENCE)
    dispatcher.stop()
    release.set()
    eventually(lambda: actor.heard == [release, "told before", "when idle"], "all is heard")
    eventually(lambda: not any(thread.name == "ending" for thread in threading.enumerate()), "no thread is left")
    address.tell("told after")
    eventually(lambda: actor.heard[-1] == "told after", "it is heard all the same")
    eventually(lambda: not any(thread.name == "ending" for thread in threading.enumerate()), "no thread is left")
    assert address.ref is not None
    address.ref.stop(block=False)
    eventually(lambda: address.health.has_ended, "it has ended")
