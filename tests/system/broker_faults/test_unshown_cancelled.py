"""Resting exits that the broker never shows, and whose cancellation it refuses, swallows or leaves open."""

from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from tests.support.asking import position
from tests.support.copier import ALICE, LEADER, running, settings_for
from tests.support.waiting import eventually

SOON = {"absence_window": 0.5, "audit_interval": 1.0}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("copytrade.core.engine.copies.unknown_outcomes.SEARCHED_AFTER", 2.0)
    monkeypatch.setattr("copytrade.core.engine.copies.unknown_outcomes.EXIT_AGAIN_AFTER", 3.0)


@pytest.mark.parametrize("how", ["refused", "swallowed", "no answer"])
def test_an_exit_that_is_never_shown_and_not_cancelled_does_not_keep_the_follower_in(
    broker: PaperBroker, tmp_path: Path, how: str
) -> None:
    with running(settings_for(broker, tmp_path, recovery=SOON), broker) as copier:
        held = copier.buy(2, "125.00")
        copier.mapping(held, "alice", "filled")
        broker.faults.add(RestFault(Mischief.HIDE, Kind.PLACE, ALICE))
        resting = copier.buy(2, "130.00", side="SELL")
        copier.mapping(resting, "alice", "placed")
        match how:
            case "refused":
                broker.refuse("DH-906", "cancel", ALICE, times=1)
            case "swallowed":
                broker.faults.add(RestFault(Mischief.SWALLOW, Kind.CANCEL, ALICE, times=1))
            case _:
                broker.faults.add(RestFault(Mischief.RESET, Kind.CANCEL, ALICE, times=1, accepted=False))
        broker.cancel(LEADER, resting)
        eventually(lambda: any(write.kind == "cancel" for write in broker.writes(ALICE)))
        copier.buy(2, side="SELL", order_type="MARKET", price=0)
        eventually(lambda: position(copier, "alice") == position(copier, "leader") == 0, "the follower has left")
        hidden = broker.order(ALICE, broker.writes(ALICE)[1].order_id)
        eventually(lambda: broker.order(ALICE, hidden["orderId"])["orderStatus"] == "CANCELLED", "nothing rests")
