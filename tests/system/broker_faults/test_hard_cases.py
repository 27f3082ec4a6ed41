"""Sequences that once went wrong."""

from datetime import timedelta
from pathlib import Path

from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from copytrade.storage.database import Database
from copytrade.storage.records import ConfigSet
from tests.support.bombs import Bomb, address
from tests.support.copier import ALICE, LEADER, LOT, OPTION, Copier, running, settings_for
from tests.support.sql import locked
from tests.support.waiting import eventually

#: One instrument of each of four underlyings: security id, segment, quantity, product.
FOUR = (
    ("51000", "NSE_FNO", 60, "MARGIN"),
    ("82000", "BSE_FNO", 40, "MARGIN"),
    ("60001", "NSE_FNO", 1000, "MARGIN"),
    ("1594", "NSE_EQ", 10, "INTRADAY"),
)


def buy_four(broker: PaperBroker) -> None:
    for security_id, segment, quantity, product in FOUR:
        terms = {"security_id": security_id, "segment": segment, "quantity": quantity, "product": product}
        broker.place(LEADER, side="BUY", price="10.00", **terms)  # type: ignore[arg-type]


def cancelled(copier: Copier, leader: str) -> bool:
    return bool(copier.copy_of(leader, "alice")["orderStatus"] == "CANCELLED")


def test_an_order_of_yesterday_is_not_copied_again_by_a_restart(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path)
    database = Database(settings.store.database)
    database.write([ConfigSet("copying_since", "1700000000"), ConfigSet("copy_enabled", "true")])
    database.close()
    old = broker.place(LEADER, side="BUY", security_id=OPTION, quantity=4 * LOT, price="97.00")
    order = broker.exchange.order(LEADER, old)
    order.created_at -= timedelta(days=1)
    with running(settings, broker) as copier:
        copier.copy_of(old, "alice")
        copier.mapping(old, "alice", "placed")
    with running(settings, broker) as copier:
        copier.copy_of(copier.buy(4), "alice")
        assert [row["correlationId"] for row in copier.copies("alice")].count(f"ct-{old}-1") == 1


def test_a_cancellation_that_was_taken_and_came_to_nothing_is_made_again(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path, recovery={"audit_interval": 0.5})
    with running(settings, broker) as copier:
        leader = copier.buy(4)
        copier.mapping(leader, "alice", "placed")
        broker.faults.add(RestFault(Mischief.ANSWER, Kind.CANCEL, ALICE, status=202))
        broker.cancel(LEADER, leader)
        eventually(lambda: cancelled(copier, leader), "it is cancelled in the end")


def test_a_cancellation_does_not_wait_for_a_database_that_fails(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_for(broker, tmp_path, copy={"instruments": ["*"]}), broker) as copier:
        leader = copier.buy(4)
        copier.mapping(leader, "alice", "placed")
        with locked(copier.settings.store.database):
            broker.modify(LEADER, leader, price="101.00")
            buy_four(broker)
            copier.logged("Database failing, entries stop")
            broker.cancel(LEADER, leader)
            eventually(lambda: cancelled(copier, leader), "it is cancelled meanwhile")
            assert len(copier.copies("alice")) == 1
        eventually(lambda: len(copier.copies("alice")) == 5, "the entries follow")


def test_a_cancellation_does_not_wait_for_entries_that_hang(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path, copy={"instruments": ["*"]}, dhan={"request_timeout": 30.0})
    with running(settings, broker) as copier:
        leader = copier.buy(4)
        copier.mapping(leader, "alice", "placed")
        broker.faults.add(RestFault(Mischief.HANG, Kind.PLACE, ALICE, times=4))
        buy_four(broker)
        eventually(lambda: len(broker.writes(ALICE)) == 5, "four entries hang")
        broker.cancel(LEADER, leader)
        eventually(lambda: cancelled(copier, leader), "it is cancelled meanwhile")


def test_what_a_store_was_told_last_survives_its_death(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_for(broker, tmp_path), broker) as copier:
        with locked(copier.settings.store.database):
            shares = broker.place(
                LEADER, side="BUY", security_id="1594", segment="NSE_EQ", quantity=10, price="10.00", product="INTRADAY"
            )
            copier.logged("Order skipped: filtered_instrument")
            address(copier, "store").tell(Bomb(RuntimeError("a bug")))
        for follower in ("alice", "bob"):
            assert copier.mapping(shares, follower, "skipped")[0] == "filtered_instrument"
        eventually(lambda: copier.rows("SELECT * FROM orders WHERE id = ?", shares))
