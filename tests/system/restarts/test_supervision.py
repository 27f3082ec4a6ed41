"""A crash of one actor is seen, healed, and not noticed by the others."""

import gc
import logging
import weakref
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from actors.follower.actor import Follower
from actors.follower.gateway import Gateway
from actors.messages.store import Write, Writer
from actors.supervisor.messages import Sweep
from copytrade.core.engine.exits.judging import Judging
from copytrade.core.model.orders import Order
from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from copytrade.storage.records import ConfigSet
from tests.support.bombs import Bomb, Sleep, address, is_taken
from tests.support.copier import ALICE, LEADER, LOT, Copier, running, settings_for
from tests.support.waiting import PATIENCE, eventually


def test_a_follower_that_crashes_comes_back_and_misses_nothing(copier: Copier) -> None:
    before = copier.buy(4, "100.00")
    copier.mapping(before, "alice", "placed")
    address(copier, "alice").tell(Bomb(RuntimeError("a bug")))
    after = copier.buy(4, "101.00")
    copier.broker.modify(copier.settings.leader.client_id, before, price="99.00")
    for follower, quantity in (("alice", 4 * LOT), ("bob", 2 * LOT)):
        assert copier.copy_of(after, follower)["quantity"] == quantity
        eventually(lambda follower=follower: copier.copy_of(before, follower)["price"] == 99.0)
        assert len(copier.copies(follower)) == 2
    assert "a bug" in copier.logged("Actor alice crashed: RuntimeError")
    assert copier.logged("Actor alice restarted (1)")
    assert address(copier, "bob").epoch == 1


