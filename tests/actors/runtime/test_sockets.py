"""Sockets that the dispatcher's thread watches: each is looked at when it has something, and when its time has come."""

import threading
import time
from functools import partial

import pytest

from actors.runtime.dispatcher import Dispatcher
from actors.runtime.poller import Sockets
from tests.actors.runtime.counting import seated
from tests.actors.runtime.watched import LATER, Watched
from tests.support.waiting import PATIENCE, eventually


def all_heard(watched: list[Watched], word: bytes) -> bool:
    return all(one.heard[-1:] == [word] for one in watched)


@pytest.mark.parametrize("urgent", [False, True])
def test_what_comes_is_looked_at_by_the_thread_of_the_actors(
    dispatcher: Dispatcher, watched: list[Watched], urgent: bool
) -> None:
    seated(dispatcher, "somebody")
    for one in watched:
        one.watch(dispatcher, urgent=urgent)
    for word in (b"one", b"two"):
        for one in watched:
            one.far.send(word)
        eventually(partial(all_heard, watched, word), "all are looked at")
    assert {name for one in watched for name in one.threads} == {dispatcher._name}


def test_one_that_is_silent_is_looked_at_when_its_time_has_come(dispatcher: Dispatcher, watched: list[Watched]) -> None:
    seated(dispatcher, "somebody")
    silent = watched[0]
    due = time.monotonic() + 0.05
    silent.watch(dispatcher, due=0.05)
    eventually(lambda: silent.looks, "its time has come")
    assert silent.looks[0] >= due
    silent.again = 0.0
    watched[1].watch(dispatcher, due=0.0)
    eventually(lambda: watched[1].looks, "a time that has passed is noticed at once")


def test_one_that_is_over_is_looked_at_no_more_and_its_number_can_be_another_s(
    dispatcher: Dispatcher, watched: list[Watched]
) -> None:
    seated(dispatcher, "somebody")
    first, second = watched[:2]
    first.again = None
    first.watch(dispatcher)
    first.far.send(b"the end")
    eventually(lambda: first.heard, "it is looked at")
    first.far.send(b"and more")
    second.watch(dispatcher).far.send(b"hello")
    eventually(lambda: second.heard, "the next is looked at")
    assert first.heard == [b"the end"]
    first.again = LATER
    first.watch(dispatcher)
    eventually(lambda: first.heard == [b"the end", b"and more"], "it is watched again")


def test_the_number_of_a_socket_that_was_closed_unseen_is_watched_anew(
    dispatcher: Dispatcher, watched: list[Watched]
) -> None:
    seated(dispatcher, "somebody")
    old, new = watched[:2]
    old.watch(dispatcher).far.send(b"hello")
    eventually(lambda: old.heard, "it is watched")
    new.take_number_of(old)
    new.watch(dispatcher).far.send(b"hello")
    eventually(lambda: new.heard == [b"hello"], "the new one is looked at")
    assert old.heard == [b"hello"]


def test_what_was_found_of_a_socket_is_not_looked_at_once_its_number_is_another_s(watched: list[Watched]) -> None:
    sockets, later = Sockets(), time.monotonic() + LATER
    first, old, new = watched
    for one in (first, old):
        sockets.watch(one.near.fileno(), one.look, later)
        one.far.send(b"hello")
    sockets.wait(lambda: False)
    new.take_number_of(old)
    sockets.watch(new.near.fileno(), new.look, later)
    sockets.poll()
    while sockets.read_next():
        pass
    assert first.heard == [b"hello"]
    assert old.looks == []
    new.far.send(b"hello")
    sockets.poll()
    assert sockets.read_next()
    assert new.heard == [b"hello"]


def test_a_look_that_fails_ends_its_own_watch_and_no_other(dispatcher: Dispatcher, watched: list[Watched]) -> None:
    seated(dispatcher, "somebody")
    good, bad = watched[:2]
    good.watch(dispatcher)
    failures = []

    def fail(now: float) -> float | None:
        failures.append(now)
        raise KeyError("a bug")

    dispatcher.watch(bad.near.fileno(), fail, time.monotonic() + LATER)
    bad.far.send(b"x")
    eventually(lambda: failures, "it fails")
    good.far.send(b"hello")
    eventually(lambda: good.heard, "the other is looked at")
    assert len(failures) == 1


