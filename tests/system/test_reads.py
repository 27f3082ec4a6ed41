"""How an account's order book and positions are read: for everybody who asks, and not more often than is allowed."""

import time
from pathlib import Path

from actors.messages import NetRead, ReadNet, Subscribe
from copytrade.ledger import LineKey
from copytrade.orders import InstrumentKey, Product, Segment
from copytrade.paper.broker import PaperBroker
from copytrade.paper.faults import Kind, Mischief, RestFault
from copytrade.records import LEADER as LEADER_NAME
from tests.system.copier import ALICE, LEADER, LOT, OPTION, Copier, running, settings_for
from tests.system.listening import Listener
from tests.system.test_supervision import seat
from tests.waiting import eventually

LINE = LineKey(InstrumentKey(Segment.NSE_FNO, OPTION), Product.MARGIN)


def test_the_leaders_positions_are_read_once_for_all_followers(broker: PaperBroker, tmp_path: Path) -> None:
    broker.place(LEADER, side="BUY", security_id=OPTION, quantity=2 * LOT, order_type="MARKET")
    with running(settings_for(broker, tmp_path), broker) as copier:
        early, late = Listener("early"), Listener("late")
        seat(copier, "feed-leader").tell(Subscribe(early))
        told = eventually(lambda: early.of(NetRead), "who has subscribed is told")[0]
        assert (told.account, told.net[LINE]) == (LEADER_NAME, 2 * LOT)
        seat(copier, "feed-leader").tell(Subscribe(late))
        assert eventually(lambda: late.of(NetRead), "who subscribes later is told the last one") == [told]


def test_the_leaders_positions_are_read_again_at_each_audit(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_for(broker, tmp_path, recovery={"audit_interval": 0.5}), broker) as copier:
        listener = Listener("follower")
        seat(copier, "feed-leader").tell(Subscribe(listener))
        eventually(lambda: len(listener.of(NetRead)) >= 2, "two audits")
        broker.place(LEADER, side="BUY", security_id=OPTION, quantity=LOT, order_type="MARKET")
        eventually(lambda: listener.of(NetRead)[-1].net.get(LINE) == LOT, "the next audit shows what he bought")
        begun = [read.began for read in listener.of(NetRead)]
        assert begun == sorted(set(begun))


def positions_reads(copier: Copier) -> int:
    return sum(read.path == "/positions" for read in copier.broker.reads(ALICE))


def test_positions_are_read_after_they_were_asked_for_and_once_for_all_who_wait(copier: Copier) -> None:
    recovery = seat(copier, "gap-recovery")
    eventually(lambda: positions_reads(copier), "the start is over")
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
    seat(copier, "gap-recovery").tell(ReadNet("alice", holdings=False, reply_to=listener))
    eventually(lambda: listener.heard, "it is told in the end")
    assert sum("Positions unreadable" in line for line in copier.log) == 2
