import hashlib
import re
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from copytrade.core.decide.decisions import Place, Skip
from copytrade.core.decide.desired_order import desired_order
from copytrade.core.engine.copies import transitions
from copytrade.core.model.accounts import AccountType
from copytrade.core.model.copies import Copy, LatencyBreakdown
from copytrade.core.model.ledger import Part, Ratio
from copytrade.core.model.orders import Order, Side, Status
from copytrade.core.model.reasons import Reason
from copytrade.reports.day.text import report
from copytrade.storage.database import Database, DatabaseUnusable
from copytrade.storage.records import ConfigSet, CopyChanged, OrderChanged, Record
from tests.core.asking import NIFTY, TERMS
from tests.core.orders import NOW, an_order
from tests.support.sql import opened

DAY = NOW.date()


def a_leader(order_id: str, quantity: int, average: str, **changes: Any) -> Order:
    order = an_order(id=order_id, quantity=quantity, symbol="NIFTY 24 NOV 26000 CALL", status=Status.TRADED)
    return replace(order, filled_quantity=quantity, average_price=Decimal(average), **changes)


BOUGHT = a_leader("L1", 260, "100.00")
SOLD = a_leader("L2", 130, "150.00", side=Side.SELL)
CANCELLED = an_order(id="L3", status=Status.CANCELLED)


def a_copy(leader: Order, follower: str, quantity: int, latency: float | None = None) -> Copy:
    fresh = Copy(leader.id, follower, DAY, NOW)
    place = Place(1, Part.ENTRY, desired_order(leader, quantity, NIFTY, TERMS), "arithmetic")
    ratio = Ratio(Fraction(quantity, leader.quantity), "given")
    pending = transitions.placing(fresh, place, ratio, "fixed_ratio")
    split = LatencyBreakdown(0.5, 0.0, 1.2, latency - 1.7) if latency is not None else None
    placed = transitions.accepted(pending, f"F-{follower}-{leader.id}", latency, split)
    return transitions.with_leader(placed, leader)


def ended(copy: Copy, leader: Order, status: Status, filled: int = 0, average: str = "0") -> Copy:
    order = replace(leader, id=copy.order_id, status=status, filled_quantity=filled, average_price=Decimal(average))
    return transitions.observed(copy, order, leader, busy=False)


def skipped(leader: Order, follower: str, reason: Reason) -> CopyChanged:
    return CopyChanged(transitions.skipped(Copy(leader.id, follower, DAY, NOW), Skip(reason, "because")), leader, NOW)


