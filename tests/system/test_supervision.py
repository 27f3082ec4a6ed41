"""A crash of one actor is seen, healed, and not noticed by the others."""

import traceback
from pathlib import Path
from typing import Any

import pytest

from copytrade.paper.broker import PaperBroker
from tests.system.copier import LOT, Copier, running, settings_for
from tests.waiting import eventually


class Bomb:
    """A message that goes off when an actor's handler looks at what it is."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    @property
    def __class__(self) -> Any:
        if any(frame.name == "receive" for frame in traceback.extract_stack()):
            raise self._error
        return Bomb


def seat(copier: Copier, name: str) -> Any:
    return next(child.seat for child in copier.system.children if child.seat.name == name)


def test_a_follower_that_crashes_comes_back_and_misses_nothing(copier: Copier) -> None:
    before = copier.buy(4, "100.00")
    copier.mapping(before, "alice", "placed")
    seat(copier, "alice").tell(Bomb(RuntimeError("a bug")))
    after = copier.buy(4, "101.00")
    copier.broker.modify(copier.settings.leader.client_id, before, price="99.00")
    for follower, quantity in (("alice", 4 * LOT), ("bob", 2 * LOT)):
        assert copier.copy_of(after, follower)["quantity"] == quantity
        eventually(lambda follower=follower: copier.copy_of(before, follower)["price"] == 99.0)
        assert len(copier.copies(follower)) == 2
    assert "a bug" in copier.logged("Actor alice crashed: RuntimeError")
    assert copier.logged("Actor alice restarted (1)")
    assert seat(copier, "bob").epoch == 1


@pytest.mark.parametrize("name", ["store", "rate-limiter", "gap-recovery", "instruments", "feed-leader", "feed-alice"])
@pytest.mark.parametrize("error", [RuntimeError("a bug"), SystemExit(1)], ids=["exception", "exit"])
def test_any_actor_that_crashes_is_restarted_and_copying_goes_on(
    copier: Copier, name: str, error: BaseException
) -> None:
    copier.copy_of(copier.buy(4), "alice")
    seat(copier, name).tell(Bomb(error))
    copier.logged(f"Actor {name} restarted (1)")
    leader = copier.buy(4)
    for follower in ("alice", "bob"):
        copier.copy_of(leader, follower)
        copier.mapping(leader, follower, "placed")
        assert len(copier.copies(follower)) == 2
    others = [child.seat for child in copier.system.children if child.seat.name != name]
    assert {other.epoch for other in others} == {1}


def test_a_follower_that_keeps_crashing_is_quarantined_and_the_others_go_on(
    broker: PaperBroker, tmp_path: Path
) -> None:
    supervision = {"max_restarts": 2, "backoff": 0.01, "backoff_max": 0.02}
    with running(settings_for(broker, tmp_path, supervision=supervision), broker) as copier:
        for epoch in (1, 2, 3):
            eventually(lambda epoch=epoch: seat(copier, "alice").epoch == epoch and seat(copier, "alice").is_taken)
            seat(copier, "alice").tell(Bomb(RuntimeError("again")))
        assert copier.logged("Actor alice quarantined")
        copier.copy_of(copier.buy(4), "bob")
        assert copier.copies("alice") == []


def test_a_core_actor_beyond_repair_stops_everything_with_exit_70(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_for(broker, tmp_path), broker, exit_code=70) as copier:
        for epoch in (1, 2, 3, 4):
            eventually(lambda epoch=epoch: seat(copier, "store").epoch == epoch and seat(copier, "store").is_taken)
            seat(copier, "store").tell(Bomb(RuntimeError("beyond repair")))
        copier.logged("cannot be kept alive")


def test_the_status_shows_every_actor(copier: Copier) -> None:
    copier.mapping(copier.buy(4), "alice", "placed")
    copier.system.log_status()
    copier.logged("STATUS total")
    lines = [line for line in copier.log if "STATUS" in line]
    shown = {line.split()[2] for line in lines}
    assert shown == {child.seat.name for child in copier.system.children} | {"total"}
    (alice,) = (line for line in lines if "STATUS alice" in line)
    for word in ("live", "mailbox=0", "last_event=", "restarts=0", "open=1", "requests=1", "p50=", "p99="):
        assert word in alice
