"""Orders of which nobody knows whether the broker has them: looked for, sent again on proof alone, never doubled."""

from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import FrameFault, Kind, Mischief, RestFault
from tests.support.asking import places, position
from tests.support.bombs import Bomb, address
from tests.support.copier import ALICE, CLIENTS, LEADER, LOT, OPTION, Copier, running, settings_for
from tests.support.waiting import eventually

#: So few seconds that a test can wait for proof.
WINDOW = 0.4
SOON = {"absence_window": WINDOW}


def live(copier: Copier, follower: str) -> list[object]:
    return [row["correlationId"] for row in copier.copies(follower) if row["orderStatus"] == "PENDING"]


def test_an_order_that_was_lost_on_its_way_is_sent_again_on_proof_of_its_absence(
    broker: PaperBroker, tmp_path: Path
) -> None:
    with running(settings_for(broker, tmp_path, recovery=SOON), broker) as copier:
        broker.faults.add(RestFault(Mischief.RESET, Kind.PLACE, ALICE))
        leader = copier.buy(4)
        copier.logged("Failed to place follower=alice")
        copier.logged("Order proven absent, decided anew follower=alice")
        copier.mapping(leader, "alice", "placed")
        assert (len(copier.copies("alice")), places(broker)) == (1, 2)


def test_other_orders_go_on_while_one_is_in_doubt(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_for(broker, tmp_path, recovery={"absence_window": 60.0}), broker) as copier:
        broker.faults.add(RestFault(Mischief.RESET, Kind.PLACE, ALICE))
        lost = copier.buy(4)
        copier.logged("outcome unknown")
        other = copier.buy(4)
        copier.copy_of(other, "alice")
        copier.mapping(lost, "alice", "pending")
        copier.copy_of(lost, "bob")
        assert places(broker) == 2


def test_reads_that_fail_prove_nothing(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_for(broker, tmp_path, recovery=SOON), broker) as copier:
        copier.copy_of(copier.buy(4), "alice")
        broker.faults.add(RestFault(Mischief.RESET, Kind.PLACE, ALICE))
        broker.faults.add(RestFault(Mischief.ANSWER, Kind.READ, ALICE, times=10**6, status=500, body="<html>"))
        lost = copier.buy(4)
        for text in ("Order book unreadable", "Search for an order failed"):
            eventually(lambda text=text: sum(text in line for line in copier.log) >= 3, f"{text} three times")
        copier.mapping(lost, "alice", "pending")
        assert places(broker) == 2
        broker.faults.clear()
        copier.mapping(lost, "alice", "placed")
        assert (len(copier.copies("alice")), places(broker)) == (2, 3)


def test_an_order_that_the_broker_shows_late_is_not_doubled(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_for(broker, tmp_path, recovery={"absence_window": 1.5}), broker) as copier:
        broker.faults.visibility_lag = 0.8
        broker.faults.add(FrameFault(ALICE, times=100, copies=0))
        broker.faults.add(RestFault(Mischief.RESET, Kind.PLACE, ALICE, accepted=True))
        leader = copier.buy(4)
        copier.logged("outcome unknown")
        copier.mapping(leader, "alice", "placed")
        assert (len(copier.copies("alice")), places(broker)) == (1, 1)


def test_the_brokers_delay_is_measured_and_the_window_grows_with_it(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_for(broker, tmp_path, recovery=SOON), broker) as copier:
        broker.faults.visibility_lag = 1.5
        copier.mapping(copier.buy(4), "alice", "placed")
        copier.logged("Broker shows orders late, absence is proven over a longer time follower=alice")
        broker.faults.add(FrameFault(ALICE, times=100, copies=0))
        broker.faults.add(RestFault(Mischief.RESET, Kind.PLACE, ALICE, accepted=True))
        leader = copier.buy(4)
        copier.logged("outcome unknown")
        copier.mapping(leader, "alice", "placed")
        assert (len(copier.copies("alice")), places(broker)) == (2, 2)