def test_a_follower_that_crashes_closes_its_connections(copier: Copier, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[Gateway] = []
    close = Gateway.close
    monkeypatch.setattr(Gateway, "close", lambda gateway: (closed.append(gateway), close(gateway)))
    monkeypatch.setattr(Follower, "set_up", lambda follower: follower.health)  # its successor opens none
    address(copier, "alice").tell(Bomb(RuntimeError("a bug")))
    eventually(lambda: is_taken(copier, "alice", 2), "it is restarted")
    assert len(closed) == 1


@pytest.mark.parametrize("name", ["store", "rate-limiter", "gap-recovery", "instruments", "feed-leader", "feed-alice"])
@pytest.mark.parametrize("error", [RuntimeError("a bug"), SystemExit(1)], ids=["exception", "exit"])
def test_any_actor_that_crashes_is_restarted_and_copying_goes_on(
    copier: Copier, name: str, error: BaseException
) -> None:
    copier.copy_of(copier.buy(4), "alice")
    address(copier, name).tell(Bomb(error))
    copier.logged(f"Actor {name} restarted (1)")
    leader = copier.buy(4)
    for follower in ("alice", "bob"):
        copier.copy_of(leader, follower)
        copier.mapping(leader, follower, "placed")
        assert len(copier.copies(follower)) == 2
    others = [child.address for child in copier.system.children if child.address.name != name]
    assert {other.epoch for other in others} == {1}


@pytest.mark.parametrize("name", ["alice", "feed-alice", "store", "rate-limiter", "gap-recovery", "instruments"])
@pytest.mark.parametrize("error", [RuntimeError("a bug"), SystemExit(1)], ids=["exception", "exit"])
def test_of_an_actor_that_has_died_nothing_is_kept_that_has_to_be_collected(
    copier: Copier, caplog: pytest.LogCaptureFixture, name: str, error: BaseException
) -> None:
    caplog.set_level(logging.CRITICAL, "pykka")  # a record of the error would know who failed
    copier.mapping(copier.buy(4), "alice", "placed")
    died = address(copier, name)
    gc.disable()
    try:
        actor = weakref.ref(died.ref._actor_weakref())
        died.tell(Bomb(error))
        copier.logged(f"Actor {name} restarted (1)")
        eventually(lambda: actor() is None, "it is gone")
    finally:
        gc.enable()


def test_a_follower_that_keeps_crashing_is_quarantined_and_the_others_go_on(
    broker: PaperBroker, tmp_path: Path
) -> None:
    supervision = {"max_restarts": 2, "backoff": 0.01, "backoff_max": 0.02}
    with running(settings_for(broker, tmp_path, supervision=supervision), broker) as copier:
        for epoch in (1, 2, 3):
            eventually(lambda epoch=epoch: is_taken(copier, "alice", epoch))
            address(copier, "alice").tell(Bomb(RuntimeError("again")))
        assert copier.logged("Actor alice quarantined")
        copier.copy_of(copier.buy(4), "bob")
        assert copier.copies("alice") == []


def test_what_rests_for_a_quarantined_follower_is_cancelled_with_the_leaders_order(
    broker: PaperBroker, tmp_path: Path
) -> None:
    supervision = {"max_restarts": 0, "quarantine_retry": 3600.0}
    with running(settings_for(broker, tmp_path, supervision=supervision), broker) as copier:
        before, during, stays = (copier.buy(4, price) for price in ("100.00", "99.00", "98.00"))
        for leader in (before, during, stays):
            copier.mapping(leader, "alice", "placed")
        address(copier, "alice").tell(Bomb(RuntimeError("again")))
        broker.cancel(LEADER, before)  # it may not have been told of that any more
        copier.logged("Actor alice quarantined")
        for name in ("feed-leader", "rate-limiter", "store"):
            address(copier, name).tell(Bomb(RuntimeError("a bug")))
            copier.logged(f"Actor {name} restarted (1)")
        broker.faults.add(RestFault(Mischief.RESET, Kind.CANCEL, ALICE))
        broker.cancel(LEADER, during)
        new = copier.buy(4, "97.00")
        copier.copy_of(new, "bob")
        for leader in (before, during):
            eventually(lambda leader=leader: copier.copy_of(leader, "alice")["orderStatus"] == "CANCELLED")
        assert copier.copy_of(stays, "alice")["orderStatus"] == "PENDING"
        assert len(copier.copies("alice")) == 3
        copier.system.retry_quarantined()
        for leader, status in ((before, "cancelled"), (during, "cancelled"), (stays, "placed"), (new, "placed")):
            copier.mapping(leader, "alice", status)


def test_a_core_actor_beyond_repair_stops_everything_with_exit_70(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_for(broker, tmp_path), broker, exit_code=70) as copier:
        for epoch in (1, 2, 3, 4):
            eventually(lambda epoch=epoch: is_taken(copier, "store", epoch))
            address(copier, "store").tell(Bomb(RuntimeError("beyond repair")))
        copier.logged("cannot be kept alive")


def test_the_status_shows_every_actor(copier: Copier) -> None:
    copier.mapping(copier.buy(4), "alice", "placed")
    copier.system.log_status()
    copier.logged("STATUS total")
    lines = [line for line in copier.log if "STATUS" in line]
    shown = {line.split()[2] for line in lines}
    assert shown == {child.address.name for child in copier.system.children} | {"total"}
    *_, alice = (line for line in lines if "STATUS alice" in line)  # she may have begun under the eyes of the first
    for word in ("live", "mailbox=0", "age=", "restarts=0", "open=1", "requests=1", "p50=", "p99="):
        assert word in alice


QUICK = {"backoff": 0.01, "backoff_max": 0.05, "hang_after": 0.3}


def test_a_follower_that_hangs_is_replaced_and_may_neither_send_nor_write_when_it_wakes(
    broker: PaperBroker, tmp_path: Path
) -> None:
    settings = settings_for(broker, tmp_path, supervision=QUICK, dhan={"request_timeout": 0.3})
    with running(settings, broker) as copier:
        before = copier.buy(4, "100.00")
        copier.mapping(before, "alice", "placed")
        hang = Sleep()
        old = address(copier, "alice").ref
        address(copier, "alice").tell(hang)
        after = copier.buy(4, "101.00")
        copier.copy_of(after, "bob")
        assert "hung: busy with one message for" in copier.logged("Actor alice crashed")
        copier.mapping(after, "alice", "placed")
        hang.released.set()
        eventually(lambda: not old.is_alive(), "the one that hung has ended")
        copier.broker.cancel(LEADER, before)
        copier.mapping(before, "alice", "cancelled")
        assert [len(copier.copies(follower)) for follower in ("alice", "bob")] == [2, 2]
        assert (address(copier, "alice").epoch, address(copier, "bob").epoch) == (2, 1)


def test_what_a_replaced_actor_writes_is_refused(copier: Copier) -> None:
    address(copier, "alice").tell(Bomb(RuntimeError("a bug")))
    copier.logged("Actor alice restarted")
    eventually(copier.system.is_ready)
    stale, current = Writer("alice", 1), Writer("alice", 2)
    store = address(copier, "store")
    store.tell(Write((ConfigSet("a", "stale"),), stale))
    store.tell(Write((ConfigSet("b", "current"),), current))
    eventually(lambda: copier.rows("SELECT value FROM config WHERE key = 'b'"))
    assert copier.rows("SELECT value FROM config WHERE key = 'a'") == []
    assert copier.logged("Write of a replaced actor refused actor=alice epoch=1")


def test_an_actor_that_ends_without_a_word_is_restarted(copier: Copier, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by an error in the actor library itself: nobody is told."""
    monkeypatch.setattr(Follower, "on_failure", lambda *_: None)
    address(copier, "alice").tell(Bomb(RuntimeError("a bug")))
    assert copier.logged("Actor alice crashed: ended without a word")
    copier.copy_of(copier.buy(4), "alice")


def test_a_death_that_the_supervisor_sees_before_it_is_told_is_not_one_without_a_word(copier: Copier) -> None:
    supervisor, busy = copier.system._supervisor, Sleep()
    supervisor.tell(busy)
    supervisor.tell(Sweep(supervisor.epoch))
    ended = address(copier, "alice").health
    address(copier, "alice").tell(Bomb(RuntimeError("a bug")))
    eventually(lambda: ended.has_ended)
    busy.released.set()
    assert "a bug" in copier.logged("Actor alice crashed")
    eventually(lambda: address(copier, "alice").epoch == 2)
    assert sum("Actor alice crashed" in line for line in copier.log) == 1


def test_an_actor_that_fails_over_a_message_that_was_asked_dies_all_the_same(copier: Copier) -> None:
    with pytest.raises(RuntimeError, match="asked"):
        address(copier, "alice").ref.ask(Bomb(RuntimeError("asked")), timeout=PATIENCE)
    assert "asked" in copier.logged("Actor alice crashed: RuntimeError")
    copier.copy_of(copier.buy(4), "alice")


def test_a_quarantined_follower_gets_another_chance(broker: PaperBroker, tmp_path: Path) -> None:
    supervision = {"max_restarts": 0, "backoff": 0.01, "quarantine_retry": 0.5}
    with running(settings_for(broker, tmp_path, supervision=supervision), broker) as copier:
        address(copier, "alice").tell(Bomb(RuntimeError("again")))
        copier.logged("Actor alice quarantined")
        leader = copier.buy(4)
        copier.copy_of(leader, "bob")
        copier.mapping(leader, "alice", "placed")
        assert copier.logged("Actor alice restarted (1)")


def test_a_quarantined_follower_can_be_called_back(broker: PaperBroker, tmp_path: Path) -> None:
    supervision = {"max_restarts": 0, "quarantine_retry": 3600.0}
    with running(settings_for(broker, tmp_path, supervision=supervision), broker) as copier:
        address(copier, "alice").tell(Bomb(RuntimeError("again")))
        copier.logged("Actor alice quarantined")
        copier.system.retry_quarantined()
        copier.mapping(copier.buy(4), "alice", "placed")


def test_an_order_that_crashes_the_same_follower_three_times_is_set_aside(
    broker: PaperBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = Judging.judge

    def stumble(judging: Judging, order: Order, at: datetime) -> Any:
        if order.price == Decimal("66.60") and judging._copy_book.follower == "alice":
            raise RuntimeError("cannot handle it")
        return judge(judging, order, at)

    monkeypatch.setattr(Judging, "judge", stumble)
    with running(settings_for(broker, tmp_path, supervision=QUICK), broker) as copier:
        poison = copier.buy(4, "66.60")
        assert copier.mapping(poison, "alice", "skipped")[0] == "poison"
        assert copier.logged("Order skipped: poison follower=alice").startswith("WARNING")
        copier.mapping(poison, "bob", "placed")
        copier.mapping(copier.buy(4), "alice", "placed")
        assert address(copier, "alice").epoch == 4


def test_a_supervisor_that_dies_is_replaced_and_finds_everybody_where_they_are(copier: Copier) -> None:
    supervisor = copier.system._supervisor
    supervisor.tell(Bomb(RuntimeError("a bug")))
    eventually(lambda: not supervisor.is_taken)
    assert copier.system.guard()
    assert copier.logged("Actor supervisor restarted (1)")
    assert {child.address.epoch for child in copier.system.children} == {1}
    address(copier, "alice").tell(Bomb(RuntimeError("a bug")))
    copier.logged("Actor alice restarted (1)")
    copier.copy_of(copier.buy(4), "alice")


def test_a_new_supervisor_knows_who_is_quarantined(broker: PaperBroker, tmp_path: Path) -> None:
    supervision = {"max_restarts": 0, "quarantine_retry": 3600.0}
    with running(settings_for(broker, tmp_path, supervision=supervision), broker) as copier:
        copier.mapping(copier.buy(4), "alice", "placed")
        address(copier, "alice").tell(Bomb(RuntimeError("again")))
        eventually(lambda: address(copier, "alice").health.state == "quarantined")
        copier.system._supervisor.tell(Bomb(RuntimeError("a bug")))
        eventually(lambda: not copier.system._supervisor.is_taken)
        assert copier.system.guard()
        assert not copier.system.is_ready()
        copier.system.retry_quarantined()
        copier.mapping(copier.buy(4, "99.00"), "alice", "placed")


def test_a_supervisor_beyond_repair_is_given_up(copier: Copier) -> None:
    supervisor = copier.system._supervisor
    for _ in range(3):
        supervisor.tell(Bomb(RuntimeError("a bug")))
        eventually(lambda: not supervisor.is_taken)
        assert copier.system.guard()
    supervisor.tell(Bomb(RuntimeError("a bug")))
    eventually(lambda: not supervisor.is_taken)
    assert not copier.system.guard()
    copier.system.abandon()
    assert not any(child.address.is_taken for child in copier.system.children)
    copier.system._supervisor_restarts.forgive()
    assert copier.system.guard()  # the fixture's stop needs one