def test_what_is_urgent_goes_before_messages_and_the_rest_is_not_forgotten(
    dispatcher: Dispatcher, watched: list[Watched]
) -> None:
    """Two actors that keep each other busy for ever leave time for every socket."""
    urgent, ordinary = watched[0].watch(dispatcher, urgent=True), watched[1].watch(dispatcher)
    address, actor = seated(dispatcher, "busy")
    over = threading.Event()
    actor.receive = lambda message: over.is_set() or address.tell(message)  # type: ignore[method-assign]
    address.tell("again")
    urgent.far.send(b"now")
    ordinary.far.send(b"some time")
    eventually(lambda: urgent.heard and ordinary.heard, "both are looked at")
    over.set()


def test_sockets_are_watched_while_an_actor_is_stuck(dispatcher: Dispatcher, watched: list[Watched]) -> None:
    stuck, _ = seated(dispatcher, "stuck")
    release = threading.Event()
    one = watched[0].watch(dispatcher)
    stuck.tell(release)
    one.far.send(b"hello")
    eventually(lambda: dispatcher.relieve() or one.heard, "somebody else looks")
    release.set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_look_that_ends_its_thread_leaves_every_socket_to_the_next(
    dispatcher: Dispatcher, watched: list[Watched], nobody_wakes_by_itself: None
) -> None:
    good, bad = watched[:2]
    good.watch(dispatcher)
    looks = []

    def end(_now: float) -> float | None:
        looks.append(threading.current_thread())
        raise SystemExit

    dispatcher.watch(bad.near.fileno(), end, time.monotonic() + LATER)
    dispatcher.relieve()
    bad.far.send(b"x")
    eventually(lambda: looks, "its thread ends")
    good.far.send(b"hello")
    eventually(lambda: good.heard, "another thread looks")
    bad.watch(dispatcher)
    eventually(lambda: bad.heard, "it can be watched again")
    (ended,) = looks
    ended.join(PATIENCE)  # what it ended with is told of now, and not in another test


def test_what_comes_while_one_thread_looks_is_looked_at_after_it_and_not_beside_it(
    dispatcher: Dispatcher, watched: list[Watched], nobody_wakes_by_itself: None
) -> None:
    address, actor = seated(dispatcher, "somebody")
    slow, other = watched[:2]
    entered, release = threading.Event(), threading.Event()
    look = slow.look

    def look_slowly(now: float) -> float | None:
        if not entered.is_set():
            entered.set()
            release.wait(PATIENCE)
        return look(now)

    slow.look = look_slowly  # type: ignore[method-assign]
    slow.watch(dispatcher)
    other.watch(dispatcher)
    slow.far.send(b"one")
    assert entered.wait(PATIENCE)
    slow.far.send(b", two")
    other.far.send(b"hello")
    eventually(lambda: dispatcher.relieve() or other.heard, "another thread looks at the other")
    address.tell("hello")
    eventually(lambda: actor.heard, "and has no more to do")
    assert slow.looks == []
    release.set()
    eventually(lambda: slow.heard == [b"one, two"], "the first goes on")
    slow.far.send(b"three")
    eventually(lambda: slow.heard[-1] == b"three", "it is watched again")
    assert slow.most_inside == 1


def test_the_number_of_a_socket_that_was_closed_in_its_look_is_another_s_at_once(
    dispatcher: Dispatcher, watched: list[Watched], nobody_wakes_by_itself: None
) -> None:
    """The new one is watched before it is known that the old one is not to be."""
    seated(dispatcher, "somebody")
    old, new = watched[:2]
    looks = []

    def look(now: float) -> float | None:
        looks.append(now)
        new.take_number_of(old)
        new.watch(dispatcher)
        return None

    dispatcher.watch(old.near.fileno(), look, time.monotonic() + LATER)
    old.far.send(b"the end")
    eventually(lambda: looks, "the old one is looked at")
    for word in (b"one", b"two"):
        new.far.send(word)
        eventually(lambda word=word: new.heard[-1:] == [word], "the new one is looked at")
    assert len(looks) == 1