def a_day() -> list[Record]:
    refused = transitions.place_refused(replace(a_copy(BOUGHT, "carol", 65), order_id=""), "DH-906 no funds")
    bought = ended(a_copy(BOUGHT, "alice", 130, 10.0), BOUGHT, Status.TRADED, 130, "100.10")
    return [
        *(OrderChanged("leader", AccountType.LEADER, order) for order in (BOUGHT, SOLD, CANCELLED)),
        CopyChanged(replace(bought, fill_ms=31.0), BOUGHT, NOW),
        CopyChanged(ended(a_copy(SOLD, "alice", 65, 20.25), SOLD, Status.TRADED, 65, "149.60"), SOLD, NOW),
        CopyChanged(ended(a_copy(BOUGHT, "bob", 520, 7.5), BOUGHT, Status.CANCELLED, 260, "99.90"), BOUGHT, NOW),
        skipped(SOLD, "bob", Reason.ZERO_LOTS),
        skipped(CANCELLED, "bob", Reason.LEADER_CANCELLED),
        skipped(replace(CANCELLED, id="L4"), "bob", Reason.ZERO_LOTS),
        CopyChanged(refused, BOUGHT, NOW),
        CopyChanged(ended(a_copy(SOLD, "carol", 65), SOLD, Status.REJECTED), SOLD, NOW),
        CopyChanged(a_copy(BOUGHT, "dave", 65, 3.0), BOUGHT, NOW),
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "copy.db"


def written(path: Path, records: list[Record]) -> str:
    database = Database(str(path))
    database.write(records)
    database.close()
    return str(path)


def test_a_days_report(path: Path) -> None:
    assert report(written(path, a_day()), DAY).splitlines() == [
        "Copies of Monday 23 November 2026, times of India",
        "",
        "follower sent filled open fails skips late leader Rs follower Rs slippage  a unit   bps  p50  p99 ours fill",
        "alice       2      2    0     0     0    0  45500.00    22737.00   +39.00 +0.2000 +17.1 10.0 20.2  1.7 31.0",
        "bob         1      0    0     0     3    0  26000.00    25974.00   -26.00 -0.1000 -10.0  7.5  7.5  1.7    -",
        "carol       0      0    0     2     0    0      0.00        0.00        -       -     -    -    -    -    -",
        "dave        1      0    1     0     0    0  26000.00        0.00        -       -     -  3.0  3.0  1.7    -",
        "bob skipped: zero_lots 2, leader_cancelled 1",
        "carol failed: broker_refused 1, broker_rejected 1",
        "",
        "leader Rs: what the leader traded in orders copied. slippage: rupees, positive is worse whatever the side;",
        "bps of the copy's units at the leader's average. ms: from the leader's update to the broker's answer;",
        "ours: half of the copies spent no more than so many ms of that here, the rest was the broker's;",
        "fill: half of the copies were filled within so many ms of the update. late: sent, but taken up again,",
        "recovered after a gap, answered by the feed alone, or after a wait for the account; no ms counts them.",
        "",
        "alice, filled:",
        "time     leader order symbol                  side units leader avg copy avg  a unit     Rs   bps   ms",
        "10:15:01 L1           NIFTY 24 NOV 26000 CALL BUY    130   100.0000 100.1000 +0.1000 +13.00 +10.0 10.0",
        "10:15:01 L2           NIFTY 24 NOV 26000 CALL SELL    65   150.0000 149.6000 +0.4000 +26.00 +26.7 20.2",
        "",
        "bob, filled:",
        "time     leader order symbol                  side   units leader avg copy avg  a unit     Rs   bps  ms",
        "10:15:01 L1           NIFTY 24 NOV 26000 CALL BUY  260/520   100.0000  99.9000 -0.1000 -26.00 -10.0 7.5",
    ]


def test_it_fits_a_terminal_of_120_columns(path: Path) -> None:
    leader = replace(a_leader("112611230000001", 16250, "1250.0025"), symbol="BANKNIFTY 29 DEC 56500 CALL")
    copy = ended(a_copy(leader, "sixteen-letters-", 16250, 1234.5), leader, Status.TRADED, 16250, "1249.5075")
    database = written(path, [OrderChanged("leader", AccountType.LEADER, leader), CopyChanged(copy, leader, NOW)])
    text = report(database, DAY)
    assert "16250  1250.0025 1249.5075 -0.4950 -8043.75 -4.0 1234.5" in text
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize(
    ("side", "average", "slippage"),
    [
        (Side.BUY, "100.25", "+0.2500 +32.50 +25.0"),
        (Side.BUY, "99.75", "-0.2500 -32.50 -25.0"),
        (Side.SELL, "99.75", "+0.2500 +32.50 +25.0"),
        (Side.SELL, "100.25", "-0.2500 -32.50 -25.0"),
        (Side.SELL, "100.00", "0.00 0.00 0.00"),
    ],
)
def test_slippage_is_positive_where_the_follower_did_worse(path: Path, side: Side, average: str, slippage: str) -> None:
    leader = replace(BOUGHT, side=side)
    copy = ended(a_copy(leader, "alice", 130), leader, Status.TRADED, 130, average)
    text = report(
        written(path, [OrderChanged("leader", AccountType.LEADER, leader), CopyChanged(copy, leader, NOW)]), DAY
    )
    assert slippage in " ".join(text.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("multiplier", "rupees", "slippage"),
    [
        (Decimal(100), "20000.00 20010.00", "+5.0000 +10.00 +5.0"),
        (None, "0.00 0.00", "- - -"),
    ],
    ids=["of crude oil", "not known"],
)
def test_rupees_count_the_multiplier(path: Path, multiplier: Decimal | None, rupees: str, slippage: str) -> None:
    leader = a_leader("L1", 2, "100.00")
    copy = replace(a_copy(leader, "alice", 2), multiplier=multiplier)
    copy = ended(copy, leader, Status.TRADED, 2, "100.05")
    text = report(
        written(path, [OrderChanged("leader", AccountType.LEADER, leader), CopyChanged(copy, leader, NOW)]), DAY
    )
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert f"{rupees} " in next(line for line in lines if line.startswith("alice "))
    assert slippage in lines[-1]


def test_a_follower_that_filled_before_the_leader_has_no_slippage_yet(path: Path) -> None:
    leader = an_order(id="L1", symbol="")
    copy = ended(a_copy(leader, "alice", 130), leader, Status.TRADED, 130, "100.10")
    text = report(
        written(path, [OrderChanged("leader", AccountType.LEADER, leader), CopyChanged(copy, leader, NOW)]), DAY
    )
    assert text.splitlines()[-1].split() == [
        "10:15:01",
        "L1",
        "NSE_FNO",
        "45678",
        "BUY",
        "130",
        "-",
        "100.1000",
        *"----",
    ]


def test_a_copy_whose_leader_order_was_never_written_down(path: Path) -> None:
    copy = ended(a_copy(BOUGHT, "alice", 130), BOUGHT, Status.TRADED, 130, "100.10")
    text = report(written(path, [CopyChanged(copy, BOUGHT, NOW)]), DAY)
    assert text.splitlines()[-1].split()[:5] == ["10:15:01", "L1", "-", "-", "130"]


def test_a_day_without_copies_names_those_that_have_some(path: Path) -> None:
    database = written(path, [])
    assert report(database, DAY) == "There are no copies on 2026-11-23, nor on any other day."
    copies = [replace(a_copy(BOUGHT, "alice", 130), trade_date=DAY - timedelta(days=days)) for days in range(1, 13)]
    written(path, [CopyChanged(copy, BOUGHT, NOW) for copy in copies[:2]])
    assert report(database, DAY) == "There are no copies on 2026-11-23; there are on 2026-11-22, 2026-11-21."
    written(path, [CopyChanged(copy, BOUGHT, NOW) for copy in copies])
    assert report(database, DAY).endswith(", 2026-11-13 and 2 more.")


def test_reading_changes_and_creates_nothing(path: Path) -> None:
    database = written(path, a_day())
    before = hashlib.sha256(path.read_bytes()).digest(), path.stat().st_mtime_ns
    report(database, DAY)
    assert (hashlib.sha256(path.read_bytes()).digest(), path.stat().st_mtime_ns) == before
    assert list(path.parent.iterdir()) == [path]


def test_it_reads_what_is_committed_while_another_writes(path: Path) -> None:
    copier = Database(str(path))
    copier.write(a_day())
    alone = report(str(path), DAY)
    with opened(path) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM copy_mappings")
        assert report(str(path), DAY) == alone
        writer.execute("COMMIT")
    assert report(str(path), DAY).startswith("There are no copies")
    copier.close()


def test_a_database_can_be_named_by_a_url(path: Path) -> None:
    database = written(path, a_day())
    assert report(f"sqlite:///{database}", DAY) == report(database, DAY)
    assert list(path.parent.iterdir()) == [path]


def test_a_name_that_means_something_in_a_uri(tmp_path: Path) -> None:
    path = tmp_path / "a?mode=rwc#b %41.db"
    assert "alice" in report(written(path, a_day()), DAY)


@pytest.mark.parametrize("prefix", ["", "sqlite:///"])
def test_a_missing_file_is_named_and_not_created(path: Path, prefix: str) -> None:
    with pytest.raises(
        DatabaseUnusable, match=re.escape(f"{path}: cannot be read as a copier's database: there is no")
    ):
        report(f"{prefix}{path}", DAY)
    assert list(path.parent.iterdir()) == []


def test_what_is_no_database_is_refused(path: Path) -> None:
    path.write_text("junk" * 1000)
    with pytest.raises(DatabaseUnusable, match=r"copy\.db: cannot be read .* not a database"):
        report(str(path), DAY)


def test_a_database_of_something_else_is_refused(path: Path) -> None:
    with opened(path) as other:
        other.execute("CREATE TABLE orders (id TEXT)")
    with pytest.raises(DatabaseUnusable, match=r"no table allotments, .*, order_events$"):
        report(str(path), DAY)


def test_tables_of_another_version_are_refused(path: Path) -> None:
    database = written(path, [ConfigSet("schema_version", "99")])
    with pytest.raises(DatabaseUnusable, match="tables of version 99, this program reads version"):
        report(database, DAY)


def test_a_url_that_cannot_be_used_is_shown_without_its_password() -> None:
    with pytest.raises(DatabaseUnusable) as raised:
        report("oracle://trader:hunter2@host/copies", DAY)
    assert "oracle://host/copies: cannot be read" in str(raised.value)
    assert "hunter2" not in str(raised.value)
