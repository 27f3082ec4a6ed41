"""Followers of fills: what has filled is copied, marketable, and what rests is not shown."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.reports.order import explain
from tests.support.copier import ALICE, LEADER, LOT, OPTION, Copier, running, settings_for
from tests.support.trading import net
from tests.support.waiting import eventually


@pytest.fixture
def follower_of_fills(broker: PaperBroker, tmp_path: Path) -> Iterator[Copier]:
    followers = [
        {"name": "alice", "client_id": ALICE, "access_token": "token-of-alice", "ratio": 0.5, "mode": "fills"},
    ]
    broker.set_price(OPTION, "101.50")
    with running(settings_for(broker, tmp_path, followers=followers), broker) as copier:
        yield copier


def _placed(copier: Copier) -> list[dict[str, Any]]:
    return [write.payload for write in copier.broker.writes(ALICE) if write.kind == "place"]


def test_pieces_are_followed_and_what_rests_is_not_shown(follower_of_fills: Copier) -> None:
    copier = follower_of_fills
    resting, cancelled = copier.buy(8, "100.00"), copier.buy(4, "99.00")
    copier.broker.modify(LEADER, resting, price="101.00")
    copier.broker.cancel(LEADER, cancelled)
    assert copier.mapping(cancelled, "alice", "skipped")[0] == "leader_cancelled"
    assert _placed(copier) == []

    pieces = [lambda: copier.broker.fill(LEADER, resting, 2 * LOT)] * 2
    copier.broker.call(lambda: [fill() for fill in pieces])  # at once, whatever else the machine does: one order
    eventually(lambda: net(copier.broker, ALICE) == 2 * LOT)
    (first,) = _placed(copier)
    assert (first["quantity"], first["orderType"], first["correlationId"]) == (2 * LOT, "LIMIT", f"ct-{resting}-1")
    assert first["price"] == pytest.approx(103.0, abs=0.05), "2 % above what the leader paid"

    copier.broker.fill(LEADER, resting, LOT)  # half a lot more: nothing
    copier.broker.fill(LEADER, resting, 3 * LOT)
    eventually(lambda: net(copier.broker, ALICE) == 4 * LOT)
    assert [(one["quantity"], one["correlationId"]) for one in _placed(copier)][1:] == [(2 * LOT, f"ct-{resting}-2")]

    assert f"mode fills: {4 * LOT} of {8 * LOT} filled" in explain(copier.settings.store.database, resting)
    leaving = copier.broker.place(LEADER, side="SELL", security_id=OPTION, quantity=8 * LOT, price="140.00")
    copier.broker.fill(LEADER, leaving, 4 * LOT)
    eventually(lambda: net(copier.broker, ALICE) == 2 * LOT)
    copier.broker.cancel(LEADER, leaving)
    out = copier.buy(4, 0, side="SELL", order_type="MARKET")
    copier.mapping(out, "alice", "filled")
    assert net(copier.broker, ALICE) == 0
    assert not [write for write in copier.broker.writes(ALICE) if write.kind in ("modify", "cancel")]


def test_what_had_filled_of_a_cancelled_order_stays_copied(follower_of_fills: Copier) -> None:
    copier = follower_of_fills
    resting = copier.buy(8, "100.00")
    copier.broker.fill(LEADER, resting, 4 * LOT)
    copier.broker.cancel(LEADER, resting)
    copier.mapping(resting, "alice", "filled")
    assert net(copier.broker, ALICE) == 2 * LOT
    out = copier.buy(4, 0, side="SELL", order_type="MARKET")
    copier.mapping(out, "alice", "filled")
    assert net(copier.broker, ALICE) == 0
