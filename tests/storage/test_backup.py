"""Copies of the database: whole, few, and never in the way of a stop."""

import stat
from datetime import date
from pathlib import Path

import apsw
import pytest

from copytrade.reports.day.text import report
from copytrade.storage.database import Database
from copytrade.storage.files import backup
from copytrade.storage.files.backup import BackupFailed, back_up
from copytrade.storage.records import ConfigSet
from tests.support.sql import opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "copy.db"
    database = Database(str(path))
    database.claim("paper", "1")
    database.write([ConfigSet("what", "is kept")])
    database.close()
    return path


def copies(path: Path) -> list[Path]:
    return sorted((path.parent / "copy.db.backups").iterdir())


def test_a_copy_has_everything_and_is_for_its_owner_alone(path: Path) -> None:
    copy = back_up(str(path), 7, 9.0)
    with opened(copy) as connection:
        assert connection.execute("SELECT value FROM config WHERE key = 'what'").fetchone() == ("is kept",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.execute("INSERT INTO audit_log VALUES (1, '', '', '', '', 1, 1.0, 1.0, '')")
        with pytest.raises(apsw.ConstraintError, match="append-only"):
            connection.execute("DELETE FROM audit_log")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
    assert report(str(copy), date(2026, 11, 25)).startswith("There are no copies")


def test_the_program_goes_on_from_a_copy(path: Path) -> None:
    copy = back_up(str(path), 7, 9.0)
    copy.replace(path)
    database = Database(str(path))
    database.claim("paper", "1")
    assert database.config("what") == "is kept"
    assert database.durability() == ("wal", "full")


def test_the_latest_are_kept_and_what_is_not_ours_is_left_alone(path: Path) -> None:
    folder = path.parent / "copy.db.backups"
    folder.mkdir()
    for day in range(10, 20):
        (folder / f"2001-11-{day}T153000.db").touch()
    (folder / "before-the-budget.db").touch()
    (folder / "2001-11-19T153000.part").touch()
    copy = back_up(str(path), 3, 9.0)
    assert [kept.name for kept in copies(path)] == [
        "2001-11-18T153000.db",
        "2001-11-19T153000.db",
        copy.name,
        "before-the-budget.db",
    ]


@pytest.mark.parametrize("why", ["too large", "too slow", "no folder", "no database", "damaged"])
def test_a_copy_that_fails_says_why_and_costs_none_of_the_others(
    path: Path, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = back_up(str(path), 7, 9.0).rename(path.parent / "copy.db.backups" / "2001-11-01T153000.db")
    seconds = 9.0
    match why:
        case "too large":
            seconds = 0.0
        case "too slow":
            monkeypatch.setattr(backup, "STEPS", 1)
            monkeypatch.setattr(backup.time, "monotonic", iter(range(0, 1000, 5)).__next__)
        case "no folder":
            first.parent.rename(path.parent / "elsewhere")
            (path.parent / "copy.db.backups").touch()
        case "no database":
            path.unlink()
        case "damaged":
            path.write_bytes(b"junk" * 5000)
    with pytest.raises(BackupFailed):
        back_up(str(path), 1, seconds)
    if why != "no folder":
        assert first in copies(path)
        assert first.stat().st_size > 0
