"""The SQLite library is one that loses nothing when two processes use the database."""

from datetime import date
from pathlib import Path

import pytest

from copytrade.app.commands.check import check
from copytrade.reports.day.text import report
from copytrade.settings import Settings
from copytrade.storage import sqlite
from copytrade.storage.database import Database, DatabaseUnusable
from copytrade.storage.files.backup import BackupFailed, back_up
from copytrade.storage.records import ConfigSet


@pytest.mark.parametrize(
    ("version", "is_sound"),
    [
        ("3.40.1", False),
        ("3.44.5", False),
        ("3.44.6", True),
        ("3.45.0", False),
        ("3.50.6", False),
        ("3.50.7", True),
        ("3.51.2", False),
        ("3.51.3", True),
        ("3.52.0", True),
        ("3.54.1", True),
        ("4.0", True),
    ],
)
def test_which_versions_lose_nothing(version: str, is_sound: bool) -> None:
    assert sqlite.is_sound(version) is is_sound


def test_the_version_in_use_loses_nothing() -> None:
    assert sqlite.is_sound(sqlite.version())


def test_nothing_is_opened_with_a_library_that_may_lose_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "copy.db")
    database = Database(path)
    database.claim("paper", "1")
    database.close()
    monkeypatch.setattr(sqlite, "version", lambda: "3.40.1")
    why = r"SQLite 3\.40\.1 can lose what was written .* install apsw 3\.51\.3 or later"
    with pytest.raises(DatabaseUnusable, match=why):
        Database(path)
    with pytest.raises(DatabaseUnusable, match=why):
        report(path, date(2026, 11, 25))
    with pytest.raises(BackupFailed, match=why):
        back_up(path, 1, 9.0)
    with pytest.raises(DatabaseUnusable, match=why):
        Database(str(tmp_path / "new.db"))
    assert not (tmp_path / "new.db").exists()


def test_the_check_says_that_the_library_may_lose_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sqlite, "version", lambda: "3.51.2")
    monkeypatch.chdir(tmp_path)
    leader, follower = {"client_id": "1", "access_token": "t1"}, {"client_id": "2", "access_token": "t2", "name": "a"}
    settings = Settings.model_validate({"leader": leader, "followers": [follower]})
    assert check(settings, tmp_path / "settings.toml") == 2
    assert "SQLite 3.51.2 can lose" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", ["sqlite", "apsw"])
def test_a_url_of_a_file_is_opened_by_the_same_library_with_the_same_settings(tmp_path: Path, scheme: str) -> None:
    database = Database(f"{scheme}:///{tmp_path / 'with space.db'}".replace(" ", "%20"))
    database.write([ConfigSet("what", "is kept")])
    assert database.durability() == ("wal", "full")
    database.close()
    assert Database(str(tmp_path / "with space.db")).config("what") == "is kept"


@pytest.mark.parametrize(
    ("database", "file"),
    [
        ("copy.db", "copy.db"),
        ("sqlite:///copy.db", "copy.db"),
        ("sqlite:////var/lib/copy%20a.db?timeout=3", "/var/lib/copy a.db"),
        ("postgresql://somebody:word@host/copy", None),
    ],
)
def test_which_databases_are_files(database: str, file: str | None) -> None:
    assert sqlite.file_of(database) == file
