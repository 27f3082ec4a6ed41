"""A database of an earlier version is brought to this one; one of a later version is left alone."""

from datetime import date
from pathlib import Path

import pytest
from msgspec.structs import replace

from copytrade.app.changes.leaders import note_leaders
from copytrade.core.model.copies import Stage
from copytrade.core.model.ledger import Part
from copytrade.reports.drift.history import lines_of
from copytrade.reports.snapshot import open_to_read
from copytrade.storage.database import Database, DatabaseUnusable
from copytrade.storage.migrations import SCHEMA_VERSION, STEPS
from copytrade.storage.records import CopyChanged, LedgerChanged
from tests.core.orders import NOW
from tests.support.sql import opened

FIXTURES = Path(__file__).parent / "fixtures"


def columns(path: Path) -> dict[str, set[str]]:
    with opened(path) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: {row[1] for row in connection.execute(f"PRAGMA table_info({table})")} for table in tables}


@pytest.mark.parametrize("version", sorted(STEPS))
def test_a_database_of_each_earlier_version_becomes_one_of_this(tmp_path: Path, version: int) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    with opened(old) as connection:
        connection.execute((FIXTURES / f"schema-{version}.sql").read_text())
    Database(str(new)).claim("paper", "1000000001")
    for _ in range(2):
        database = Database(str(old))
        database.claim("paper", "1000000001")
        copies = database.copies("alice", date(2026, 11, 1))
        database.close()
        assert sorted((copy.stage, copy.filled_quantity) for copy in copies) == [
            (Stage.ENDED, 0),
            (Stage.ENDED, 0),
            (Stage.ENDED, 195),
            (Stage.LIVE, 0),
            (Stage.LIVE, 0),
        ]
        assert {copy.part for copy in copies} == {Part.ENTRY}
    assert columns(old) == columns(new)
    with opened(old) as connection:
        assert connection.execute("SELECT value FROM config WHERE key = 'schema_version'").fetchone() == (
            str(SCHEMA_VERSION),
        )


@pytest.mark.parametrize("version", ["99", "0", "one"])
def test_a_database_of_another_version_is_refused(tmp_path: Path, version: str) -> None:
    path = tmp_path / "copy.db"
    Database(str(path)).claim("paper", "1")
    with opened(path) as connection:
        connection.execute("UPDATE config SET value = ? WHERE key = 'schema_version'", (version,))
    with pytest.raises(DatabaseUnusable, match=f"is of schema version {version}, this program knows up to"):
        Database(str(path)).claim("paper", "1")
    with opened(path) as connection:
        assert connection.execute("SELECT value FROM config WHERE key = 'schema_version'").fetchone() == (version,)


def test_a_damaged_database_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "copy.db"
    database = Database(str(path))
    database.claim("paper", "1")
    database.close()
    with path.open("r+b") as file:
        file.seek(4096 * 2)
        file.write(b"\xff" * 4096 * 3)
    with pytest.raises(DatabaseUnusable, match=r"is damaged \(.*\): move it away"):
        Database(str(path)).claim("paper", "1")


def test_rows_of_an_earlier_version_get_the_name_of_the_leader_and_go_with_him(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with opened(path) as connection:
        connection.execute((FIXTURES / "schema-4.sql").read_text())
    database = Database(str(path))
    database.claim("paper", "1000000001")
    note_leaders(database, {"asha": "1000000001"})
    (line,) = database.lines("alice")
    assert (line.key.leader, line.held) == ("", 195), "the engine knows no name where there is only one leader"
    copies = database.copies("alice", date(2026, 11, 1))
    database.write([LedgerChanged("alice", line, NOW), *(CopyChanged(copy, None, NOW) for copy in copies)])
    assert names_in(path) == {"copy_mappings": {"asha"}, "ledger": {"asha"}, "allotments": {"asha"}}

    database.claim("paper", "1000000001,1000000002")
    note_leaders(database, {"asha": "1000000001", "dev": "1000000002"})
    (line,) = database.lines("alice")
    assert {line.key.leader, *(copy.leader for copy in database.copies("alice", date(2026, 11, 1)))} == {"asha"}
    assert {one.line.leader for one in database.allocations("alice", date(2026, 11, 1))} == {"asha"}
    database.write([LedgerChanged("alice", replace(line, key=line.key.of("dev"), held=-65), NOW)])
    database.write([LedgerChanged("alice", replace(line, key=line.key.of("")), NOW)])  # of a side file from before
    assert {one.key.leader: one.held for one in database.lines("alice")} == {"asha": 195, "dev": -65}

    note_leaders(database, {"dev": "1000000001", "asha": "1000000002"})
    assert {one.key.leader: one.held for one in database.lines("alice")} == {"dev": 195, "asha": -65}
    with pytest.raises(DatabaseUnusable, match="copies of client_id 1000000002 are held under the leader's name asha"):
        note_leaders(database, {"dev": "1000000001", "asha": "1000000003"})
    note_leaders(database, {"chief": "1000000001"})
    assert {one.key.leader: one.held for one in database.lines("alice")} == {"": 195, "asha": -65}
    with pytest.raises(DatabaseUnusable, match="belongs to leader_client_id 1000000001"):
        database.claim("paper", "1000000002")
    with open_to_read(str(path)) as connection:
        assert {one.key.leader: one.held for one in lines_of(connection, "alice")} == {"": 195, "asha": -65}


def names_in(path: Path) -> dict[str, set[str]]:
    with opened(path) as connection:
        return {
            table: {name for (name,) in connection.execute(f"SELECT leader FROM {table}")}
            for table in ("copy_mappings", "ledger", "allotments")
        }