@pytest.mark.parametrize("filled", [False, True], ids=["resting", "filled"])
def test_a_twin_that_turns_up_late_is_cancelled_and_what_it_filled_taken_back(
    broker: PaperBroker, tmp_path: Path, filled: bool
) -> None:
    """The broker takes a request three seconds after it came, when its absence was proven long ago."""
    settings = settings_for(broker, tmp_path, recovery=SOON, dhan={"request_timeout": 0.3})
    with running(settings, broker) as copier:
        broker.faults.add(RestFault(Mischief.HANG, Kind.PLACE, ALICE, accepted=True, delay=3.0))
        leader = copier.buy(4, "100.00")
        copier.mapping(leader, "alice", "placed")
        if filled:
            broker.set_price(OPTION, "99.00")  # the leader's order and the copy are filled, and so is what comes later
        copier.logged("Late twin of an order at the broker, cancelling it follower=alice")
        if not filled:
            eventually(lambda: live(copier, "alice") == [f"ct-{leader}-1"], "one of two is cancelled")
        eventually(lambda: position(copier, "alice") == position(copier, "leader"), "the position is the leader's")
        assert position(copier, "alice") == (4 * LOT if filled else 0)


def test_a_database_that_was_lost_is_made_up_from_the_brokers_book(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path, recovery=SOON)
    with running(settings, broker) as copier:
        kept, cancelled, filled = copier.buy(4, "100.00"), copier.buy(4, "101.00"), copier.buy(4, "102.00")
        for leader in (kept, cancelled, filled):
            copier.mapping(leader, "alice", "placed")
            copier.mapping(leader, "bob", "placed")
        for name, order in (("leader", filled), *((n, copier.copy_of(filled, n)["orderId"]) for n in ("alice", "bob"))):
            broker.fill(CLIENTS[name], str(order))
        copier.mapping(filled, "alice", "filled")
    for path in tmp_path.glob("copy.db*"):
        path.unlink()
    broker.cancel(LEADER, cancelled)
    broker.modify(LEADER, kept, price="99.00")
    with running(settings, broker) as copier:
        assert "orders=3" in copier.logged("Orders of ours that the database does not know, waiting to adopt them")
        for follower in ("alice", "bob"):
            eventually(lambda follower=follower: copier.copy_of(kept, follower)["price"] == 99.0)
            eventually(lambda follower=follower: copier.copy_of(cancelled, follower)["orderStatus"] == "CANCELLED")
            copier.mapping(filled, follower, "filled")
        broker.place(LEADER, side="SELL", security_id=OPTION, quantity=4 * LOT, price=0, order_type="MARKET")
        eventually(lambda: position(copier, "alice") == position(copier, "bob") == 0, "the exit is copied")
        assert [len(copier.copies(follower)) for follower in ("alice", "bob")] == [4, 4]


def test_orders_with_our_ids_that_we_did_not_send_stop_entries_and_nothing_else(copier: Copier) -> None:
    before = copier.buy(4)
    copier.mapping(before, "alice", "placed")
    terms = {"side": "BUY", "security_id": OPTION, "quantity": LOT, "price": "99.00"}
    copier.broker.place(ALICE, correlation_id="ct-777-1", **terms)  # type: ignore[arg-type]
    copier.logged("Another copier sends orders for this account, entries stop follower=alice")
    after = copier.buy(4)
    assert copier.mapping(after, "alice", "skipped")[0] == "second_copier"
    copier.mapping(after, "bob", "placed")
    copier.broker.cancel(LEADER, before)
    copier.mapping(before, "alice", "cancelled")


def test_entries_wait_while_the_leaders_feed_is_dead(broker: PaperBroker, tmp_path: Path) -> None:
    """From its death on, not only from the start of its successor."""
    settings = settings_for(broker, tmp_path)
    with running(settings, broker) as copier:
        broker.faults.add(RestFault(Mischief.ANSWER, Kind.READ, LEADER, times=10**6, status=500))
        address(copier, "feed-leader").tell(Bomb(RuntimeError("a bug")))
        copier.logged("Actor feed-leader restarted")
        leader = copier.buy(4)
        copier.logged("Order book unreadable")
        assert not copier.copies("alice")
        broker.faults.clear()
        copier.copy_of(leader, "alice")
