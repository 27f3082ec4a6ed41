"""How an account's order book and positions are read: for everybody who asks, and not more often than is allowed."""

import itertools
import time
from pathlib import Path

import pytest

from actors.messages.feeds import Subscribe
from actors.messages.positions import NetRead
from actors.messages.reads import ReadNet
from copytrade.core.model.ledger import LineKey
from copytrade.core.model.orders import InstrumentKey, Product, Segment
from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from tests.actors.listening import Listener
from tests.support.bombs import address
from tests.support.copier import ALICE, BOB, CLIENTS, LEADER, LOT, OPTION, Copier, running, settings_for
from tests.support.waiting import PATIENCE, eventually

LINE = LineKey(InstrumentKey(Segment.NSE_FNO, OPTION), Product.MARGIN)


def test_the_leaders_positions_are_read_once_for_all_followers(broker: PaperBroker, tmp_path: Path) -> None:
    broker.place(LEADER, side="BUY", security_id=OPTION, quantity=2 * LOT, order_type="MARKET")
    with running(settings_for(broker, tmp_path), broker) as copier:
        early, late = Listener("early"), Listener("late")
        address(copier, "feed-leader").tell(Subscribe(early))
        told = eventually(lambda: early.of(NetRead), "who has subscribed is told")[0]
        assert (told.account, told.net[LINE]) == ("leader", 2 * LOT)
        address(copier, "feed-leader").tell(Subscribe(late))
        assert eventually(lambda: late.of(NetRead), "who subscribes later is told the last one") == [told]


def test_the_leaders_positions_are_read_again_at_each_audit(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_for(broker, tmp_path, recovery={"audit_interval": 0.5}), broker) as copier:
        listener = Listener("follower")
        address(copier, "feed-leader").tell(Subscribe(listener))
        eventually(lambda: len(listener.of(NetRead)) >= 2, "two audits")
        broker.place(LEADER, side="BUY", security_id=OPTION, quantity=LOT, order_type="MARKET")
        eventually(lambda: listener.of(NetRead)[-1].net.get(LINE) == LOT, "the next audit shows what he bought")
        begun = [read.began for read in listener.of(NetRead)]
        assert begun == sorted(set(begun))


def positions_reads(copier: Copier) -> int:
    return sum(read.path == "/positions" for read in copier.broker.reads(ALICE))


def the_start_is_over(copier: Copier) -> None:
    """Wait for a read of alice's positions that began after all that her start asked for."""
    listener = Listener("starting")
    address(copier, "gap-recovery").tell(ReadNet("alice", holdings=False, reply_to=listener))
    eventually(lambda: listener.heard, "what the start asked for is read")


def test_positions_are_read_after_they_were_asked_for_and_once_for_all_who_wait(copier: Copier) -> None:
    recovery = address(copier, "gap-recovery")
    eventually(lambda: positions_reads(copier), "the start has begun to read")
    the_start_is_over(copier)
    copier.broker.faults.add(RestFault(Mischief.NONE, Kind.READ, ALICE, path="/positions", delay=0.5))
    before = positions_reads(copier)
    first, *rest = (Listener(f"asking-{number}") for number in range(4))
    recovery.tell(ReadNet("alice", holdings=False, reply_to=first))
    eventually(lambda: positions_reads(copier) == before + 1, "it is under way")
    asked = time.monotonic()
    for listener in rest:
        recovery.tell(ReadNet("alice", holdings=False, reply_to=listener))
    eventually(lambda: all(listener.heard for listener in rest), "everybody is told")
    assert first.heard[0].began < asked < rest[0].heard[0].began
    assert [listener.heard for listener in rest] == [rest[0].heard] * 3
    assert positions_reads(copier) == before + 2


def test_positions_that_cannot_be_read_are_read_again_for_who_waits(copier: Copier) -> None:
    copier.broker.faults.add(RestFault(Mischief.ANSWER, Kind.READ, ALICE, path="/positions", status=503, times=2))
    listener = Listener("asking")
    address(copier, "gap-recovery").tell(ReadNet("alice", holdings=False, reply_to=listener))
    eventually(lambda: listener.heard, "it is told in the end")
    assert sum("Positions unreadable" in line for line in copier.log) == 2


