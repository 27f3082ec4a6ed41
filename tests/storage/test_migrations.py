"""A database of an earlier version is brought to this one; one of a later version is left alone."""

from datetime import date
from pathlib import Path

import pytest

from copytrade.core.model.copies import Stage
from copytrade.core.model.ledger import Part
from copytrade.storage.database import Database, DatabaseUnusable
from copytrade.storage.migrations import SCHEMA_VERSION, STEPS
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
