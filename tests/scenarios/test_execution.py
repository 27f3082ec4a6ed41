"""How orders fill on the two sides, and what is known of it."""

from datetime import timedelta
from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from tests.scenarios.copying import COPYING
from tests.support.bombs import Bomb, address
from tests.support.copier import ALICE, BOB, LEADER, LOT, Copier, running, settings_for
from tests.support.waiting import eventually


def enter(copier: Copier, lots: int = 4) -> None:
    """Have the leader buy, and everybody filled."""
    leader = copier.buy(lots, 0, order_type="MARKET")
    for follower in ("alice", "bob"):
        copier.mapping(leader, follower, "filled")


def net(copier: Copier, client_id: str) -> int:
    return sum(position.net for position in copier.broker.exchange.positions(client_id)) // LOT


def test_a_full_fill_is_on_record_with_its_price_and_its_delays(copier: Copier) -> None:
    enter(copier)
    query = "SELECT status, filled_quantity, average_price FROM orders WHERE account = 'bob'"
    assert copier.rows(query) == [("TRADED", 2 * LOT, 120.0)]
    ((latency, fill),) = copier.rows("SELECT latency_ms, fill_ms FROM copy_mappings WHERE follower = 'bob'")
    assert latency > 0
    assert fill > 0
    query = "SELECT decision_ms, permit_ms, request_ms, broker_ms FROM copy_mappings WHERE follower = 'bob'"
    (split,) = copier.rows(query)
    assert min(split) >= 0
    assert sum(split) == pytest.approx(latency)
    assert copier.rows("SELECT 1 FROM order_events WHERE account = 'bob' AND event_type = 'traded'")


def test_fills_in_parts_add_up(copier: Copier) -> None:
    leader = copier.buy(10, "100.00")
    order = copier.copy_of(leader, "alice")["orderId"]
    for lots, price in ((3, "100.00"), (4, "99.50"), (3, "99.00")):
        copier.broker.fill(ALICE, order, lots * LOT, price)
    copier.mapping(leader, "alice", "filled")
    query = "SELECT event_type FROM order_events WHERE order_id = ? AND event_type LIKE '%traded'"
    assert copier.rows(query, order) == [("part_traded",), ("part_traded",), ("traded",)]
    assert copier.rows("SELECT filled_quantity, average_price FROM orders WHERE id = ?", order) == [(10 * LOT, 99.5)]


def test_a_part_that_is_filled_is_known_while_the_rest_waits(copier: Copier) -> None:
    leader = copier.buy(4)
    copier.broker.fill(ALICE, copier.copy_of(leader, "alice")["orderId"], LOT)
    query = "SELECT follower_filled, follower_quantity FROM copy_mappings WHERE follower = 'alice'"
    eventually(lambda: copier.rows(query) == [(LOT, 4 * LOT)])


@pytest.mark.parametrize(("side", "paid", "slippage"), [("BUY", "101.00", 1.0), ("SELL", "99.00", 1.0)])
def test_slippage_is_positive_where_the_follower_did_worse(
    copier: Copier, side: str, paid: str, slippage: float
) -> None:
    price = "100.00" if side == "BUY" else "140.00"
    leader = copier.buy(4, price, side=side)
    order = copier.copy_of(leader, "bob")["orderId"]
    copier.broker.fill(LEADER, leader, price="100.00")
    copier.broker.fill(BOB, order, price=paid)
    assert copier.mapping(leader, "bob", "filled")[4] == slippage
    query = "SELECT slippage_rupees, slippage_bps FROM copy_mappings WHERE follower = 'bob'"
    eventually(lambda: copier.rows(query) == [(2 * LOT * slippage, 100.0)])


def test_a_copy_that_rests_after_the_leaders_fill_is_cancelled_and_reported(copier: Copier) -> None:
    leader = copier.buy(4)
    copier.copy_of(leader, "bob")
    copier.broker.fill(LEADER, leader)
    assert copier.mapping(leader, "bob", "cancelled")[0] == "unfilled"
    assert copier.logged("Follower order unfilled follower=bob")


def test_an_exit_that_rests_after_the_leaders_fill_is_made_to_happen(copier: Copier) -> None:
    enter(copier)
    leader = copier.buy(4, "130.00", side="SELL")
    copier.copy_of(leader, "bob")
    copier.broker.fill(LEADER, leader)
    copier.mapping(leader, "bob", "filled")
    assert net(copier, BOB) == 0


def test_a_follower_that_fills_first_just_goes_on(copier: Copier) -> None:
    leader = copier.buy(4)
    copier.broker.fill(ALICE, copier.copy_of(leader, "alice")["orderId"], price="100.00")
    copier.mapping(leader, "alice", "filled")
    copier.broker.fill(LEADER, leader, price="100.00")
    eventually(lambda: copier.mapping(leader, "alice", "filled")[4] == 0.0)


