"""Two leaders in one instrument, over real sockets: each is copied as if he were alone."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from copytrade.common import wall_clock
from copytrade.core.model.orders import IST
from copytrade.paper.broker import PaperBroker
from copytrade.reports.day.copies import spreadsheet
from copytrade.reports.day.figures import day_figures
from copytrade.reports.status import Status, status_of
from copytrade.settings import Limits
from tests.support.asking import report
from tests.support.bombs import Bomb, address
from tests.support.copier import LOT, Copier, running
from tests.support.waiting import eventually
from tests.system.leaders.leading import IDS, accounts, holds, is_ready, rests, settings_of, trades


@pytest.fixture
def broker() -> Iterator[PaperBroker]:
    with PaperBroker(accounts()) as broker:
        yield broker


@pytest.fixture
def copier(broker: PaperBroker, tmp_path: Path) -> Iterator[Copier]:
    with running(settings_of(broker, tmp_path), broker, wait=False) as copier:
        is_ready(copier)
        yield copier


def copies_of(copier: Copier, leader_order: str, follower: str) -> list[tuple[str, str]]:
    """Return status and leader of a follower's rows for an order."""
    rows = "SELECT status, leader FROM copy_mappings WHERE leader_order_id = ? AND follower = ?"
    return copier.rows(rows, leader_order, follower)  # type: ignore[return-value]


def status_of_copier(copier: Copier) -> Status | None:
    """Return the status of now, None before the first."""
    snapshot = copier.system.snapshot
    names = [follower.name for follower in copier.settings.followers]
    return snapshot and status_of(snapshot, copier.settings.store.database, names, {"all": "open"})


def test_opposite_wishes_are_honoured_and_a_flat_leader_leaves_the_copies_of_him_flat_alone(copier: Copier) -> None:
    broker = copier.broker
    bought = trades(broker, "asha", "BUY", 4)
    for name, lots in (("bina", 4), ("chetan", 2)):
        holds(broker, name, lots)
    trades(broker, "dev", "SELL", 2)
    for name, lots in (("bina", 2), ("chetan", 1)):
        holds(broker, name, lots)
    trades(broker, "asha", "SELL", 4)
    for name, lots in (("bina", -2), ("chetan", -1)):
        holds(broker, name, lots)

    held = "SELECT leader, held FROM ledger WHERE follower = ? ORDER BY leader"
    for name, lots in (("bina", -2), ("chetan", -1)):
        eventually(lambda name=name, lots=lots: copier.rows(held, name) == [("asha", 0), ("dev", lots * LOT)])
    assert {leader for _, leader in copies_of(copier, bought, "bina")} == {"asha"}
    assert copier.logged(f"Placing follower order follower=bina leader=asha leader_order={bought}")

    eventually(lambda: report(copier, "bina").text == "bina: nothing differs", "each line is explained")
    hand = trades(broker, "bina", "BUY", 1)
    text = eventually(lambda: hand in (told := report(copier, "bina").text) and told, "what he closed is told")
    assert "MARGIN NIFTY 08 DEC 26000 CALL by dev: account -65, copied -130, leader -130 x 1.0000" in text
    assert "+65.00  external_close" in text
    trades(broker, "bina", "SELL", 1)
    status = eventually(lambda: (now := status_of_copier(copier)) and now.is_well and now, "all are live and in sync")
    assert [(leader.name, leader.gate) for leader in status.leaders] == [("asha", "open"), ("dev", "open")]

    day = day_figures(copier.settings.store.database, wall_clock.now().astimezone(IST).date(), Limits())
    held = {(one.follower, one.by, one.held, one.should_hold) for one in day.holdings if one.follower == "bina"}
    assert held == {("bina", "dev", -2 * LOT, -2 * LOT)}
    heads, *rows = spreadsheet(day.copies).splitlines()
    assert heads.endswith(",leader")
    assert {row.rpartition(",")[2] for row in rows} == {"asha", "dev"}

    trades(broker, "dev", "BUY", 2)
    for name in ("bina", "chetan"):
        holds(broker, name, 0)
    assert not any("CRITICAL" in line or "external_close" in line for line in copier.log)


def test_one_leaders_outage_or_crash_closes_the_gate_for_entries_from_him_alone(copier: Copier) -> None:
    broker = copier.broker
    trades(broker, "asha", "BUY", 2)
    holds(broker, "bina", 2)
    address(copier, "feed-asha").tell(Bomb(RuntimeError("a bug")))
    again = rests(broker, "dev", price="99.05")
    assert copier.mapping(again, "bina", "placed")
    copier.logged("Actor feed-asha restarted (1)")
    is_ready(copier)
    broker.drop_feed(IDS["asha"], refuse_for=600.0)
    eventually(lambda: not broker.feed_connections(IDS["asha"]))
    from_dev = rests(broker, "dev")
    assert copier.mapping(from_dev, "bina", "placed")
    trades(broker, "asha", "SELL", 2)
    holds(broker, "bina", 0)  # his book is read while his feed is down: exits go on
    from_asha = rests(broker, "asha")
    later = rests(broker, "dev", price="98.05")
    assert copier.mapping(later, "bina", "placed")
    assert not any(f"ct-{from_asha}-" in str(row["correlationId"]) for row in broker.orders(IDS["bina"]))
    for order in (from_dev, again, later):
        assert len(copies_of(copier, order, "chetan")) == 1


