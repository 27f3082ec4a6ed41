"""Settings that change while it copies: they reach every incarnation of a follower."""

from pathlib import Path
from typing import Any

from copytrade.app.changes.settings_changes import compare
from tests.support.bombs import Bomb, address
from tests.support.copier import ALICE, BOB, LEADER, LOT, Copier, settings_for


def followers(**of_alice: Any) -> list[dict[str, Any]]:
    return [
        {"name": "alice", "client_id": ALICE, "access_token": "token-of-alice", "ratio": 1.0, **of_alice},
        {"name": "bob", "client_id": BOB, "access_token": "token-of-bob", "ratio": 0.5},
    ]


def change(copier: Copier, tmp_path: Path, **of_alice: Any) -> None:
    new = settings_for(copier.broker, tmp_path, followers=followers(**of_alice))
    changes = compare(copier.settings, new, can_join=False)
    copier.system.take(changes)
    copier.settings = changes.settings


def test_a_follower_that_is_restarted_copies_by_the_new_settings(copier: Copier, tmp_path: Path) -> None:
    change(copier, tmp_path, max_lots=1)
    assert copier.copy_of(copier.buy(4), "alice")["quantity"] == LOT
    address(copier, "alice").tell(Bomb(RuntimeError("a bug")))
    copier.logged("Actor alice restarted (1)")
    assert copier.copy_of(copier.buy(4), "alice")["quantity"] == LOT


def test_a_limit_counts_what_was_entered_before_it_was_set(copier: Copier, tmp_path: Path) -> None:
    copier.mapping(copier.buy(4), "alice", "placed")
    change(copier, tmp_path, max_orders_per_day=1)
    entry = copier.buy(4, "99.00")
    assert copier.mapping(entry, "alice", "skipped")[0] == "max_orders_per_day"
    change(copier, tmp_path)
    copier.mapping(copier.buy(4, "98.00"), "alice", "placed")


def test_a_disabled_follower_enters_nothing_and_leaves_what_he_holds(copier: Copier, tmp_path: Path) -> None:
    copier.mapping(copier.buy(4, 0, order_type="MARKET"), "alice", "filled")
    change(copier, tmp_path, enabled=False)
    entry = copier.buy(4, "99.00")
    assert copier.mapping(entry, "alice", "skipped")[0] == "copying_disabled"
    leaving = copier.buy(4, 0, side="SELL", order_type="MARKET")
    copier.mapping(leaving, "alice", "filled")


def test_a_follower_that_monitors_enters_nothing_and_leaves_what_he_holds(copier: Copier, tmp_path: Path) -> None:
    copier.mapping(copier.buy(4, 0, order_type="MARKET"), "alice", "filled")
    resting = copier.buy(4, "98.00")
    copier.mapping(resting, "alice", "placed")
    change(copier, tmp_path, mode="monitor")
    entry = copier.buy(4, "99.00")
    assert copier.mapping(entry, "alice", "skipped")[:2] == (
        "copying_disabled",
        'mode = "monitor" in the settings: nothing is entered, exits go on',
    )
    copier.broker.cancel(LEADER, resting)
    copier.mapping(resting, "alice", "cancelled")
    copier.mapping(copier.buy(2, 0, side="SELL", order_type="MARKET"), "alice", "filled")
    change(copier, tmp_path, mode="orders", lots={"NIFTY": 0.5})
    assert copier.copy_of(entry, "alice")["quantity"] == 4 * LOT, "the line is open, and keeps its ratio"
    copier.broker.cancel(LEADER, entry)
    copier.mapping(copier.buy(2, 0, side="SELL", order_type="MARKET"), "alice", "filled")
    assert copier.copy_of(copier.buy(4, "97.00"), "alice")["quantity"] == 2 * LOT


def test_a_strategy_counts_from_when_the_line_is_flat(copier: Copier, tmp_path: Path) -> None:
    def filled(side: str, lots: int) -> int:
        order = copier.buy(lots, 0, side=side, order_type="MARKET")
        copier.mapping(order, "alice", "filled")
        return int(copier.copy_of(order, "alice")["quantity"])

    assert filled("BUY", 4) == 4 * LOT
    change(copier, tmp_path, sizing="fixed_lots", lots=1)
    assert filled("BUY", 2) == 2 * LOT
    address(copier, "alice").tell(Bomb(RuntimeError("a bug")))
    goes_on = "Line goes on as it was opened, until it is flat follower=alice"
    assert copier.logged(goes_on).endswith(f'line="{6 * LOT} of 45674 MARGIN" ratio=1\n')
    assert filled("SELL", 6) == 6 * LOT
    assert filled("BUY", 4) == LOT
    change(copier, tmp_path)
    assert filled("BUY", 2) == LOT
    assert filled("SELL", 6) == 2 * LOT
    assert filled("BUY", 2) == 2 * LOT
