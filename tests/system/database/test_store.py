"""The store's actor with a database of its own, and a clock that rings when it is told to."""

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from actors.messages.store import CopiesLoaded, IntentRecorded, LoadCopies, RecordIntent, StoreMessage, Write, Writer
from actors.runtime.actor import ActorUp, Incarnation
from actors.runtime.address import Address
from actors.store.actor import Store
from actors.store.group_commit import RETRY_AFTER
from actors.store.messages import Flush
from copytrade.core.model.ledger import Part
from copytrade.storage.database import Database
from copytrade.storage.files.fallback_file import SideFile
from copytrade.storage.records import ConfigSet, CopyChanged, Record, RequestMade
from tests.core.asking import resting
from tests.core.orders import an_order
from tests.support.sql import locked, opened
from tests.support.waiting import PATIENCE, eventually

TODAY = datetime.now(UTC)
EARLIER = CopyChanged(resting(leader_order_id="6", trade_date=TODAY.date()), an_order(id="6"), TODAY)
EXIT = CopyChanged(resting(trade_date=TODAY.date(), part=Part.EXIT), an_order(), TODAY)
REQUEST = RequestMade("alice", "place", "POST /orders", "{}", 200, 8.5, TODAY)
ALICE = Writer("alice", 1)

COPIES, REQUESTS = "SELECT * FROM copy_mappings", "SELECT action FROM audit_log"


class Stopped:
    """A clock that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[float, Any]] = []

    def tell_later(self, seconds: float, _address: Address[StoreMessage], message: StoreMessage) -> None:
        self.told.append((seconds, message))

    def rings(self, address: Address[StoreMessage]) -> bool:
        """Tell everything that it keeps."""
        told, self.told = self.told, []
        return all(address.tell(message) for _, message in told)


class Inbox:
    """A follower, as a store sees one."""

    name = "alice"

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def tell(self, message: Any) -> bool:
        self._messages.put(message)
        return True

    def next(self) -> Any:
        return self._messages.get(timeout=PATIENCE)


class Rig:
    """A store on one database, one incarnation after the other."""

    def __init__(self, folder: Path) -> None:
        self.path, self.side_file = folder / "copy.db", folder / "unwritten"
        self.clock, self.follower = Stopped(), Inbox()
        self.address: Address[StoreMessage] = Address("store")
        Database(str(self.path)).claim("live", "1")

    @contextmanager
    def store(self, database: type[Database] = Database) -> Iterator[None]:
        """Have a store sit there."""
        ups: queue.SimpleQueue[Any] = queue.SimpleQueue()
        epoch = self.address.epoch + 1
        ref = Store.start(
            Incarnation(self.address, epoch, ups.put),
            self.clock,
            lambda: database(str(self.path)),
            SideFile(self.side_file),
            lambda: TODAY,
        )
        self.address.take(ref, epoch)
        try:
            assert ups.get(timeout=PATIENCE) == ActorUp("store", epoch)
            yield
        finally:
            ref.stop()

    def locked(self) -> AbstractContextManager[None]:
        """Have another process write."""
        return locked(self.path, "IMMEDIATE")

    def intend(self) -> None:
        self.address.tell(RecordIntent(EXIT, (), 1, ALICE, self.follower))
        assert self.follower.next() == IntentRecorded(1, ALICE.epoch)

    def write(self, *records: Record) -> None:
        self.address.tell(Write(records, ALICE))
        self.address.tell(Flush(everything=True))

    def load(self) -> None:
        self.address.tell(LoadCopies("alice", ALICE, self.follower))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with opened(self.path) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_an_intent_is_in_what_a_follower_loads_and_not_in_its_table_before(rig: Rig) -> None:
    with rig.store():
        rig.load()
        assert rig.follower.next().copies == []
        rig.intend()
        assert rig.rows(COPIES) == []
        rig.load()
        assert rig.follower.next().copies == [EXIT.copy]


def test_an_intent_that_nothing_follows_is_written_in_a_while(rig: Rig) -> None:
    with rig.store():
        rig.load()
        rig.follower.next()
        rig.clock.told.clear()
        rig.intend()
        eventually(lambda: rig.clock.rings(rig.address) and rig.rows(COPIES), "it has its row")


def test_nobody_loads_copies_while_what_was_intended_cannot_be_written(rig: Rig) -> None:
    with rig.store():
        rig.load()
        rig.follower.next()
        rig.intend()
        with rig.locked():
            rig.clock.told.clear()
            rig.load()
            eventually(lambda: any(isinstance(message, LoadCopies) for _, message in rig.clock.told), "it has to wait")
        assert (RETRY_AFTER, Flush(everything=True, again=True)) in rig.clock.told
        rig.clock.rings(rig.address)
        loaded = rig.follower.next()
        assert isinstance(loaded, CopiesLoaded)
        assert loaded.copies == [EXIT.copy]


class Hanging(Database):
    """A database in which a write of a request hangs until it is let go."""

    hangs, goes_on = threading.Event(), threading.Event()

    def write(self, records: Iterable[Record]) -> None:
        records = list(records)
        if REQUEST in records:
            self.hangs.set()
            assert self.goes_on.wait(PATIENCE)
        super().write(records)


def test_a_store_that_hung_and_was_replaced_writes_nothing_itself_when_it_wakes(rig: Rig) -> None:
    with rig.store(Hanging):
        rig.load()
        rig.follower.next()
        rig.write(REQUEST, ConfigSet("any", "older"))
        assert Hanging.hangs.wait(PATIENCE)
        with rig.store():
            rig.write(ConfigSet("any", "newer"))
            eventually(lambda: rig.rows("SELECT value FROM config WHERE key = 'any'") == [("newer",)], "it works")
            Hanging.goes_on.set()
            eventually(
                lambda: rig.clock.rings(rig.address) and rig.rows(REQUESTS) == [("place",)], "it was handed over"
            )
    assert rig.rows("SELECT value FROM config WHERE key = 'any'") == [("newer",)]
    assert rig.rows(REQUESTS) == [("place",)]
    assert not rig.side_file.exists()


def test_what_a_replaced_store_had_in_the_side_file_is_not_written_twice(rig: Rig) -> None:
    with rig.store():
        rig.load()
        rig.follower.next()
        with rig.locked():
            rig.write(REQUEST)
            rig.intend()  # which the side file answers for
        replaced = rig.address.ref
        assert replaced is not None
        with rig.store():
            replaced.tell(Flush(everything=True))
            eventually(lambda: not replaced.is_alive(), "it has seen that it is replaced")
            rig.load()
            assert rig.follower.next().copies == [EXIT.copy]
            assert rig.rows(REQUESTS) == [("place",)]


def test_a_store_that_starts_while_the_database_is_locked_lets_exits_go(rig: Rig) -> None:
    with rig.store():
        pass  # the first start of all writes since when orders are copied
    killed = Database(str(rig.path))
    killed.take_over()
    killed.write([])
    killed.intend([EARLIER])
    with rig.locked(), rig.store():
        rig.intend()
    assert rig.rows(COPIES) == []
    with rig.store():
        rig.load()
        assert rig.follower.next().copies == [EARLIER.copy, EXIT.copy]
