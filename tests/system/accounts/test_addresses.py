"""The address that an account's orders come from."""

from pathlib import Path

import pytest

from copytrade.app.paper_mode import with_paper_urls
from copytrade.paper.broker import PaperBroker
from tests.support.copier import ALICE, BOB, LEADER, running, settings_for
from tests.support.proxying import ConnectProxy
from tests.support.sql import locked
from tests.support.waiting import eventually


def followers(alice: str, bob: str) -> list[dict[str, object]]:
    return [
        {"name": name, "client_id": client, "access_token": f"token-of-{name}", "source_address": address}
        for name, client, address in (("alice", ALICE, alice), ("bob", BOB, bob))
    ]


def test_each_account_sends_from_its_own_address(broker: PaperBroker, tmp_path: Path) -> None:
    broker.register_addresses(ALICE, "127.0.0.2")
    broker.register_addresses(BOB, "127.0.0.9", "127.0.0.3")
    settings = settings_for(broker, tmp_path, followers=followers("127.0.0.2", "127.0.0.3"))
    with running(settings, broker) as copier:
        leader = copier.buy()
        copier.mapping(leader, "alice", "placed")
        copier.mapping(leader, "bob", "placed")
        broker.cancel(LEADER, leader)
        copier.mapping(leader, "bob", "cancelled")


def test_an_account_sends_through_its_proxy_alone(broker: PaperBroker, tmp_path: Path) -> None:
    broker.register_addresses(ALICE, "127.0.0.5")
    broker.register_addresses(BOB, "127.0.0.1")
    proxy = ConnectProxy(source="127.0.0.5")
    alice, bob = followers("", "127.0.0.1")
    alice |= {"source_address": None, "proxy": f"http://alice:canary@{proxy.address}"}
    try:
        with running(settings_for(broker, tmp_path, followers=[alice, bob]), broker) as copier:
            leader = copier.buy()
            copier.mapping(leader, "alice", "placed")
            copier.mapping(leader, "bob", "placed")
            broker.cancel(LEADER, leader)
            copier.mapping(leader, "alice", "cancelled")
            assert not any("canary" in line for line in copier.log)
    finally:
        proxy.stop()
    assert {head.split()[1] for head in proxy.heads} == {broker.rest_url.removeprefix("http://").removesuffix("/v2")}


def test_an_address_that_is_refused_halts_that_account_alone(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path, followers=followers("127.0.0.2", "127.0.0.3"))
    with running(settings, broker) as copier:
        before = copier.buy(price="101.00")
        copier.mapping(before, "alice", "placed")
        copier.mapping(before, "bob", "placed")
        broker.register_addresses(ALICE, "127.0.0.4")
        refused = copier.buy(price="100.00")
        said = copier.logged("Account suspended")
        assert "follower=alice" in said
        assert "Invalid IP" in said
        assert "register" in said
        assert "source_address" in said
        copier.mapping(refused, "bob", "placed")
        assert copier.mapping(refused, "alice", "skipped")[0] == "account_suspended"
        asked = len(broker.writes(ALICE))
        later = copier.buy(price="99.00")
        broker.cancel(LEADER, before)
        copier.mapping(later, "bob", "placed")
        copier.mapping(before, "bob", "cancelled")
        eventually(lambda: copier.rows("SELECT 1 FROM copy_mappings WHERE leader_order_id = ?", later), "it is noted")
        assert copier.mapping(later, "alice", "skipped")[0] == "account_suspended"
        assert len(broker.writes(ALICE)) == asked
        assert sum("Account suspended" in line for line in copier.log) == 1


def test_an_account_goes_on_by_itself_once_its_address_is_registered(
    broker: PaperBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.follower.parts.account_state.SUSPENDED_FOR", 0.5)
    with running(settings_for(broker, tmp_path, followers=followers("127.0.0.2", "127.0.0.3")), broker) as copier:
        before = copier.buy(price="101.00")
        copier.mapping(before, "alice", "placed")
        broker.register_addresses(ALICE, "127.0.0.4")
        refused = copier.buy(price="100.00")
        broker.cancel(LEADER, before)
        copier.logged("Account is refused still")
        broker.register_addresses(ALICE, "127.0.0.2")
        copier.mapping(before, "alice", "cancelled")
        copier.mapping(refused, "alice", "placed")
        copier.logged("Account goes on")
        assert sum("Account suspended" in line for line in copier.log) == 1


def test_what_waits_for_the_database_does_not_leave_once_the_address_is_refused(
    broker: PaperBroker, tmp_path: Path
) -> None:
    with running(settings_for(broker, tmp_path, followers=followers("127.0.0.2", "127.0.0.3")), broker) as copier:
        before = copier.buy(price="101.00")
        copier.mapping(before, "alice", "placed")
        copier.mapping(before, "bob", "placed")
        broker.register_addresses(ALICE, "127.0.0.4")
        with locked(copier.settings.store.database):
            waits = copier.buy(price="100.00")
            copier.logged("Database failing, entries stop")
            broker.cancel(LEADER, before)  # a cancellation waits for no database
            copier.logged("Account suspended")
        copier.mapping(waits, "bob", "placed")
        assert copier.mapping(waits, "alice", "skipped")[0] == "account_suspended"
        assert [write.kind for write in broker.writes(ALICE)] == ["place", "cancel"]


def test_paper_mode_ignores_addresses_that_are_for_the_real_broker(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path, followers=followers("203.0.113.7", "203.0.113.8"))
    direct = with_paper_urls(settings, broker)  # type: ignore[arg-type]
    assert [follower.source_address for follower in direct.followers] == [None, None]
