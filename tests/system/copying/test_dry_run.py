"""A dry run: everything is read and decided, orders are recorded as they would have been sent, and none is."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from copytrade.common import wall_clock
from copytrade.core.model.commands import FLATTEN
from copytrade.paper.broker import PaperBroker
from copytrade.reports.day.text import report
from copytrade.reports.order import explain
from copytrade.storage.database import Database
from tests.support.bombs import Bomb, address
from tests.support.copier import ALICE, BOB, LEADER, LOT, OPTION, Copier, running
from tests.support.limited import answered, enter, leave, limited, net
from tests.support.waiting import eventually


@pytest.fixture
def copier(broker: PaperBroker, tmp_path: Path) -> Iterator[Copier]:
    """Run with alice dry and bob not."""
    with running(limited(broker, tmp_path, dry_run=True), broker) as copier:
        yield copier
    assert not broker.writes(ALICE)


def recorded(copier: Copier, leader_order_id: str, detail: str) -> list[tuple[Any, ...]]:
    """Wait until alice's record of a leader order says this, and return its rows."""
    query = (
        "SELECT n, part, status, reason, follower_quantity, follower_price, modifications, follower_order_id"
        " FROM copy_mappings WHERE leader_order_id = ? AND follower = 'alice' AND error_message LIKE ? ORDER BY n"
    )
    rows: list[tuple[Any, ...]] = eventually(
        lambda: copier.rows(query, leader_order_id, f"%{detail}%"),
        f"{detail}, not {copier.rows('SELECT error_message FROM copy_mappings WHERE follower = ?', 'alice')}",
    )
    return rows


def test_an_order_is_recorded_as_it_would_have_been_sent(copier: Copier) -> None:
    leader = copier.buy(4)
    (row,) = recorded(copier, leader, "would be placed, 0 of 260 filled")
    assert row == (1, "entry", "skipped", "dry_run", 260, 100.05, 0, "")
    line = copier.logged("Dry run, not sent: place follower=alice")
    assert "quantity=260" in line
    assert "price=100.05" in line
    copier.mapping(leader, "bob", "placed")
    copier.broker.modify(LEADER, leader, quantity=2 * LOT, price="99.50")
    (row,) = recorded(copier, leader, "would be placed, 0 of 130 filled")
    assert row[4:7] == (130, 99.5, 1)
    copier.broker.cancel(LEADER, leader)
    recorded(copier, leader, "would be cancelled, 0 of 130 filled")
    copier.mapping(leader, "bob", "cancelled")
    copier.logged("Dry run, not sent: cancel follower=alice")
    database = copier.settings.store.database
    assert "dry_run: The order that would have been sent" in explain(database, leader)
    ((day,),) = copier.rows("SELECT DISTINCT trade_date FROM copy_mappings")
    assert "alice skipped: dry_run 1" in report(database, date.fromisoformat(day))


def test_what_would_be_held_is_left_with_the_leader(copier: Copier) -> None:
    leader = copier.buy(4, "119.00")
    recorded(copier, leader, "0 of 260 filled")
    copier.broker.fill(LEADER, leader, 2 * LOT)
    recorded(copier, leader, "would be placed, 130 of 260 filled")
    copier.broker.fill(LEADER, leader)
    recorded(copier, leader, "would be filled, 260 of 260 filled")
    target = copier.broker.place(LEADER, side="SELL", security_id=OPTION, quantity=4 * LOT, price="140.00")
    (row,) = recorded(copier, target, "would be placed, 0 of 260 filled")
    assert row[1] == "exit"
    copier.broker.cancel(LEADER, target)
    recorded(copier, target, "would be cancelled")
    reversing = leave(copier, 6)
    assert [row[1] for row in recorded(copier, reversing, "would be filled")] == ["exit", "entry"]
    assert copier.rows("SELECT count(*) FROM ledger WHERE follower = 'alice'") == [(0,)]
    assert net(copier, BOB) == -LOT


def test_nothing_is_in_doubt_looked_up_or_measured_and_status_says_so(copier: Copier) -> None:
    for _ in range(3):
        recorded(copier, copier.buy(4), "would be placed")
    copier.system.log_status()
    line = eventually(lambda: next((line for line in copier.log if "STATUS alice" in line and "open=3" in line), None))
    assert "dry_run=yes" in line
    assert "in_doubt" not in line
    assert "requests=0" in line


def test_neither_a_crash_nor_a_restart_takes_it_for_an_order(broker: PaperBroker, tmp_path: Path) -> None:
    settings = limited(broker, tmp_path, dry_run=True)
    with running(settings, broker) as copier:
        held, resting = enter(copier), copier.buy(4)
        recorded(copier, held, "would be filled")
        recorded(copier, resting, "would be placed")
        address(copier, "alice").tell(Bomb(RuntimeError("a bug")))
        copier.logged("Actor alice restarted")
        after = copier.buy(4, "99.00")
        recorded(copier, after, "would be placed")
    with running(settings, broker) as copier:
        leaving = leave(copier)
        assert copier.mapping(leaving, "alice", "skipped")[0] == "nothing_held"
        recorded(copier, held, "would be filled")
    assert not broker.writes(ALICE)


def test_when_it_ends_what_rests_is_copied_and_what_was_filled_is_not(broker: PaperBroker, tmp_path: Path) -> None:
    with running(limited(broker, tmp_path, dry_run=True), broker) as copier:
        held, resting = enter(copier), copier.buy(4)
        recorded(copier, held, "would be filled")
        recorded(copier, resting, "would be placed")
    assert not broker.writes(ALICE)
    with running(limited(broker, tmp_path), broker) as copier:
        copier.mapping(resting, "alice", "placed")
        leaving = leave(copier)
        assert copier.mapping(leaving, "alice", "skipped")[0] == "nothing_held"
        copier.mapping(enter(copier, 2), "alice", "filled")
        assert net(copier, ALICE) == 2 * LOT
        assert next(row["correlationId"] for row in copier.copies("alice")) == f"ct-{resting}-1"


def test_what_is_at_the_broker_when_it_begins_is_left_and_counted_when_it_ends(
    broker: PaperBroker, tmp_path: Path
) -> None:
    with running(limited(broker, tmp_path), broker) as copier:
        held, resting = enter(copier), copier.buy(4)
        copier.mapping(held, "alice", "filled")
        copier.mapping(resting, "alice", "placed")
    sent = len(broker.writes(ALICE))
    with running(limited(broker, tmp_path, dry_run=True), broker) as copier:
        mine = str(copier.copy_of(resting, "alice")["orderId"])
        broker.fill(ALICE, mine)
        broker.fill(LEADER, resting)
        recorded(copier, copier.buy(4), "would be placed")
        database = Database(copier.settings.store.database)
        number = database.give_command(FLATTEN, "alice", wall_clock.now())
        database.close()
        assert answered(copier, number) == (0, "dry_run is set: nothing is sent")
    assert len(broker.writes(ALICE)) == sent
    with running(limited(broker, tmp_path), broker) as copier:
        copier.mapping(leave(copier, 8), "alice", "filled")
        eventually(lambda: net(copier, ALICE) == 0, "all of it is left")
