from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from msgspec.structs import replace

from copytrade.core.decide.decisions import Place, Skip
from copytrade.core.decide.desired_order import desired_order
from copytrade.core.engine.copies import transitions
from copytrade.core.model.accounts import AccountType
from copytrade.core.model.copies import Copy
from copytrade.core.model.ledger import Allocation, Line, LineKey, Part, Ratio, Role
from copytrade.core.model.orders import Product, Side, Status
from copytrade.core.model.reasons import Reason
from copytrade.storage.database import Database, DatabaseUnusable
from copytrade.storage.intent_log import IntentsUnusable
from copytrade.storage.records import (
    ConfigSet,
    CopyChanged,
    LedgerChanged,
    OrderChanged,
    RequestMade,
    lines_of,
    record_of,
)
from tests.core.asking import NIFTY, TERMS
from tests.core.orders import NOW, OPTION, an_order
from tests.support.sql import opened

LEADER = an_order(id="L123")
FRESH = Copy("L123", "alice", NOW.date(), NOW)


LINE = Line(LineKey(OPTION, Product.MARGIN), 260, 130, 130, Fraction(65, 2), 0, Ratio(Fraction(1, 3), "a third"), 65)
PLACE = Place(1, Part.ENTRY, desired_order(LEADER, 130, NIFTY, TERMS), "arithmetic")


def a_copy() -> Copy:
    return transitions.accepted(
        transitions.placing(FRESH, PLACE, Ratio(Fraction(1), "all"), "fixed_ratio"), "F456", 12.5
    )


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with opened(path) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "copy.db"


def test_the_operators_questions_are_answered(path: Path) -> None:
    database = Database(str(path))
    filled = transitions.observed(
        a_copy(),
        an_order(id="F456", status=Status.TRADED, filled_quantity=130, average_price=Decimal("101.15")),
        LEADER,
        busy=False,
    )
    filled = transitions.with_leader(filled, replace(LEADER, average_price=Decimal("101.05")))
    database.write(
        [
            OrderChanged("leader", AccountType.LEADER, LEADER),
            OrderChanged("alice", AccountType.FOLLOWER, an_order(id="F456", correlation_id="ct-L123-1")),
            CopyChanged(a_copy(), LEADER, NOW),
            CopyChanged(filled, LEADER, NOW),
            RequestMade("alice", "place", "{}", '{"orderId":"F456"}', 200, 8.5, NOW),
            ConfigSet("last_leader_event_ts", "1795409101"),
        ]
    )
    mapping = (
        "SELECT follower, follower_order_id, correlation_id, leader_quantity, follower_quantity, sizing_strategy, "
    )
    mapping += "ratio, status, leader_price, follower_price, slippage, latency_ms FROM copy_mappings"
    assert rows(path, f"{mapping} WHERE leader_order_id='L123'") == [
        ("alice", "F456", "ct-L123-1", 260, 130, "fixed_ratio", 1.0, "filled", 101.05, 101.15, 0.1, 12.5)
    ]
    assert rows(path, "SELECT account_type, correlation_id, price FROM orders WHERE id='F456'") == [
        ("follower", "ct-L123-1", 100.05)
    ]
    assert rows(path, "SELECT value FROM config WHERE key='last_leader_event_ts'") == [("1795409101",)]
    assert rows(path, "SELECT order_id, event_type FROM order_events") == [("L123", "pending"), ("F456", "pending")]
    assert rows(path, "SELECT action, status_code, duration_ms FROM audit_log") == [("place", 200, 8.5)]


def test_an_order_that_is_told_of_again_is_no_event(path: Path) -> None:
    seen = OrderChanged("leader", AccountType.LEADER, an_order())
    Database(str(path)).write([seen, seen])
    Database(str(path)).write([seen, OrderChanged("leader", AccountType.LEADER, an_order(price=Decimal(99)))])
    assert rows(path, "SELECT event_type FROM order_events") == [("pending",), ("pending",)]


def test_a_copy_comes_back_as_it_was_written(path: Path) -> None:
    Database(str(path)).write([CopyChanged(a_copy(), LEADER, NOW)])
    again = Database(str(path))
    assert again.copies("alice", NOW.date()) == [a_copy()]
    assert again.copies("bob", NOW.date()) == []
    assert again.copies("alice", NOW.date() + timedelta(days=1)) == []


