"""What happens when the database does not take what it is told: entries stop, exits go on, nothing is lost."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import actors.system.shared_actors
from actors.messages.store import Write, Writer
from actors.store.group_commit import RETRY_AFTER
from actors.store.messages import Flush
from copytrade.core.model.accounts import AccountType
from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from copytrade.settings import Settings
from copytrade.storage.database import Database, DatabaseUnusable
from copytrade.storage.files.fallback_file import SideFile
from copytrade.storage.records import ConfigSet, OrderChanged
from tests.core.orders import an_order
from tests.support.bombs import Bomb, address
from tests.support.copier import ALICE, LEADER, LOT, OPTION, Copier, running, settings_for
from tests.support.sql import locked
from tests.support.waiting import eventually

#: How SQLite is made to fail, and how it is healed, on the connection that writes.
FAILURES = {
    "full": ("PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1000000"),
    "read-only": ("PRAGMA query_only = 1", "PRAGMA query_only = 0"),
}


class Failing(Database):
    """A database that fails, as SQLite does, while it is told to."""

    broken = threading.Event()
    failure = "full"

    def write(self, records: Any) -> None:
        super().write(self._to_be_taken(records))

    def intend(self, records: Any) -> None:
        super().intend(self._to_be_taken(records))

    def _to_be_taken(self, records: Any) -> list[Any]:
        records = list(records)
        breaks, heals = FAILURES[self.failure]
        if self.broken.is_set():
            self._connection.execute_sql(breaks)
            records *= 400 if self.failure == "full" else 1  # more than the pages that are there can hold
        else:
            self._connection.execute_sql(heals)
        return records


@contextmanager
def broken(how: str, copier: Copier) -> Iterator[None]:
    """Have the database fail for a while."""
    if how == "locked":
        with locked(copier.settings.store.database):
            yield
    else:
        Failing.broken.set()
        yield
        Failing.broken.clear()


@pytest.fixture(params=["locked", "full", "read-only"])
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    def open_database(settings: Settings) -> Database:
        return Failing(settings.store.database, synchronous=settings.store.synchronous)

    if request.param != "locked":
        monkeypatch.setattr(actors.system.shared_actors, "open_to_write", open_database)
        monkeypatch.setattr(Failing, "failure", request.param)
    yield request.param
    Failing.broken.clear()


def bought(copier: Copier) -> None:
    """Have the leader and both followers hold four lots and two."""
    leader = copier.buy(4, 0, order_type="MARKET")
    for follower in ("alice", "bob"):
        copier.mapping(leader, follower, "filled")


def sell(copier: Copier) -> str:
    return copier.broker.place(LEADER, side="SELL", security_id=OPTION, quantity=4 * LOT, price=0, order_type="MARKET")


def test_entries_stop_exits_and_cancellations_go_on_and_nothing_is_lost(how: str, copier: Copier) -> None:
    bought(copier)
    before = copier.buy(4)
    copier.mapping(before, "alice", "placed")
    with broken(how, copier):
        entry = copier.buy(4)
        copier.logged("Database failing, entries stop")
        copier.broker.cancel(LEADER, before)
        eventually(lambda: copier.copy_of(before, "alice")["orderStatus"] == "CANCELLED", "a cancellation passes")
        leaving = sell(copier)
        for follower in ("alice", "bob"):
            eventually(lambda follower=follower: copier.copy_of(leaving, follower)["orderStatus"] == "TRADED")
            assert f"ct-{entry}-1" not in [row["correlationId"] for row in copier.copies(follower)]
    copier.copy_of(entry, "alice")
    assert copier.logged("Database works again")
    copier.mapping(entry, "alice", "placed")
    copier.mapping(before, "alice", "cancelled")
    copier.mapping(leaving, "bob", "filled")
    assert not Path(f"{copier.settings.store.database}.unwritten").exists()


def test_what_a_failing_database_could_not_take_is_written_at_the_next_start(
    how: str, broker: PaperBroker, tmp_path: Path
) -> None:
    settings = settings_for(broker, tmp_path)
    with running(settings, broker) as copier:
        bought(copier)
        with broken(how, copier):
            leaving = sell(copier)
            for follower in ("alice", "bob"):
                eventually(lambda follower=follower: copier.copy_of(leaving, follower)["orderStatus"] == "TRADED")
            copier.system.stop()
            copier.logged("records kept for the next start")
    with running(settings, broker) as copier:
        copier.logged("Records from the side file written")
        for follower in ("alice", "bob"):
            copier.mapping(leaving, follower, "filled")
            assert [row["correlationId"] for row in copier.copies(follower)].count(f"ct-{leaving}-1") == 1


def test_an_exit_whose_answer_is_lost_while_the_database_fails_is_not_doubled_by_a_crash(
    how: str, copier: Copier
) -> None:
    bought(copier)
    with broken(how, copier):
        copier.broker.faults.add(RestFault(Mischief.RESET, Kind.PLACE, ALICE, accepted=True))
        leaving = sell(copier)
        copier.logged("outcome unknown")
        address(copier, "alice").tell(Bomb(RuntimeError("a bug")))
        copier.logged("Copies cannot be loaded")
    copier.mapping(leaving, "alice", "filled")
    assert [row["correlationId"] for row in copier.copies("alice")].count(f"ct-{leaving}-1") == 1


def test_with_the_side_file_failing_too_only_cancellations_pass(copier: Copier) -> None:
    bought(copier)
    resting = copier.buy(4)
    copier.mapping(resting, "alice", "placed")
    side_file = Path(f"{copier.settings.store.database}.unwritten")
    side_file.mkdir()
    with broken("locked", copier):
        leaving = sell(copier)
        copier.logged("Side file failing too, exits stop")
        copier.broker.cancel(LEADER, resting)
        eventually(lambda: copier.copy_of(resting, "alice")["orderStatus"] == "CANCELLED", "a cancellation passes")
        assert f"ct-{leaving}-1" not in [row["correlationId"] for row in copier.copies("alice")]
        side_file.rmdir()
        copier.copy_of(leaving, "alice")
    copier.mapping(leaving, "alice", "filled")


def test_a_failing_database_is_tried_in_its_time_however_much_there_is_to_write(
    copier: Copier, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[float] = []
    failing = threading.Event()
    write = Database.write

    def fail(database: Database, records: Any) -> None:
        if not failing.is_set():
            write(database, records)
            return
        tries.append(time.monotonic())
        raise DatabaseUnusable("on purpose")

    monkeypatch.setattr(Database, "write", fail)
    failing.set()
    address(copier, "store").tell(Write((ConfigSet("any", "value"),), Writer("a test", 1)))
    copier.logged("Database failing")
    for number in range(200):
        address(copier, "store").tell(Write((ConfigSet("any", str(number)),), Writer("a test", 1)))
        address(copier, "store").tell(Flush(everything=True))
    eventually(lambda: len(tries) >= 4, "it is tried again")
    failing.clear()
    copier.logged("Database works again")
    assert min(after - before for before, after in itertools.pairwise(tries)) > RETRY_AFTER / 2
    assert copier.rows("SELECT value FROM config WHERE key = 'any'") == [("199",)]


def test_a_side_file_that_was_written_before_a_kill_is_not_written_again(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path)
    side = SideFile(Path(f"{settings.store.database}.unwritten"))
    side.append([ConfigSet("any", "older")])
    database = Database(settings.store.database)
    database.claim(settings.mode, settings.leader.client_id)
    database.write([ConfigSet("any", "newer"), side.mark])
    database.close()
    with running(settings, broker) as copier:
        assert copier.rows("SELECT value FROM config WHERE key = 'any'") == [("newer",)]
        assert not side.path.exists()


def deleted(path: Path) -> None:
    path.unlink()


def moved(path: Path) -> None:
    path.rename(path.with_name("away.db"))


def replaced(path: Path) -> None:
    other = Database(str(path.with_name("other.db")))
    other.claim("live", LEADER)
    other.close()
    path.with_name("other.db").replace(path)


def without_its_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def without_its_index(path: Path) -> None:
    Path(f"{path}-shm").unlink()


def moved_with_its_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("away"))
    path.parent.mkdir()


GONE = [deleted, moved, replaced, without_its_log, without_its_index, moved_with_its_folder]


@pytest.mark.parametrize("gone", GONE)
def test_a_database_that_is_gone_is_noticed_while_nothing_happens_and_exits_go_on(
    gone: Callable[[Path], None], broker: PaperBroker, tmp_path: Path
) -> None:
    (tmp_path / "kept").mkdir()
    settings = settings_for(broker, tmp_path / "kept")
    path = Path(settings.store.database)
    with running(settings, broker) as copier:
        bought(copier)
        gone(path)
        assert "was deleted, moved or replaced while in use" in copier.logged("Database failing, entries stop")
        entry = copier.buy(4)
        leaving = sell(copier)
        for follower in ("alice", "bob"):
            eventually(lambda follower=follower: copier.copy_of(leaving, follower)["orderStatus"] == "TRADED")
            assert f"ct-{entry}-1" not in [row["correlationId"] for row in copier.copies(follower)]
    assert path.with_name("copy.db.unwritten").exists()
    assert "records kept for the next start" in "".join(copier.log)


def test_an_entry_does_not_leave_on_the_word_of_a_database_that_has_just_gone(
    broker: PaperBroker, tmp_path: Path
) -> None:
    settings = settings_for(broker, tmp_path)
    with running(settings, broker) as copier:
        bought(copier)
        Path(settings.store.database).unlink()
        entry = copier.buy(4)
        copier.logged("Database failing, entries stop")
        copier.broker.cancel(LEADER, entry)
        sold = sell(copier)
        for follower in ("alice", "bob"):
            copier.copy_of(sold, follower)
            assert f"ct-{entry}-1" not in [row["correlationId"] for row in copier.copies(follower)]


def test_a_database_that_is_put_back_takes_everything_that_has_waited(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path)
    path = Path(settings.store.database)
    with running(settings, broker) as copier:
        bought(copier)
        moved(path)
        copier.logged("Database failing, entries stop")
        leaving = sell(copier)
        for follower in ("alice", "bob"):
            eventually(lambda follower=follower: copier.copy_of(leaving, follower)["orderStatus"] == "TRADED")
        path.with_name("away.db").rename(path)
        copier.logged("Database works again")
        for follower in ("alice", "bob"):
            copier.mapping(leaving, follower, "filled")
        copier.mapping(copier.buy(4), "alice", "placed")
    assert not Path(f"{path}.unwritten").exists()


def test_a_database_that_comes_back_while_nothing_waits_works_again(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path)
    path = Path(settings.store.database)
    with running(settings, broker) as copier:
        moved(path)
        copier.logged("Database failing, entries stop")
        path.with_name("away.db").rename(path)
        copier.logged("Database works again")
        copier.mapping(copier.buy(4), "alice", "placed")


def test_a_store_that_dies_after_its_database_is_gone_makes_no_new_one(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path)
    path = Path(settings.store.database)
    with running(settings, broker, exit_code=70) as copier:
        bought(copier)
        path.unlink()
        copier.logged("Database failing, entries stop")
        address(copier, "store").tell(Bomb(RuntimeError("a bug")))
        copier.logged("was deleted, moved or replaced while in use")
        eventually(lambda: not copier.system.is_ready(), "the store cannot come back")
        copier.logged("Actor store cannot be kept alive")
    assert not path.exists()


def spoiled(side: SideFile) -> None:
    side.append([ConfigSet("any", "kept")])
    side.path.write_bytes(side.path.read_bytes() + b"[" * 100_000 + b"\n\x00\xff\n")


def a_folder(side: SideFile) -> None:
    side.path.mkdir()


def misfitting(side: SideFile) -> None:
    order = an_order(id="L1")
    side.append([OrderChanged("leader", AccountType.LEADER, order)])
    side.path.write_bytes(side.path.read_bytes().replace(b'"price":"', b'"price":"NaN","was":"', 1))


@pytest.mark.parametrize("spoil", [spoiled, a_folder, misfitting])
def test_a_side_file_that_cannot_be_read_is_told_of_and_set_aside(
    spoil: Callable[[SideFile], None], broker: PaperBroker, tmp_path: Path
) -> None:
    settings = settings_for(broker, tmp_path)
    side = SideFile(Path(f"{settings.store.database}.unwritten"))
    spoil(side)
    with running(settings, broker) as copier:
        assert copier.logged("Side file had lines that cannot be read, set aside").startswith("CRITICAL")
        copier.mapping(copier.buy(4), "alice", "placed")
        if spoil is spoiled:
            assert copier.rows("SELECT value FROM config WHERE key = 'any'") == [("kept",)]
        with broken("locked", copier):
            copier.buy(4)
            copier.logged("Database failing, entries stop")
        copier.logged("Database works again")
    assert Path(f"{side.path}.unreadable").exists()
    assert not side.path.exists()
