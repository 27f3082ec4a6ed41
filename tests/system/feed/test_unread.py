"""What the broker says in odd words, of other accounts, or so that nobody can read it."""

from pathlib import Path
from typing import Any

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from copytrade.reports.order import explain
from tests.support.asking import figures_of
from tests.support.bombs import address
from tests.support.copier import ALICE, LEADER, Copier, running, settings_for
from tests.support.waiting import eventually

#: A row as of an order in a segment that is not known here.
COMMODITY = {
    "dhanClientId": ALICE,
    "orderId": "991126113000001",
    "correlationId": "NA",
    "orderStatus": "PENDING",
    "transactionType": "BUY",
    "exchangeSegment": "NSE_COMM",
    "productType": "MARGIN",
    "orderType": "LIMIT",
    "validity": "DAY",
    "securityId": "1",
    "quantity": 1,
    "price": 1.0,
}


def in_and_out(copier: Copier) -> tuple[str, str]:
    """Have the leader buy four lots and sell them, both filled at once; return the ids of his orders."""
    bought = copier.buy(4, "125.00")
    copier.mapping(bought, "alice", "filled")
    sold = copier.buy(4, "115.00", side="SELL")
    return bought, sold


@pytest.mark.parametrize("spelling", ["%d/%m/%Y %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "at %H o'clock"])
def test_an_exit_is_copied_however_its_times_are_spelt(copier: Copier, spelling: str) -> None:
    for told in ("frame", "row"):
        copier.broker.rewrite(told, spelling=spelling)
    _, sold = in_and_out(copier)
    copier.mapping(sold, "alice", "filled")


@pytest.mark.parametrize("odd", [[], {}, True, "?", -1])
def test_an_exit_is_copied_whatever_is_odd_about_it_that_does_not_decide(copier: Copier, odd: Any) -> None:
    frame = ("orderDateTime", "exchOrderTime", "lastUpdatedTime", "avgTradedPrice", "tradedPrice", "refLtp", "tickSize")
    row = ("createTime", "updateTime", "exchangeTime", "averageTradedPrice", "omsErrorDescription", "drvExpiryDate")
    copier.broker.rewrite("frame", put=dict.fromkeys(frame, odd))
    copier.broker.rewrite("row", put=dict.fromkeys(row, odd))
    _, sold = in_and_out(copier)
    copier.mapping(sold, "alice", "filled")


def test_an_odd_row_of_somebody_elses_keeps_nothing_in_doubt(broker: PaperBroker, tmp_path: Path) -> None:
    broker.add_row("row", ALICE, COMMODITY)
    with running(settings_for(broker, tmp_path, recovery={"absence_window": 1.0}), broker) as copier:
        copier.logged("Unreadable order-book row")
        broker.faults.add(RestFault(Mischief.RESET, Kind.PLACE, ALICE))
        leader = copier.buy(4)
        copier.mapping(leader, "alice", "placed")
        assert len(copier.copies("alice")) == 1
        assert sum("Unreadable order-book row" in line for line in copier.log) == 1


def test_a_row_that_may_be_ours_keeps_its_order_in_doubt(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_for(broker, tmp_path, recovery={"absence_window": 1.0}), broker) as copier:
        broker.mute_feed(ALICE)
        broker.rewrite("row", ALICE, put={"exchangeSegment": "NSE_COMM"})
        broker.faults.add(RestFault(Mischief.RESET, Kind.PLACE, ALICE, accepted=True))
        leader = copier.buy(4)
        copier.copy_of(leader, "alice")
        read = len(broker.reads(ALICE))
        eventually(lambda: len(broker.reads(ALICE)) > read + 12, "it is looked for again and again")
        assert len(copier.copies("alice")) == 1
        broker.clear_faults()
        copier.mapping(leader, "alice", "placed")
        assert len(copier.copies("alice")) == 1


def test_a_leg_that_waits_hides_nothing(broker: PaperBroker, tmp_path: Path) -> None:
    leg = COMMODITY | {"exchangeSegment": "NSE_FNO", "legName": "TARGET_LEG", "orderStatus": "DUMMY", "quantity": 0}
    broker.add_row("row", ALICE, leg)
    broker.add_row("row", ALICE, leg | {"orderId": "991126113000002", "orderStatus": "CONFIRM", "quantity": 65})
    with running(settings_for(broker, tmp_path, recovery={"absence_window": 1.0}), broker) as copier:
        broker.faults.add(RestFault(Mischief.RESET, Kind.PLACE, ALICE))
        leader = copier.buy(4)
        copier.mapping(leader, "alice", "placed")
        assert not any("Unreadable" in line for line in copier.log)


def test_a_frame_that_cannot_be_read_has_the_book_read_at_once(copier: Copier) -> None:
    copier.broker.rewrite("frame", LEADER, put={"status": "Parked"})
    leader = copier.buy(4)
    copier.mapping(leader, "alice", "placed")
    copier.mapping(leader, "bob", "placed")
    assert not any("CRITICAL" in line for line in copier.log)


def test_a_leader_order_that_cannot_be_read_at_all_is_told_and_on_record(copier: Copier) -> None:
    copier.broker.rewrite("frame", LEADER, put={"status": "Parked"})
    copier.broker.rewrite("row", LEADER, put={"orderStatus": "PARKED"})
    leader = copier.buy(4)
    for follower in ("alice", "bob"):
        reason, error, *_ = copier.mapping(leader, follower, "skipped")
        assert (reason, "PARKED" in error) == ("unreadable", True)
    assert f"order={leader}" in copier.logged("CRITICAL Leader order unreadable")
    copier.broker.clear_faults()
    copier.broker.modify(LEADER, leader, price="99.00")
    copier.mapping(leader, "alice", "placed")
    assert not copier.rows(
        "SELECT * FROM copy_mappings WHERE n = 0 AND leader_order_id = ? AND follower = 'alice'", leader
    )


def test_another_accounts_order_on_the_leaders_socket_is_told_once_and_ignored(copier: Copier) -> None:
    own = copier.buy(1)
    copier.mapping(own, "alice", "placed")
    copier.broker.rewrite("frame", LEADER, put={"clientId": 1000000999})
    copier.broker.rewrite("row", LEADER, put={"dhanClientId": "1000000999"})
    others = [copier.buy(4) for _ in range(3)]
    feed = address(copier, "feed-leader")
    eventually(lambda: "foreign=" in figures_of(feed), "they are counted")
    copier.broker.clear_faults()
    copier.broker.rewrite("frame", LEADER, put={"clientId": int(LEADER)})
    last = copier.buy(2)
    copier.mapping(last, "alice", "placed")
    copied = {row["correlationId"] for row in copier.copies("alice")}
    assert not copied & {f"ct-{other}-1" for other in others}
    assert sum("Order of another account ignored" in line for line in copier.log) == 1
    assert not any("CRITICAL" in line for line in copier.log)


def test_only_orders_of_another_account_are_critical(copier: Copier) -> None:
    copier.broker.rewrite("frame", LEADER, put={"clientId": "1000000999"})
    for _ in range(3):
        copier.buy(1)
    assert "1000000999" in copier.logged("CRITICAL The feed tells of another account's orders alone")


@pytest.mark.parametrize("parent", [112611300007, "112611300007", 112611300007.0])
def test_the_child_of_a_forever_order_is_copied(copier: Copier, parent: Any) -> None:
    """His stop fires: everybody is out. It names its parent, as a leg does, and is none."""
    bought = copier.buy(4, "125.00")
    copier.mapping(bought, "alice", "filled")
    child = copier.buy(
        4, "115.00", side="SELL", algo_order=parent, platform="FOVR", correlation_id="NR", source="P", leg=1
    )
    copier.mapping(child, "alice", "filled")
    copier.mapping(child, "bob", "filled")
    entered = copier.buy(2, "125.00", algo_order=parent, platform="FOVR", correlation_id="NR", leg=1)
    copier.mapping(entered, "alice", "filled")


def test_an_order_whose_frame_cannot_be_read_and_that_the_book_never_shows_is_told(copier: Copier) -> None:
    copier.broker.send_frame(LEADER, '{"Type": "order_alert", "Data": {"orderNo": "77", "status": "Parked"}}')
    reason, *_ = copier.mapping("77", "alice", "skipped")
    assert reason == "unreadable"
    assert "order=77" in copier.logged("CRITICAL Leader order unreadable")
    assert "could be read" in explain(copier.settings.store.database, "77")
