"""What an operator is told of a running copier is so: in sync, and if not on which lines and why."""

import stat
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from copytrade.common import wall_clock
from copytrade.core.model.commands import TRY_AGAIN
from copytrade.core.model.orders import IST
from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from copytrade.reports.day.text import report
from copytrade.reports.queries import copies_begun
from copytrade.reports.session import summary
from copytrade.reports.snapshot import open_to_read
from copytrade.reports.status import Difference, FollowerStatus, Status, status_of
from copytrade.storage.database import Database
from copytrade.storage.files.status_file import read_status, status_path
from tests.support.asking import switch
from tests.support.copier import ALICE, LOT, OPTION, Copier, running, settings_for
from tests.support.waiting import PATIENCE, eventually

EARLIER = datetime(2026, 1, 1, tzinfo=IST)


@pytest.fixture
def copier(broker: PaperBroker, tmp_path: Path) -> Iterator[Copier]:
    with running(settings_for(broker, tmp_path, recovery={"audit_interval": 0.2}), broker) as copier:
        yield copier


def status(copier: Copier) -> Status | None:
    database = copier.settings.store.database
    written = read_status(database)
    return written and status_of(written, database, ["alice", "bob"], {"all": "open"})


def until(copier: Copier, holds: Callable[[Status], object], what: str) -> Status:
    """Wait until the status says so, and return it."""

    def look() -> Status | None:
        found = status(copier)
        return found if found is not None and holds(found) else None

    found: Status = eventually(look, f"{what}, not {status(copier)}")
    return found


def of(found: Status, name: str) -> FollowerStatus:
    (one,) = (one for one in found.followers if one.name == name)
    return one


def entered(copier: Copier) -> str:
    order = copier.buy(4, 0, order_type="MARKET")
    for follower in ("alice", "bob"):
        copier.mapping(order, follower, "filled")
    return order


def test_everybody_is_live_and_in_sync_with_numbers_that_are_numbers(copier: Copier) -> None:
    entered(copier)
    found = until(copier, lambda found: found.is_well and of(found, "alice").latency.get("p50_ms"), "all is well")
    alice = of(found, "alice")
    assert (found.mode, [leader.gate for leader in found.leaders], alice.state) == ("live", ["open"], "live")
    assert (alice.differences, alice.paused, alice.in_doubt, alice.wanted) == ([], [], 0, 0)
    assert alice.latency["p99_ms"] >= alice.latency["ours_p50_ms"] > 0 < alice.latency["broker_p50_ms"]
    assert alice.budget["1s"] <= copier.settings.limits.per_second
    assert set(alice.budget) == {"1s", "60s", "3600s", "day"}
    assert {actor.name for actor in found.actors} >= {"store", "feed-leader", "alice", "bob", "feed-bob"}


def test_the_result_of_the_day_is_known_of_everybody_without_a_loss_limit(copier: Copier) -> None:
    entered(copier)
    copier.broker.set_price(OPTION, "130")
    found = until(
        copier,
        lambda found: all((of(found, name).day_result or {}).get("unrealised") for name in ("alice", "bob")),
        "positions are read",
    )
    result = of(found, "alice").day_result
    assert result is not None
    assert result["rupees"] == result["realised"] + result["unrealised"]
    assert isinstance(result["rupees"], float)


def test_who_is_paused_and_lacks_an_entry_is_not_in_sync_and_the_cause_is_told(copier: Copier) -> None:
    switch(copier, "bob", "false")
    copier.logged("Entries paused follower=bob")
    order = copier.buy(4, 0, order_type="MARKET")
    copier.mapping(order, "alice", "filled")
    copier.mapping(order, "bob", "skipped")
    found = until(
        copier, lambda found: of(found, "bob").differences and of(found, "bob").state == "paused", "he lacks it"
    )
    bob = of(found, "bob")
    assert (bob.in_sync, bob.is_live, bob.state, found.is_well) == (False, False, "paused", False)
    (gap,) = bob.differences
    assert (gap.instrument, gap.cause, gap.detail) == (f"NSE_FNO:{OPTION}", "skipped", "copying_disabled")
    assert (gap.units, gap.leader_order) == (-2 * LOT, order)
    (pause,) = bob.paused
    assert (pause.of, pause.end) == ("bob", "run.py resume bob")
    switch(copier, "bob", "true")
    found = until(copier, lambda found: of(found, "bob").state == "live", "bob enters again")
    assert not of(found, "bob").in_sync, "the entry that he lacks is still lacking"
    assert not of(found, "bob").paused


def test_trades_of_other_hands_are_told_and_are_no_fault_of_the_copies(copier: Copier) -> None:
    entered(copier)
    copier.broker.place(ALICE, side="BUY", security_id=OPTION, quantity=LOT, price=0, order_type="MARKET")
    found = until(copier, lambda found: of(found, "alice").differences, "the trade by hand is told")
    (gap,) = of(found, "alice").differences
    assert (gap.units, gap.cause, gap.is_meant, of(found, "alice").in_sync) == (LOT, "manual", True, True)


