"""What the broker accepts and never shows: given up or sent again, told once, and nobody waits for it."""

from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import FrameFault, Kind, Mischief, RestFault
from tests.support.asking import places, position
from tests.support.copier import ALICE, Copier, running, settings_for
from tests.support.waiting import eventually

SOON = {"absence_window": 0.5, "audit_interval": 3600.0}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("copytrade.core.engine.copies.unknown_outcomes.SEARCHED_AFTER", 4.0)
    monkeypatch.setattr("copytrade.core.engine.copies.unknown_outcomes.EXIT_AGAIN_AFTER", 5.0)


def leave(copier: Copier, lots: int = 2) -> str:
    return copier.buy(lots, side="SELL", order_type="MARKET", price=0)


def hide(broker: PaperBroker, seconds: float) -> None:
    """Have the next order be carried out and be shown nowhere for so long; no update tells of any order."""
    broker.faults.add(FrameFault(ALICE, times=None, copies=0))
    broker.faults.add(RestFault(Mischief.HIDE, Kind.PLACE, ALICE, hidden=seconds))


def test_an_entry_that_is_never_shown_has_failed_and_the_exit_of_another_is_found_lost_as_soon_as_ever(
    broker: PaperBroker, tmp_path: Path
) -> None:
    with running(settings_for(broker, tmp_path, recovery=SOON), broker) as copier:
        held = copier.buy(2, "125.00")
        copier.mapping(held, "alice", "filled")
        broker.faults.add(RestFault(Mischief.SWALLOW, Kind.PLACE, ALICE))
        unshown = copier.buy(2)
        copier.mapping(unshown, "bob", "placed")
        copier.mapping(unshown, "alice", "placed")
        broker.faults.add(RestFault(Mischief.RESET, Kind.PLACE, ALICE))
        lines = len(copier.log)
        left = leave(copier)
        copier.mapping(left, "alice", "filled")
        assert position(copier, "alice") == position(copier, "leader") == 0
        reason, *_ = copier.mapping(unshown, "alice", "failed")
        assert reason == "invisible"
        copier.logged("Order accepted and never shown by the broker follower=alice")
        said = [line for line in copier.log[lines:] if not line.startswith("DEBUG")]
        assert len(said) < 100
        assert sum("never shown" in line for line in said) == 1
        assert sum("shows orders late" in line for line in copier.log) < 10


@pytest.mark.parametrize("turns_up", [False, True], ids=["never carried out", "carried out and shown late"])
def test_an_exit_that_is_never_shown_is_sent_again_and_no_two_stand(
    broker: PaperBroker, tmp_path: Path, turns_up: bool
) -> None:
    with running(settings_for(broker, tmp_path, recovery={**SOON, "audit_interval": 1.0}), broker) as copier:
        held = copier.buy(2, "125.00")
        copier.mapping(held, "alice", "filled")
        hide(broker, 9.0) if turns_up else broker.faults.add(RestFault(Mischief.SWALLOW, Kind.PLACE, ALICE))
        copier.buy(2, "130.00", side="SELL")
        eventually(lambda: places(broker) == 3, "it is sent again")
        if turns_up:
            copier.logged("Late twin of an order at the broker, cancelling it follower=alice")
        resting = ("PENDING", "TRANSIT")
        eventually(lambda: [row["orderStatus"] in resting for row in copier.copies("alice")].count(True) == 1, "one")
        broker.set_price("45674", "131.00")
        eventually(lambda: position(copier, "alice") == position(copier, "leader") == 0, "both have left")
        assert [row["netQty"] for row in broker.positions(ALICE)] == [0]


def test_an_exit_that_is_done_and_never_shown_is_not_sent_again(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_for(broker, tmp_path, recovery=SOON), broker) as copier:
        held = copier.buy(2, "125.00")
        copier.mapping(held, "alice", "filled")
        hide(broker, 3600.0)
        leave(copier)
        copier.logged("Order accepted and never shown by the broker follower=alice")
        assert places(broker) == 2
        assert [row["netQty"] for row in broker.positions(ALICE)] == [0]
