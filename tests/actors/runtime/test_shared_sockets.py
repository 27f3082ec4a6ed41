"""Several threads at the same sockets: never two at one, none waits for a reader, and nothing is slept through."""

import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from actors.runtime.poller import Sockets
from tests.actors.runtime.watched import LATER, Watched
from tests.support.waiting import PATIENCE, eventually

EXCHANGES = 5000


class Exchanging(Watched):
    """A connection that is given back when the reply is read, while that look has not ended."""

    def __init__(self, free: "queue.SimpleQueue[Exchanging]") -> None:
        super().__init__()
        self.replies = 0
        self._free = free

    def begin(self, sockets: Sockets) -> None:
        """Have the reply to another request read."""
        self.far.send(b"reply")
        sockets.watch(self.near.fileno(), self.look, time.monotonic() + LATER)

    def look(self, now: float) -> float | None:
        due = super().look(now)
        if self.heard:
            self.heard.clear()
            self.replies += 1
            self._free.put(self)
            return None
        return due


def in_a_thread(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def ended(thread: threading.Thread) -> bool:
    thread.join(PATIENCE)
    return not thread.is_alive()


def nothing() -> bool:
    return False


@pytest.fixture
def often_another_thread() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_who_was_found_and_whose_number_is_another_s_meanwhile_is_not_looked_at(watched: list[Watched]) -> None:
    one = watched[0]
    sockets, looks = Sockets(), []
    one.far.send(b"for the second")
    sockets.watch(one.near.fileno(), looks.append, time.monotonic() + LATER)
    sockets.poll()
    sockets.watch(one.near.fileno(), one.look, time.monotonic() + LATER)
    sockets.poll()
    while sockets.read_next():
        sockets.poll()
    assert one.heard == [b"for the second"]
    assert looks == []


def test_one_thread_waits_at_a_time_and_no_other_waits_for_it(nobody_wakes_by_itself: None) -> None:
    sockets, waits = Sockets(), threading.Event()
    sockets.poll()
    thread = in_a_thread(lambda: sockets.wait(waits.set))
    assert waits.wait(PATIENCE)
    assert not sockets.wait(nothing)
    sockets.poll()
    assert sockets.wake()
    assert ended(thread)
    assert not sockets.wake()


def test_who_is_told_on_the_way_to_sleep_does_not_sleep(nobody_wakes_by_itself: None) -> None:
    """A thread has seen that there is nothing to do, and does not wait yet."""
    sockets, woken = Sockets(), []
    sockets.poll()
    assert ended(in_a_thread(lambda: sockets.wait(lambda: woken.append(sockets.wake()))))
    assert woken == [True]
    assert ended(in_a_thread(lambda: sockets.wait(lambda: True)))


def test_a_socket_that_is_told_of_on_the_way_to_sleep_is_watched(
    watched: list[Watched], nobody_wakes_by_itself: None
) -> None:
    """A thread has seen that there is nothing to do, and does not wait yet."""
    sockets, one = Sockets(), watched[0]
    one.far.send(b"hello")
    sockets.poll()
    told = []

    def told_late() -> None:
        if not told:
            told.append(in_a_thread(lambda: sockets.watch(one.near.fileno(), one.look, time.monotonic() + LATER)))
            assert ended(told[0])

    def work() -> None:
        while not sockets.read_next():
            sockets.wait(told_late)

    assert ended(in_a_thread(work))
    assert one.heard == [b"hello"]


def test_a_socket_that_is_back_from_a_look_wakes_who_waits(
    watched: list[Watched], nobody_wakes_by_itself: None
) -> None:
    sockets, waits, one = Sockets(), threading.Event(), watched[0]
    threads = []

    def look(now: float) -> float | None:
        due = one.look(now)
        threads.append(in_a_thread(lambda: sockets.wait(waits.set)))
        assert waits.wait(PATIENCE)
        return due

    sockets.watch(one.near.fileno(), look, time.monotonic() + LATER)
    one.far.send(b"hello")
    sockets.poll()
    assert sockets.read_next()
    assert ended(threads[0])


@pytest.mark.parametrize("urgent", [False, True])
def test_a_socket_that_somebody_is_at_wakes_nobody_again_and_again(
    watched: list[Watched], nobody_wakes_by_itself: None, urgent: bool
) -> None:
    """What it has is still there: whoever waits would find it as often as he asked."""
    sockets, waits = Sockets(), []
    busy, silent = watched[:2]

    def look(now: float) -> float | None:
        sockets.watch(silent.near.fileno(), silent.look, time.monotonic() + 0.05)
        while not silent.looks:
            waits.append(sockets.wait(nothing))
            sockets.read_next()
        return busy.look(now)

    sockets.watch(busy.near.fileno(), look, time.monotonic() + LATER, urgent=urgent)
    busy.far.send(b"hello")
    sockets.poll()
    assert sockets.read_next()
    assert len(waits) <= 5
    assert busy.heard == [b"hello"]
    busy.far.send(b"again")
    sockets.poll()
    assert sockets.read_next()
    assert busy.heard == [b"hello", b"again"]


def test_threads_that_share_the_sockets_miss_nothing_and_are_never_two_at_one(
    nobody_wakes_by_itself: None, often_another_thread: None
) -> None:
    """Each connection is watched anew for each reply, by another thread, maybe before its last look has ended."""
    sockets, free = Sockets(), queue.SimpleQueue[Exchanging]()
    failed: list[BaseException] = []
    over = threading.Event()
    exchanging = [Exchanging(free) for _ in range(12)]

    def work() -> None:
        try:
            while not over.is_set():
                sockets.poll_urgent(time.monotonic())
                if not sockets.read_next():
                    sockets.wait(over.is_set)
        except BaseException as error:
            failed.append(error)

    threads = [in_a_thread(work) for _ in range(3)]
    try:
        for one in exchanging:
            free.put(one)
        for _ in range(EXCHANGES):
            free.get(timeout=PATIENCE).begin(sockets)
        eventually(lambda: failed or free.qsize() == len(exchanging), "every reply is read")
    finally:
        over.set()
        eventually(lambda: sockets.wake() or not any(thread.is_alive() for thread in threads), "the threads end")
        for one in exchanging:
            one.close()
    assert not failed
    assert sum(one.replies for one in exchanging) == EXCHANGES
    assert all(one.most_inside == 1 for one in exchanging)
