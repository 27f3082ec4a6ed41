from typing import Any

from actors.gap_recovery.read_queue import PATIENCE, URGENT_EVERY, ReadQueue
from actors.messages.feeds import NO_GAP
from actors.messages.reads import ReadBook, ReadCapital, ReadNet, ReadRequest, ReadResult, SearchOrder
from copytrade.app.policies import read_windows_of
from copytrade.brokers.read_budget import ReadBudget, ReadLane
from copytrade.settings import Reads
from tests.actors.listening import Listener

ALICE, BOB = Listener("alice"), Listener("bob")


def queue() -> ReadQueue:
    found = ReadQueue(ReadBudget(read_windows_of(Reads())))
    found.is_authorised = True
    return found


def book(generation: tuple[int, int] = NO_GAP, **more: Any) -> ReadBook:
    return ReadBook("alice", generation, None, after_gap=False, **more)


def net(asker: Listener = ALICE, *, urgent: bool = False) -> ReadNet:
    return ReadNet("alice", holdings=False, reply_to=asker, urgent=urgent)


def result(asker: Listener = ALICE) -> ReadResult:
    return ReadResult("alice", asker)


def read(queue: ReadQueue, now: float) -> ReadRequest | None:
    """Read what is to be read now, and have it answered at once."""
    wanted = queue.take(now)
    if wanted is None:
        return None
    assert queue.end(wanted.request, now) is wanted
    return wanted.request


def all_read(queue: ReadQueue, now: float = 0.0) -> list[ReadRequest]:
    """Read everything, one after the other."""
    found = []
    while (delay := queue.delay(now)) is not None:
        now += delay
        if request := read(queue, now):
            found.append(request)
    return found


def test_what_is_wanted_most_is_read_first() -> None:
    reads = queue()
    wanted: list[ReadRequest] = [
        book(lane=ReadLane.NEWS),
        result(),
        net(),
        SearchOrder("alice", "ct-1-1"),
        ReadNet("alice", holdings=True, reply_to=ALICE, urgent=True),
    ]
    for request in wanted:
        reads.add(request, 0.0)
    assert all_read(reads) == wanted[::-1]


def test_nothing_is_read_while_a_read_is_under_way() -> None:
    reads = queue()
    reads.add(net(), 0.0)
    assert reads.take(0.0)
    reads.add(book(urgent=True), 0.0)
    assert reads.take(0.0) is None
    assert reads.delay(0.0) is None


def test_several_who_wait_for_the_same_are_served_by_one_read() -> None:
    reads = queue()
    for asker in (ALICE, BOB, ALICE):
        reads.add(net(asker), 0.0)
    wanted = reads.take(0.0)
    assert wanted is not None
    assert [request.reply_to for request in wanted.askers.values() if isinstance(request, ReadNet)] == [ALICE, BOB]
    assert len(reads) == 0


def test_who_asks_while_it_is_read_is_served_by_the_next_read() -> None:
    reads = queue()
    reads.add(net(ALICE), 0.0)
    wanted = reads.take(0.0)
    assert wanted is not None
    reads.add(net(BOB), 0.5)
    reads.end(wanted.request, 1.0)
    assert read(reads, 1.0) is None
    assert read(reads, 2.0) == net(BOB)


def test_of_several_reads_of_the_book_one_is_made_for_the_latest_gap_in_the_most_urgent_lane() -> None:
    reads = queue()
    for request in (book((1, 3), lane=ReadLane.AUDIT), book((1, 2), urgent=True), book(lane=ReadLane.NEWS)):
        reads.add(request, 0.0)
    assert all_read(reads) == [book((1, 3), urgent=True, lane=ReadLane.AUDIT)]
    assert len(reads) == 0


def test_an_urgent_read_waits_for_no_window_but_for_a_second_after_another_of_its_kind() -> None:
    reads = queue()
    for request in (book(), net(urgent=True)):
        reads.add(request, 0.0)
    assert read(reads, 0.0) == net(urgent=True)
    reads.add(book(urgent=True), 0.1)
    assert isinstance(read(reads, 0.1), ReadBook)
    reads.add(net(urgent=True), 0.2)
    assert reads.delay(0.2) == URGENT_EVERY - 0.2
    assert read(reads, URGENT_EVERY) == net(urgent=True)


def test_what_waits_long_is_read_in_the_end() -> None:
    """Somebody asks for something more urgent each time that something may be read."""
    reads, now = queue(), 0.0
    reads.add(book(lane=ReadLane.NEWS), 0.0)
    while now < 5 * PATIENCE:
        reads.add(ReadCapital("alice", ALICE), now)
        if isinstance(read(reads, now), ReadBook):
            return
        now += 1.0
    raise AssertionError("never read")


def test_what_could_not_be_read_waits_longer_each_time_whoever_asks_meanwhile() -> None:
    reads, now, waits = queue(), 0.0, []
    reads.add(result(), 0.0)
    for _ in range(8):
        wanted = reads.take(now)
        assert wanted is not None
        reads.add(result(BOB), now)
        reads.end(wanted.request, now)
        waits.append(reads.retry_delay(wanted))
        reads.put_back(wanted, now + waits[-1])
        reads.add(result(BOB), now)
        while (delay := reads.delay(now)) is None or delay > 0:
            assert delay is not None
            now += delay
    assert max(waits[:2]) <= 1.0
    assert min(waits[6:]) >= 15.0
    wanted = reads.take(now)
    assert wanted is not None
    assert list(wanted.askers) == ["alice", "bob"]


def test_an_urgent_request_does_not_wait_for_the_retry_of_another() -> None:
    reads = queue()
    reads.add(net(), 0.0)
    wanted = reads.take(0.0)
    assert wanted is not None
    reads.end(wanted.request, 0.1)
    reads.put_back(wanted, 30.0)
    reads.add(net(BOB, urgent=True), 0.2)
    served = reads.take(0.2)
    assert served is not None
    assert list(served.askers) == ["alice", "bob"]


def test_nothing_is_lost_while_there_is_no_token() -> None:
    reads = queue()
    reads.is_authorised = False
    wanted: list[ReadRequest] = [book(urgent=True), net(), result()]
    for request in wanted:
        reads.add(request, 0.0)
    assert (reads.take(0.0), reads.delay(0.0), len(reads)) == (None, None, 3)
    reads.is_authorised = True
    assert all_read(reads) == wanted


def test_between_the_requests_of_one_read_what_is_more_urgent_is_read() -> None:
    reads = queue()
    reads.add(net(), 0.0)
    first = reads.take(0.0)
    assert first is not None
    first.reading = iter(())  # type: ignore[assignment]
    reads.end(first.request, 0.1)
    reads.go_on(first)
    reads.add(net(BOB), 0.2)
    reads.add(book(urgent=True), 0.2)
    assert isinstance(read(reads, 0.3), ReadBook)
    rest = reads.take(1.3)
    assert rest is first
    reads.end(first.request, 1.3)
    assert read(reads, 2.3) == net(BOB)


def test_an_answer_to_an_earlier_incarnation_is_none_to_this_one() -> None:
    reads = queue()
    reads.add(net(), 0.0)
    assert reads.take(0.0)
    assert reads.end(net(), 0.1) is None