def lose_frames_of(copier: Copier) -> str:
    """Have the leader buy two lots at the market without a frame about it; return the order."""
    copier.broker.mute_feed(LEADER)
    entry = copier.buy(2, 0, order_type="MARKET")
    copier.broker.mute_feed(LEADER, muted=False)
    return entry


def net(copier: Copier, name: str) -> int:
    """Return an account's net position from its orders at the broker, in units."""
    rows = copier.broker.orders(CLIENTS[name])
    signs = {"BUY": 1, "SELL": -1}
    return sum(signs[str(row["transactionType"])] * int(str(row["filledQty"])) for row in rows)


def test_an_entry_whose_frames_were_lost_is_found_by_the_exits(copier: Copier) -> None:
    entry = lose_frames_of(copier)
    leaving = copier.broker.place(LEADER, side="SELL", security_id=OPTION, quantity=2 * LOT, order_type="MARKET")
    for leader in (entry, leaving):
        copier.mapping(leader, "alice", "filled")
    eventually(lambda: net(copier, "alice") == net(copier, "bob") == 0, "the followers are as flat as the leader")
    told = copier.logged("Leader's exit was taken for an entry, taking it back follower=alice")
    assert told.startswith("CRITICAL")
    assert copier.mapping(leaving, "alice", "filled")[0] == "misjudged"


@pytest.mark.parametrize("lost", ["a modification", "a cancellation", "a fill"])
def test_what_a_lost_frame_would_have_told_is_known_with_the_next_order(copier: Copier, lost: str) -> None:
    order = copier.buy(2, "100.00")
    copier.mapping(order, "alice", "placed")
    copier.broker.mute_feed(LEADER)
    match lost:
        case "a modification":
            copier.broker.modify(LEADER, order, price="99.00")
        case "a cancellation":
            copier.broker.cancel(LEADER, order)
        case _:
            copier.broker.fill(LEADER, order)
    copier.broker.mute_feed(LEADER, muted=False)
    other = copier.buy(2, "98.00")
    copier.mapping(other, "alice", "placed")
    match lost:
        case "a modification":
            eventually(lambda: copier.copy_of(order, "alice")["price"] == 99.0, "the copy has the new price")
        case "a cancellation":
            copier.mapping(order, "alice", "cancelled")
        case _:
            copier.logged("Audit found what the feed did not tell account=leader orders=1")


def test_what_the_book_shows_late_is_found_by_another_look_when_nothing_more_is_heard(
    broker: PaperBroker, tmp_path: Path
) -> None:
    with running(settings_for(broker, tmp_path), broker) as copier:
        eventually(lambda: len(orders_reads(copier)) > 1, "the looks after the login are over")
        broker.faults.visibility_lag = 3.0
        found = lose_frames_of(copier)
        other = copier.buy(2, "98.00")
        copier.mapping(other, "alice", "placed")
        copier.mapping(found, "alice", "filled")


def test_an_exit_while_the_feed_is_down_is_copied_before_it_is_back(copier: Copier) -> None:
    held = copier.buy(2, 0, order_type="MARKET")
    copier.mapping(held, "alice", "filled")
    copier.broker.drop_feed(LEADER, refuse_for=3600.0)
    eventually(lambda: not copier.broker.feed_connections(LEADER), "it is down")
    leaving = copier.broker.place(LEADER, side="SELL", security_id=OPTION, quantity=2 * LOT, order_type="MARKET")
    for follower in ("alice", "bob"):
        copier.mapping(leaving, follower, "filled")
    assert not copier.broker.feed_connections(LEADER)


def orders_reads(copier: Copier) -> list[float]:
    return [read.at for read in copier.broker.reads(LEADER) if read.path == "/orders"]


def begun(copier: Copier, client_id: str) -> list[float]:
    return [read.at for read in copier.broker.reads(client_id)]


def most_in(seconds: float, moments: list[float]) -> int:
    """Return how many of some moments lie within so many seconds at most."""
    return max(sum(0 <= later - moment < seconds for later in moments) for moment in moments)


