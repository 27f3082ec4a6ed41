"""PostgreSQL as the database: the same rows, one store at a time, and nothing written twice or lost when it fails."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import peewee
import pytest

from copytrade.core.model.accounts import AccountType
from copytrade.reports.queries import audit_verdict, copies_on
from copytrade.reports.snapshot import open_to_read
from copytrade.storage.database import Database, DatabaseUnusable
from copytrade.storage.files.lock_file import AlreadyRunning, hold_lock
from copytrade.storage.postgres import TakenByAnother, holder_of
from copytrade.storage.records import ConfigSet, CopyChanged, OrderChanged, RequestMade
from tests.core.orders import NOW
from tests.storage.test_store import LEADER, a_copy
from tests.support.postgres import PostgresServer

ASKED = RequestMade("alice", "place", "POST /orders", "{}", 200, 1.0, NOW)
HOLDS_UNTIL_TOLD = """
import sys
from copytrade.storage.database import Database
database = Database(sys.argv[1])
database.claim("live", "1")
database.take_over()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = PostgresServer(tmp_path_factory.mktemp("postgres"))
    yield server
    server.close()


@pytest.fixture
def url(server: PostgresServer) -> str:
    return server.new_database()


def taken_over(url: str) -> Database:
    database = Database(url)
    database.claim("live", "1")
    database.take_over()
    return database


def test_what_is_written_and_intended_is_read_as_it_was(url: str) -> None:
    database = taken_over(url)
    database.write([OrderChanged("leader", AccountType.LEADER, LEADER), ASKED])
    database.intend([CopyChanged(a_copy(), LEADER, NOW)])
    with open_to_read(url) as connection:
        assert [copy.status for copy in copies_on(connection, NOW.date())] == ["placed"], "also what is only intended"
    database.write([])
    assert database.copies("alice", NOW.date()) == [a_copy()]
    assert [order.id for order in database.undecided("bob", "leader", NOW)] == [LEADER.id]
    database.close()
    with open_to_read(url) as connection:
        assert audit_verdict(connection).fault == ""


def test_another_process_is_refused_and_an_earlier_store_of_this_one_is_replaced(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # as on another machine: no lock file is here
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDS_UNTIL_TOLD, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert holder_of(url).startswith("copytrade ")
    with pytest.raises(TakenByAnother, match=f" {holder.pid} "):
        taken_over(url)
    with pytest.raises(AlreadyRunning, match=f" {holder.pid} "):
        hold_lock(url)
    holder.kill()
    holder.communicate()
    hung = taken_over(url)
    new = taken_over(url)
    new.write([ConfigSet("who", "new")])
    with pytest.raises(peewee.PeeweeException):
        hung.write([ConfigSet("who", "hung")])
    assert new.config("who") == "new"
    new.close()
    assert holder_of(url) == ""


def test_a_connection_that_dies_in_a_commit_writes_each_record_once(server: PostgresServer, url: str) -> None:
    database = taken_over(url)
    database.write([ConfigSet("a", "1")])
    for is_committed in (True, False):
        before = len(requests(database))
        records = [ASKED, ConfigSet("a", "2")]
        commit = database._connection.commit

        def dies(committed: bool = is_committed, commit: object = commit) -> None:
            if committed:
                commit()  # type: ignore[operator]
            server.end_connections(url)
            database._connection.execute_sql("SELECT 1")

        database._connection.commit = dies
        with pytest.raises(peewee.OperationalError):
            database.write(records)
        database._connection.commit = commit
        database.write([*records, ConfigSet("b", "3")])
        assert (len(requests(database)) - before, database.config("b")) == (1, "3")
    database.close()


def test_the_lock_is_lost_with_the_connection_and_nothing_is_written_without_it(
    server: PostgresServer, url: str
) -> None:
    database = taken_over(url)
    database.write([ConfigSet("a", "1")])
    server.end_connections(url)
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDS_UNTIL_TOLD, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(peewee.OperationalError):
        database.write([ConfigSet("a", "2")])
    with pytest.raises(TakenByAnother):
        database.write([ConfigSet("a", "2")])
    other.communicate("")
    database.write([ConfigSet("a", "3")])
    assert database.config("a") == "3"
    database.close()


def test_a_server_that_was_killed_has_what_was_written(server: PostgresServer, url: str) -> None:
    database = taken_over(url)
    database.write([ConfigSet("a", "1")])
    server.kill()
    with pytest.raises(peewee.PeeweeException):
        database.write([ConfigSet("a", "2")])
    with pytest.raises(peewee.PeeweeException):
        database.write([ConfigSet("a", "2")])
    server.start()
    database.write([ConfigSet("b", "2")])
    assert (database.config("a"), database.config("b")) == ("1", "2")
    database.close()


def test_without_its_driver_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(DatabaseUnusable, match=r"pip install 'copytrade\[postgres\]'"):
        Database("postgresql://somebody:secret@127.0.0.1/copy")


def requests(database: Database) -> list[tuple[str, float]]:
    return database.requests_since(NOW.replace(year=2020))


def test_a_server_that_is_not_there_is_told_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable) as told:
        Database(f"postgresql://somebody:sesame@/copy?host={tmp_path}")
    assert "sesame" not in str(told.value)