def test_the_last_alert_is_told(copier: Copier) -> None:
    entered(copier)
    copier.broker.place(ALICE, side="SELL", security_id=OPTION, quantity=LOT, price=0, order_type="MARKET")
    found = until(copier, lambda found: of(found, "alice").alerts and not of(found, "alice").in_sync, "the alert")
    (alert,) = of(found, "alice").alerts
    assert (alert["kind"], "follower=alice" in alert["text"]) == ("drift", True)
    assert not of(found, "bob").alerts
    (gap,) = of(found, "alice").differences
    assert isinstance(gap, Difference)
    assert (gap.units, gap.cause) == (-LOT, "external_close")


def test_the_file_is_the_users_alone_and_goes_with_the_copier(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path)
    path = status_path(settings.store.database)
    with running(settings, broker):
        eventually(path.exists, "it is written")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()
    assert not list(tmp_path.glob("*.status*"))


def test_a_copier_whose_status_cannot_be_written_copies_on(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path)
    status_path(settings.store.database).mkdir()
    with running(settings, broker) as copier:
        copier.logged("Status cannot be written")
        order = copier.buy(4)
        copier.mapping(order, "alice", "placed")


DELAYS = "SELECT latency_ms, fill_ms FROM copy_mappings WHERE leader_order_id = ? AND follower = ? AND n = 1"


def delays(copier: Copier, order: str, follower: str) -> tuple[float | None, float | None]:
    (row,) = copier.rows(DELAYS, order, follower)
    return row[0], row[1]


def late(copier: Copier, follower: str) -> tuple[int, int]:
    """Return how many copies of a follower are late, by the summary and by the day's report."""
    database = copier.settings.store.database
    with open_to_read(database) as connection:
        told = summary(copies_begun(connection, EARLIER), 1.0)
    texts = told, report(database, wall_clock.now().astimezone(IST).date())
    found = []
    for text in texts:
        lines = text.splitlines()
        heads, row = (next(line for line in lines if line.startswith(word)) for word in ("follower", follower))
        found.append(int(row.split()[heads.split().index("late")]))
    return found[0], found[1]


def test_what_is_taken_up_again_is_late_and_has_no_latency(copier: Copier) -> None:
    entered(copier)
    switch(copier, "alice", "false")
    copier.logged("Entries paused follower=alice")
    order = copier.buy(4, 0, order_type="MARKET")
    copier.mapping(order, "alice", "skipped")
    copier.mapping(order, "bob", "filled")
    switch(copier, "alice", "true")
    copier.logged("Entries resumed follower=alice")
    database = Database(copier.settings.store.database)
    database.give_command(f"{TRY_AGAIN} {order} {4 * LOT}", "alice", wall_clock.now())
    database.close()
    copier.mapping(order, "alice", "filled")
    assert delays(copier, order, "alice") == (None, None)
    assert None not in delays(copier, order, "bob")
    assert (late(copier, "alice"), late(copier, "bob")) == ((1, 1), (0, 0))


def test_what_waits_for_the_account_is_late_and_has_no_latency(copier: Copier) -> None:
    busy = '{"errorType": "Rate_Limit", "errorCode": "DH-904", "errorMessage": "Too many requests"}'
    copier.broker.faults.add(RestFault(Mischief.ANSWER, Kind.PLACE, ALICE, status=429, body=busy, times=1))
    order = copier.buy(4, 0, order_type="MARKET")
    for follower in ("alice", "bob"):
        copier.mapping(order, follower, "filled")
    assert delays(copier, order, "alice") == (None, None)
    assert None not in delays(copier, order, "bob")
    assert (late(copier, "alice"), late(copier, "bob")) == ((1, 1), (0, 0))
    live = copier.buy(4, 0, order_type="MARKET")
    copier.mapping(live, "alice", "filled")
    assert None not in delays(copier, live, "alice")


def test_a_fill_that_the_feed_has_not_told_yet_is_not_shown_as_a_trade_by_hand(copier: Copier) -> None:
    copier.broker.lag(ALICE, feed=PATIENCE, book=PATIENCE)
    began = wall_clock.now()
    order = copier.buy(4, 0, order_type="MARKET")
    copier.mapping(order, "bob", "filled")
    shown: list[list[Difference]] = []

    def is_read_since() -> bool:
        snapshot, found = copier.system.snapshot, status(copier)
        alice = snapshot and snapshot.actor("alice")
        shown.append(of(found, "alice").differences if found else [])
        read = alice and alice.details.get("positions_read")
        return bool(read) and datetime.fromisoformat(read) > began

    eventually(is_read_since, "alice's positions are read")
    assert not [one for differences in shown for one in differences if one.cause == "manual"]
