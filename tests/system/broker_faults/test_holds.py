"""What the broker refuses again and again, or accepts and does not do, holds nobody else up and is made good."""

from itertools import pairwise
from pathlib import Path

import pytest

from copytrade.core.engine.copies.holds import pause
from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import FrameFault, Kind, Mischief, RestFault
from tests.support.bombs import Bomb, address
from tests.support.copier import ALICE, LEADER, Copier, running, settings_for
from tests.support.waiting import eventually

#: Audits that do not come in the time of a test: what is found without them was looked for.
NO_AUDIT = {"audit_interval": 3600.0}


def writes(broker: PaperBroker, kind: Kind) -> int:
    return sum(write.kind is kind for write in broker.writes(ALICE))


def reads(broker: PaperBroker) -> int:
    return len(broker.reads(ALICE))


def backs_off(broker: PaperBroker, kind: Kind) -> bool:
    """Whether requests of a kind came at least a second apart, and then two, four and so on."""
    times = [write.at for write in broker.writes(ALICE) if write.kind is kind]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return all(gap > 0.95 * pause(tries) for tries, gap in enumerate(gaps, 1))


def test_a_cancellation_that_is_refused_again_and_again_backs_off_and_an_exit_goes_on_its_way(
    broker: PaperBroker, tmp_path: Path
) -> None:
    with running(settings_for(broker, tmp_path, recovery=NO_AUDIT), broker) as copier:
        held = copier.buy(2, "125.00")
        copier.mapping(held, "alice", "filled")
        resting = copier.buy(2)
        copier.mapping(resting, "alice", "placed")
        broker.refuse("DH-906", Kind.CANCEL, ALICE, times=None)
        read_before = reads(broker)
        broker.cancel(LEADER, resting)
        eventually(lambda: writes(broker, Kind.CANCEL) >= 3, "it is tried again")
        leave(copier)
        copier.mapping(held, "alice", "filled")
        eventually(lambda: not [row for row in broker.positions(ALICE) if row["netQty"]], "alice has left")
        eventually(lambda: writes(broker, Kind.CANCEL) >= 4, "it is tried again")
        assert backs_off(broker, Kind.CANCEL)
        assert reads(broker) - read_before < 10 * writes(broker, Kind.CANCEL)
        broker.clear_faults()
        copier.mapping(resting, "alice", "cancelled")


def leave(copier: Copier) -> None:
    copier.buy(2, side="SELL", order_type="MARKET", price=0)


def test_modifications_that_the_broker_fails_at_back_off_and_do_not_replace_the_order(
    broker: PaperBroker, tmp_path: Path
) -> None:
    with running(settings_for(broker, tmp_path), broker) as copier:
        leader = copier.buy(2)
        copier.mapping(leader, "alice", "placed")
        broker.refuse("DH-908", Kind.MODIFY, ALICE, times=None)
        broker.modify(LEADER, leader, price="101.00")
        eventually(lambda: writes(broker, Kind.MODIFY) >= 4, "it is tried again")
        assert backs_off(broker, Kind.MODIFY)
        broker.clear_faults()
        eventually(lambda: copier.copy_of(leader, "alice")["price"] == 101.0, "it is modified")
        query = "SELECT modifications FROM copy_mappings WHERE follower = 'alice'"
        eventually(lambda: copier.rows(query) == [(1,)], "one modification was made")
        assert (writes(broker, Kind.PLACE), writes(broker, Kind.CANCEL)) == (1, 0)


def test_a_cancellation_that_is_accepted_and_not_carried_out_is_found_and_made_again(
    broker: PaperBroker, tmp_path: Path
) -> None:
    with running(settings_for(broker, tmp_path, recovery=NO_AUDIT), broker) as copier:
        leader = copier.buy(2)
        copier.mapping(leader, "alice", "placed")
        broker.faults.add(RestFault(Mischief.ANSWER, Kind.CANCEL, ALICE, status=202))
        broker.cancel(LEADER, leader)
        copier.mapping(leader, "alice", "cancelled")
        assert copier.copy_of(leader, "alice")["orderStatus"] == "CANCELLED"
        assert writes(broker, Kind.CANCEL) == 2


def test_a_modification_that_is_accepted_and_not_carried_out_is_found_and_made_again(
    broker: PaperBroker, tmp_path: Path
) -> None:
    with running(settings_for(broker, tmp_path, recovery=NO_AUDIT), broker) as copier:
        leader = copier.buy(2)
        copier.mapping(leader, "alice", "placed")
        broker.faults.add(RestFault(Mischief.SWALLOW, Kind.MODIFY, ALICE))
        broker.modify(LEADER, leader, price="101.00")
        eventually(lambda: copier.copy_of(leader, "alice")["price"] == 101.0, "it is modified")
        query = "SELECT modifications FROM copy_mappings WHERE follower = 'alice'"
        eventually(lambda: copier.rows(query) == [(1,)], "one modification was made")
        assert writes(broker, Kind.MODIFY) == 2


def test_what_a_quarantined_follower_left_behind_is_cancelled_however_often_that_is_refused(
    broker: PaperBroker, tmp_path: Path
) -> None:
    supervision = {"max_restarts": 0, "quarantine_retry": 3600.0}
    with running(settings_for(broker, tmp_path, supervision=supervision), broker) as copier:
        leader = copier.buy(2)
        copier.mapping(leader, "alice", "placed")
        address(copier, "alice").tell(Bomb(RuntimeError("again")))
        copier.logged("Actor alice quarantined")
        broker.refuse("DH-906", Kind.CANCEL, ALICE, times=None)
        broker.cancel(LEADER, leader)
        eventually(lambda: writes(broker, Kind.CANCEL) >= 4, "it is tried again")
        assert backs_off(broker, Kind.CANCEL)
        broker.clear_faults()
        eventually(lambda: copier.copy_of(leader, "alice")["orderStatus"] == "CANCELLED", "it is cancelled")
        asked = writes(broker, Kind.CANCEL)
        copier.logged("Order cancelled successfully follower=alice")
        assert writes(broker, Kind.CANCEL) == asked


def test_a_cancellation_of_what_has_ended_meanwhile_is_not_tried_for_ever(broker: PaperBroker, tmp_path: Path) -> None:
    """The order fills at the follower while the leader cancels his, and nothing tells of it but the order book."""
    with running(settings_for(broker, tmp_path, recovery=NO_AUDIT), broker) as copier:
        leader = copier.buy(2)
        copier.mapping(leader, "alice", "placed")
        broker.faults.add(FrameFault(ALICE, times=None, copies=0))
        broker.fill(ALICE, str(copier.copy_of(leader, "alice")["orderId"]))
        broker.cancel(LEADER, leader)
        copier.mapping(leader, "alice", "filled")
        assert writes(broker, Kind.CANCEL) == 1


@pytest.mark.parametrize("code", ["DH-905", "DH-906", "DH-910"])
def test_an_exit_that_is_refused_is_sent_again(broker: PaperBroker, tmp_path: Path, code: str) -> None:
    with running(settings_for(broker, tmp_path), broker) as copier:
        entry = copier.buy(4, 0, order_type="MARKET")
        copier.mapping(entry, "alice", "filled")
        broker.refuse(code, Kind.PLACE, ALICE, times=2)
        leaving = copier.buy(4, 0, side="SELL", order_type="MARKET")
        copier.mapping(leaving, "alice", "filled")
        ids = [write.payload["correlationId"] for write in broker.writes(ALICE) if write.kind == "place"]
        assert ids == [f"ct-{entry}-1", *[f"ct-{leaving}-1"] * 3]