def test_four_lots_in_and_four_exits_of_one_lot_leave_everybody_flat(copier: Copier) -> None:
    enter(copier)
    held = []
    for _ in range(4):
        leader = copier.buy(1, 0, side="SELL", order_type="MARKET")
        copier.mapping(leader, "alice", "filled")
        eventually(
            lambda leader=leader: copier.rows(
                "SELECT 1 FROM copy_mappings WHERE leader_order_id = ?"
                " AND follower = 'bob' AND status IN ('filled', 'skipped')",
                leader,
            )
        )
        held.append((net(copier, ALICE), net(copier, BOB)))
    assert held == [(3, 1), (2, 1), (1, 0), (0, 0)]


def test_a_position_is_reversed_by_one_order(copier: Copier) -> None:
    enter(copier)
    copier.buy(8, 0, side="SELL", order_type="MARKET")
    eventually(lambda: (net(copier, LEADER), net(copier, ALICE), net(copier, BOB)) == (-4, -4, -2))
    parts = "SELECT part FROM copy_mappings WHERE follower = 'bob' AND status = 'filled' ORDER BY created_at, n"
    eventually(lambda: copier.rows(parts) == [("entry",), ("exit",), ("entry",)])


def test_a_target_and_a_stop_rest_together_and_the_one_makes_way_for_the_other(copier: Copier) -> None:
    enter(copier)
    target = copier.buy(4, "130.00", side="SELL")
    stop = copier.buy(4, "109.00", side="SELL", order_type="STOP_LOSS", trigger_price="110.00")
    assert [copier.copy_of(order, "bob")["quantity"] for order in (target, stop)] == [2 * LOT, 2 * LOT]
    copier.broker.set_price("45674", "130.00")
    copier.mapping(target, "bob", "filled")
    copier.mapping(stop, "bob", "cancelled")
    assert net(copier, BOB) == 0


def test_what_a_follower_trades_by_hand_is_left_alone(copier: Copier) -> None:
    by_hand = copier.broker.place(BOB, side="BUY", security_id="45674", quantity=3 * LOT, order_type="MARKET")
    enter(copier)
    leader = copier.buy(4, 0, side="SELL", order_type="MARKET")
    copier.mapping(leader, "bob", "filled")
    assert net(copier, BOB) == 3
    assert copier.rows("SELECT 1 FROM copy_mappings WHERE leader_order_id = ?", by_hand) == []


def test_what_was_sold_by_hand_is_not_sold_again(copier: Copier) -> None:
    enter(copier)
    copier.broker.place(BOB, side="SELL", security_id="45674", quantity=2 * LOT, order_type="MARKET")
    eventually(lambda: copier.rows("SELECT 1 FROM orders WHERE account = 'bob' AND side = 'SELL'"))
    leader = copier.buy(4, 0, side="SELL", order_type="MARKET")
    assert copier.mapping(leader, "bob", "skipped")[0] == "external_close"
    assert net(copier, BOB) == 0


def test_a_position_outlives_a_restart(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path, copy=COPYING)
    with running(settings, broker) as copier:
        enter(copier)
    with running(settings, broker) as copier:
        leader = copier.buy(2, 0, side="SELL", order_type="MARKET")
        for follower in ("alice", "bob"):
            copier.mapping(leader, follower, "filled")
        assert (net(copier, ALICE), net(copier, BOB)) == (2, 1)


def test_what_the_leader_held_before_copying_began_is_nobodys_to_exit(broker: PaperBroker, tmp_path: Path) -> None:
    terms = {"security_id": "45674", "order_type": "MARKET"}
    before = broker.exchange.order(LEADER, broker.place(LEADER, side="BUY", quantity=4 * LOT, **terms))
    before.created_at -= timedelta(hours=1)
    settings = settings_for(broker, tmp_path, copy=COPYING)
    with running(settings, broker) as copier:
        sold = broker.place(LEADER, side="SELL", quantity=2 * LOT, **terms)
        assert copier.mapping(sold, "alice", "skipped")[0] == "nothing_held"
        added = broker.place(LEADER, side="BUY", quantity=2 * LOT, **terms)
        copier.mapping(added, "alice", "filled")
        out = broker.place(LEADER, side="SELL", quantity=4 * LOT, **terms)
        copier.mapping(out, "alice", "filled")
        assert (net(copier, LEADER), net(copier, ALICE)) == (0, 0)


def test_a_position_outlives_the_crash_of_its_follower(copier: Copier) -> None:
    enter(copier)
    address(copier, "bob").tell(Bomb(RuntimeError("chaos")))
    copier.logged("Actor bob restarted")
    leader = copier.buy(2, 0, side="SELL", order_type="MARKET")
    for follower in ("alice", "bob"):
        copier.mapping(leader, follower, "filled")
    assert (net(copier, ALICE), net(copier, BOB)) == (2, 1)