def test_an_order_skipped_and_then_sent_after_all_is_one_row(path: Path) -> None:
    database = Database(str(path))
    skipped = transitions.skipped(FRESH, Skip(Reason.ZERO_LOTS, "too small"))
    database.write([CopyChanged(skipped, LEADER, NOW)])
    assert rows(path, "SELECT n, status, reason FROM copy_mappings") == [(0, "skipped", "zero_lots")]
    database.write([CopyChanged(a_copy(), LEADER, NOW)])
    assert rows(path, "SELECT n, status, reason FROM copy_mappings") == [(1, "placed", None)]


def test_several_databases_can_be_opened_at_once(tmp_path: Path) -> None:
    def use(number: int) -> list[str]:
        given = []
        for _ in range(10):
            database = Database(str(tmp_path / f"{number}.db"))
            database.claim("paper", "1")
            database.give_command("flatten", "alice", NOW)
            given = [command.follower for command in database.commands()]
            database.close()
        return given

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(use, range(4))) == [["alice"] * 10] * 4


def test_a_batch_is_written_whole_or_not_at_all(path: Path) -> None:
    database = Database(str(path))
    with pytest.raises(Exception, match=r"bind|adapt|type"):
        database.write([ConfigSet("a", "1"), ConfigSet("b", object())])  # type: ignore[arg-type]
    assert rows(path, "SELECT * FROM config") == []


def store_of(path: Path) -> Database:
    """Return the database as a store has it once it has written for the first time."""
    database = Database(str(path))
    database.take_over()
    assert database.is_behind
    database.write([])
    return database


PENDING = CopyChanged(transitions.placing(FRESH, PLACE, Ratio(Fraction(1), "all"), "fixed_ratio"), LEADER, NOW)
PLACED = CopyChanged(a_copy(), LEADER, NOW)
STATUSES = "SELECT status FROM copy_mappings"
INTENTS = "SELECT count(*) FROM intents"


def test_what_was_intended_is_in_its_tables_with_what_is_written_next(path: Path) -> None:
    database = store_of(path)
    assert not database.is_behind
    database.intend([PENDING, LedgerChanged("alice", LINE, NOW)])
    assert database.is_behind
    assert rows(path, STATUSES) == []
    database.write([PLACED])
    assert not database.is_behind
    assert rows(path, STATUSES) == [("placed",)]
    assert database.lines("alice") == [LINE]
    assert rows(path, INTENTS) == [(0,)]


def test_what_was_intended_before_a_crash_is_written_by_who_takes_over(path: Path) -> None:
    crashed = store_of(path)
    told = replace(PENDING, copy=replace(PENDING.copy, arithmetic="\u2028 one\nline"))
    crashed.intend([PENDING])
    crashed.intend([told])
    beside = Database(str(path))
    beside.claim("paper", "1")  # as a command does beside a copier that runs
    assert rows(path, INTENTS) == [(2,)]
    store_of(path)
    assert Database(str(path)).copies("alice", NOW.date()) == [told.copy]
    assert rows(path, INTENTS) == [(0,)]


def test_what_is_intended_before_the_first_write_takes_in_what_an_earlier_one_had(path: Path) -> None:
    store_of(path).intend([LedgerChanged("alice", LINE, NOW)])
    successor = Database(str(path))
    successor.take_over()
    successor.intend([PENDING])
    assert Database(str(path)).lines("alice") == [LINE]
    assert rows(path, STATUSES) == [("pending",)]
    assert rows(path, INTENTS) == [(0,)]


def test_one_that_was_replaced_can_neither_write_nor_intend_when_it_wakes(path: Path) -> None:
    replaced = store_of(path)
    replaced.intend([PENDING])
    successor = Database(str(path))
    successor.take_over()
    replaced.intend([LedgerChanged("alice", LINE, NOW)])  # before the other has written anything
    successor.write([PLACED])
    successor.intend([LedgerChanged("bob", LINE, NOW)])
    with pytest.raises(IntentsUnusable, match="taken over"):
        replaced.intend([PENDING])
    with pytest.raises(IntentsUnusable, match="taken over"):
        replaced.write([ConfigSet("a", "late")])
    assert rows(path, INTENTS) == [(1,)]
    successor.write([])
    assert rows(path, STATUSES) == [("placed",)]
    assert successor.config("a") is None
    assert [successor.lines(follower) for follower in ("alice", "bob")] == [[LINE], [LINE]]


