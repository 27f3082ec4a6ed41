"""A follower's own first moment: what the leader did before it is not copied to him."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from copytrade.app.changes.membership import note_followers
from copytrade.core.model.commands import client_id_key, since_key
from copytrade.paper.broker import PaperBroker
from copytrade.storage.database import Database, DatabaseUnusable
from tests.support.clocks import with_a_clock
from tests.support.copier import ALICE, BOB, LEADER, LOT, OPTION, Copier, running, settings_for

FOLLOWERS: list[dict[str, Any]] = [
    {"name": "alice", "client_id": ALICE, "access_token": "token-of-alice", "ratio": 1.0},
    {"name": "bob", "client_id": BOB, "access_token": "token-of-bob", "ratio": 0.5},
]


def buy(copier: Copier) -> str:
    return copier.buy(4, 0, order_type="MARKET")


@pytest.fixture
def orders(broker: PaperBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have three orders copied to alice alone, and filled, a minute ago."""
    _, move = with_a_clock(broker, monkeypatch)
    with running(settings_for(broker, tmp_path, followers=FOLLOWERS[:1]), broker) as copier:
        orders = [buy(copier) for _ in range(3)]
        for order in orders:
            copier.mapping(order, "alice", "filled")
    move(timedelta(minutes=1))
    return orders


def test_a_follower_that_comes_later_is_given_nothing_of_what_was_before(
    broker: PaperBroker, tmp_path: Path, orders: list[str]
) -> None:
    settings = settings_for(broker, tmp_path, followers=FOLLOWERS)
    with running(settings, broker) as copier:
        assert "orders=3" in copier.logged("Follower begins, earlier orders of the leader are left out follower=bob")
        for order in orders:
            assert copier.mapping(order, "bob", "skipped")[0] == "before_start"
        later = buy(copier)
        assert copier.copy_of(later, "bob")["quantity"] == 2 * LOT
    missed = broker.place(LEADER, side="BUY", security_id=OPTION, quantity=4 * LOT, price=0, order_type="MARKET")
    with running(settings, broker) as copier:
        copier.copy_of(missed, "bob")
        assert not any("are left out" in line for line in copier.log)
    assert len(broker.orders(BOB)) == 2


def test_the_whole_day_is_copied_to_a_follower_that_comes_later_where_the_settings_say_so(
    broker: PaperBroker, tmp_path: Path, orders: list[str]
) -> None:
    settings = settings_for(broker, tmp_path, followers=FOLLOWERS, recovery={"start_from": "today"})
    with running(settings, broker) as copier:
        for order in orders:
            copier.copy_of(order, "bob")


def test_a_follower_that_comes_back_begins_anew(broker: PaperBroker, tmp_path: Path, orders: list[str]) -> None:
    alone = settings_for(broker, tmp_path, followers=FOLLOWERS[1:])
    database = Database(alone.store.database)
    note_followers(database, settings_for(broker, tmp_path, followers=FOLLOWERS[:1]))
    with pytest.raises(DatabaseUnusable, match=f"follower alice: client_id {ALICE} holds .* under this name"):
        note_followers(database, settings_for(broker, tmp_path, followers=[{**FOLLOWERS[0], "client_id": BOB}]))
    before = database.config(since_key("alice"))
    note_followers(database, settings_for(broker, tmp_path, followers=FOLLOWERS))
    assert database.config(since_key("alice")) == before
    note_followers(database, alone)
    assert (database.config(since_key("alice")), database.config(client_id_key("alice"))) == ("", "")
    database.close()
    with running(settings_for(broker, tmp_path, followers=FOLLOWERS), broker) as copier:
        copier.logged("Follower begins, earlier orders of the leader are left out follower=alice")