def test_a_leaders_feed_that_keeps_crashing_is_quarantined_and_the_other_leader_is_copied(
    broker: PaperBroker, tmp_path: Path
) -> None:
    supervision = {"max_restarts": 1, "backoff": 0.01, "backoff_max": 0.02}
    with running(settings_of(broker, tmp_path, supervision=supervision), broker, wait=False) as copier:
        is_ready(copier)
        for epoch in (1, 2):
            feed = address(copier, "feed-asha")
            eventually(lambda feed=feed, epoch=epoch: feed.is_taken and feed.epoch == epoch)
            feed.tell(Bomb(RuntimeError("again")))
        assert copier.logged("Actor feed-asha quarantined")
        assert copier.mapping(rests(broker, "dev"), "bina", "placed")


def test_each_is_copied_as_the_follower_says_and_by_those_alone_who_follow_him(
    broker: PaperBroker, tmp_path: Path
) -> None:
    bina = {"ratio": 1.0, "of": {"dev": {"ratio": 2.0, "max_lots": 3}}}
    settings = settings_of(broker, tmp_path, bina=bina, chetan={"ratio": 1.0, "leaders": ["asha"]})
    with running(settings, broker, wait=False) as copier:
        is_ready(copier)
        trades(broker, "dev", "BUY", 2)
        holds(broker, "bina", 3)
        trades(broker, "asha", "BUY", 1)
        holds(broker, "bina", 4)
        holds(broker, "chetan", 1)


def test_a_chain_copies_what_a_leader_does_himself_and_not_what_was_copied_for_him(
    broker: PaperBroker, tmp_path: Path
) -> None:
    settings = settings_of(
        broker,
        tmp_path,
        leaders=("asha", "bina"),
        bina={"ratio": 1.0},
        chetan={"ratio": 1.0, "leaders": ["bina"]},
    )
    with running(settings, broker, wait=False) as copier:
        is_ready(copier)
        trades(broker, "asha", "BUY", 3)
        holds(broker, "bina", 3)
        own = trades(broker, "bina", "SELL", 1)
        holds(broker, "chetan", -1)
        trades(broker, "bina", "BUY", 1)
        holds(broker, "chetan", 0)
        trades(broker, "asha", "SELL", 3)
        eventually(lambda: len(broker.orders(IDS["bina"])) == 4)
        eventually(lambda: [leader for _, leader in copies_of(copier, own, "chetan")] == ["bina"])
        types = dict(copier.rows("SELECT correlation_id <> '', account_type FROM orders WHERE account = 'bina'"))
        assert types == {0: "leader", 1: "follower"}
        assert len(broker.orders(IDS["chetan"])) == 2
        assert not any("own_order" in line or "Another copier" in line for line in copier.log)


def test_copies_outlive_a_restart_and_a_second_leader_who_comes_finds_those_of_the_first(
    broker: PaperBroker, tmp_path: Path
) -> None:
    alone = settings_of(broker, tmp_path, leaders=("asha",))
    with running(alone, broker, wait=False) as copier:
        is_ready(copier)
        trades(broker, "asha", "BUY", 2)
        holds(broker, "bina", 2)
        assert "leader=" not in copier.logged("Placing follower order").replace("leader=leader", "")
        eventually(lambda: copier.rows("SELECT held FROM ledger WHERE follower = 'bina'") == [(2 * LOT,)])
    before = trades(broker, "dev", "BUY", 1)
    placed = time.time()
    eventually(lambda: int(time.time()) > placed, "the broker's next second has begun")
    with running(settings_of(broker, tmp_path), broker, wait=False) as copier:
        is_ready(copier)
        trades(broker, "dev", "SELL", 2)  # what he held before is not copied: one lot leaves it, the other enters
        holds(broker, "bina", 1)
        assert copier.mapping(before, "bina", "skipped")[0] == "before_start"
        assert copier.logged("Follower begins, earlier orders of the leader are left out follower=bina leader=dev")
    with running(settings_of(broker, tmp_path), broker, wait=False) as copier:
        is_ready(copier)
        trades(broker, "asha", "SELL", 2)
        holds(broker, "bina", -1)
        trades(broker, "dev", "BUY", 1)
        holds(broker, "bina", 0)