def test_what_cannot_be_written_is_still_intended(path: Path) -> None:
    database = store_of(path)
    database.intend([PENDING])
    with pytest.raises(Exception, match=r"bind|adapt|type"):
        database.write([ConfigSet("b", object())])  # type: ignore[arg-type]
    assert (rows(path, INTENTS), rows(path, STATUSES)) == ([(1,)], [])
    database.write([])
    assert (rows(path, INTENTS), rows(path, STATUSES)) == ([(0,)], [("pending",)])


def test_intents_that_cannot_be_read_stay_and_stop_what_would_be_written(path: Path) -> None:
    database = store_of(path)
    database.intend([PENDING])
    with opened(path) as connection:
        connection.execute("""INSERT INTO intents (records) VALUES ('{"OfALaterVersion": {}}')""")
    successor = Database(str(path))
    successor.take_over()
    for _ in range(2):
        with pytest.raises(IntentsUnusable, match="OfALaterVersion is no kind of record"):
            successor.write([PLACED])
    assert (rows(path, INTENTS), rows(path, STATUSES)) == ([(2,)], [])


def test_paper_and_live_never_mix(path: Path) -> None:
    Database(str(path)).claim("paper", "1")
    Database(str(path)).claim("paper", "1")
    with pytest.raises(DatabaseUnusable, match="belongs to mode paper"):
        Database(str(path)).claim("live", "1")
    with pytest.raises(DatabaseUnusable, match="belongs to leader_client_id 1"):
        Database(str(path)).claim("paper", "2")


def test_what_is_no_database_is_refused(path: Path) -> None:
    path.write_text("junk" * 1000)
    with pytest.raises(DatabaseUnusable, match=r"copy\.db"):
        Database(str(path))
    with pytest.raises(DatabaseUnusable, match="nowhere"):
        Database(str(path.parent / "nowhere" / "copy.db"))


@pytest.mark.parametrize("synchronous", ["full", "normal"])
def test_a_commit_is_as_durable_as_the_settings_say(path: Path, synchronous: str) -> None:
    database = Database(str(path), synchronous=synchronous)
    assert database.durability() == ("wal", synchronous)


@pytest.mark.parametrize(("side", "slippage"), [(Side.BUY, Decimal("0.10")), (Side.SELL, Decimal("-0.10"))])
def test_slippage_is_positive_where_the_follower_did_worse(side: Side, slippage: Decimal) -> None:
    order = an_order(status=Status.TRADED, filled_quantity=130, average_price=Decimal("101.15"), side=side)
    copy = transitions.with_leader(replace(a_copy(), order=order), an_order(average_price=Decimal("101.05")))
    assert copy.slippage(side) == slippage


def test_the_ledger_comes_back_as_it_was_written(tmp_path: Path) -> None:
    allocation = Allocation(
        "L123", NOW.date(), NOW, LINE.key, Side.BUY, Role.ENTRY, 0, ratio=LINE.ratio, carry=Fraction(1, 3), wanted=130
    )
    path = str(tmp_path / "copy.db")
    Database(path).write([LedgerChanged("alice", LINE, NOW), LedgerChanged("alice", allocation, NOW)])
    again = Database(path)
    assert again.lines("alice") == [LINE]
    assert again.allocations("alice", NOW.date()) == [allocation]
    assert again.lines("bob") == again.allocations("bob", NOW.date()) == []


def test_records_keep_the_names_under_which_earlier_versions_stored_them() -> None:
    allocation = Allocation("L1", NOW.date(), NOW, LINE.key, Side.BUY, Role.ENTRY, 260)
    records = [PENDING, LedgerChanged("alice", LINE, NOW), LedgerChanged("alice", allocation, NOW)]
    lines = lines_of(records).splitlines()
    assert [line.split(b'"')[1] for line in lines] == [b"CopyChanged", b"LineChanged", b"AllotmentChanged"]
    assert [record_of(line) for line in lines] == records