def test_reads_of_an_account_keep_a_second_apart_whatever_wants_to_be_read(broker: PaperBroker, tmp_path: Path) -> None:
    """The leader's orders change ten times a second, audits are due all the time, and orders are in doubt."""
    settings = settings_for(
        broker, tmp_path, recovery={"audit_interval": 0.3, "result_interval": 0.2}, limits={"reads": {}}
    )
    with running(settings, broker) as copier:
        for client_id in CLIENTS.values():  # what a start reads at once is over
            eventually(lambda client_id=client_id: "/orders" in [read.path for read in broker.reads(client_id)[2:]])
        before = {client_id: len(broker.reads(client_id)) for client_id in CLIENTS.values()}
        for client_id in (ALICE, BOB):
            broker.faults.add(RestFault(Mischief.RESET, Kind.PLACE, client_id, times=2))
        lost = [copier.buy(4, "100.00") for _ in range(2)]
        wanted = {f"ct-{order}-1" for order in lost}
        deadline = time.monotonic() + 2 * PATIENCE
        while not all(wanted <= ids(copier, name) for name in ("alice", "bob")):
            assert time.monotonic() < deadline, "what was lost is sent again"
            other = copier.buy(1, "90.00")
            time.sleep(0.1)
            broker.cancel(LEADER, other)
            time.sleep(0.1)
        for client_id in CLIENTS.values():
            moments = begun(copier, client_id)[before[client_id] :]
            assert len(moments) >= 8
            assert most_in(1.0, moments) == 1


def ids(copier: Copier, name: str) -> set[str]:
    return {str(row["correlationId"]) for row in copier.copies(name)}


def test_an_account_is_left_alone_when_the_broker_calls_for_fewer_reads(
    broker: PaperBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("copytrade.brokers.read_budget.PAUSE_FIRST", 0.8)
    with running(settings_for(broker, tmp_path, recovery={"audit_interval": 0.1}), broker) as copier:
        body = '{"errorType": "Rate_Limit", "errorCode": "DH-904", "errorMessage": "Too many requests"}'
        broker.faults.add(RestFault(Mischief.ANSWER, Kind.READ, ALICE, status=429, body=body, times=2))
        copier.logged("Broker's rate limit, reading nothing for 1s account=alice")
        copier.logged("Broker's rate limit, reading nothing for 2s account=alice")
        reads = len(broker.reads(ALICE))
        address(copier, "gap-recovery").tell(ReadNet("alice", holdings=False, reply_to=Listener("exit"), urgent=True))
        copier.mapping(copier.buy(4), "alice", "placed")
        eventually(lambda: len(broker.reads(ALICE)) > reads + 5, "it is read again")
        moments = begun(copier, ALICE)[reads - 2 :]
        first, second = (later - earlier for earlier, later in itertools.pairwise(moments[:3]))
        assert 0.7 < first < second
        assert len(broker.reads(BOB)) > 20, "others are read meanwhile"


def test_positions_and_holdings_are_two_reads(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_for(broker, tmp_path), broker) as copier:
        the_start_is_over(copier)
        before = len(broker.reads(ALICE))
        listener = Listener("asking")
        address(copier, "gap-recovery").tell(ReadNet("alice", holdings=True, reply_to=listener))
        eventually(lambda: listener.heard, "it is told")
        reads = [read for read in broker.reads(ALICE)[before:] if read.path in ("/positions", "/holdings")]
        assert [read.path for read in reads] == ["/positions", "/holdings"]
        assert reads[1].at - reads[0].at >= 1.0
        address(copier, "gap-recovery").tell(ReadNet("alice", holdings=True, reply_to=listener, urgent=True))
        eventually(lambda: len(listener.heard) == 2, "it is told at once")
        positions, holdings = broker.reads(ALICE)[-2:]
        assert holdings.at - positions.at < 1.0


def test_a_read_that_overtakes_another_of_its_kind_half_way_serves_both_and_the_next_one_follows(
    broker: PaperBroker, tmp_path: Path
) -> None:
    with running(settings_for(broker, tmp_path), broker) as copier:
        the_start_is_over(copier)
        before, recovery, listener = positions_reads(copier), address(copier, "gap-recovery"), Listener("asking")
        recovery.tell(ReadNet("alice", holdings=True, reply_to=listener))
        eventually(lambda: positions_reads(copier) > before, "the first half is read")
        recovery.tell(ReadNet("alice", holdings=True, reply_to=listener, urgent=True))
        eventually(lambda: listener.heard, "both are served")
        recovery.tell(ReadNet("alice", holdings=True, reply_to=listener, urgent=True))
        eventually(lambda: len(listener.heard) == 2, "who asks later is served too")
