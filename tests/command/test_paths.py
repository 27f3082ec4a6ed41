"""Paths start at the settings file's folder, and a command that finds no database of this leader says so."""

import subprocess
from pathlib import Path

import pytest

from copytrade.settings import load_settings
from copytrade.storage.database import Database
from tests.command.program import command
from tests.support.waiting import PATIENCE

SETTINGS = """
mode = "{mode}"
[board]
enabled = false
[leader]
client_id = "1000000001"
access_token = "paper-leader"
[[followers]]
name = "alice"
client_id = "1000000101"
access_token = "paper-alice"
relationship = "self"
[copy]
sizing = "fixed_ratio"
[paper]
failures = false
{more}
"""


def asked(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command("--settings", str(folder.parent / "home" / "settings.toml"), *arguments),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    (tmp_path / "away").mkdir()
    (tmp_path / "home" / "settings.toml").write_text(SETTINGS.format(mode="paper", more=""))
    return tmp_path / "home"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def a_database(path: Path, mode: str = "paper", leader: str = "1000000001") -> None:
    database = Database(str(path))
    database.claim(mode, leader)
    database.close()


COMMANDS = [
    ("pause",),
    ("resume",),
    ("report",),
    ("explain", "1"),
    ("audit", "--verify"),
    ("drift",),
    ("flatten", "--yes"),
]


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_command_makes_no_database_and_says_that_there_is_none(home: Path, arguments: tuple[str, ...]) -> None:
    away = home.parent / "away"
    result = asked(away, *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert f"{home / 'copy_trading.db'}: " in result.stderr
    assert "Traceback" not in result.stderr
    assert (names(home), names(away)) == ({"settings.toml"}, set())


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_command_refuses_the_database_of_another_leader(home: Path, arguments: tuple[str, ...]) -> None:
    a_database(home / "copy_trading.db", leader="1000000002")
    result = asked(home.parent / "away", *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert "belongs to leader_client_id 1000000002, the settings say 1000000001" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("check",), *COMMANDS])
def test_a_database_in_the_working_directory_alone_is_named_with_the_one_that_is_missing(
    home: Path, arguments: tuple[str, ...]
) -> None:
    away = home.parent / "away"
    a_database(away / "copy_trading.db")
    before = names(away)
    result = asked(away, *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert f"There is no database {home / 'copy_trading.db'}, and there is {away / 'copy_trading.db'}" in result.stderr
    assert (names(home), names(away)) == ({"settings.toml"}, before)


def test_a_session_writes_beside_its_settings_and_commands_reach_it_from_elsewhere(home: Path) -> None:
    away = home.parent / "away"
    result = asked(away, "--duration", "1")
    assert result.returncode == 0, result.stderr
    assert {"copy_trading.db", "copy_trading.log", "copy_trading.db.backups"} <= names(home)
    assert names(away) == set()
    assert asked(away, "pause").returncode == 0
    assert asked(away, "report").returncode == 0


def test_a_pause_neither_checks_the_whole_database_nor_migrates_it(home: Path) -> None:
    path = home / "copy_trading.db"
    a_database(path)
    database = Database(str(path))
    database._connection.execute_sql("UPDATE config SET value = '3' WHERE key = 'schema_version'")
    database._connection.execute_sql("DROP TRIGGER audit_log_refuses_update")
    database.close()
    assert asked(home.parent / "away", "pause").returncode == 0
    database = Database(str(path), exists=True)
    assert database.config("schema_version") == "3"
    assert database.config("copy_enabled") == "false"
    triggers = "SELECT count(*) FROM sqlite_master WHERE name = 'audit_log_refuses_update'"
    assert database._connection.execute_sql(triggers).fetchone() == (0,)
    database.close()


def test_a_log_that_cannot_be_written_is_told_and_nothing_starts(home: Path) -> None:
    (home / "copy_trading.log").mkdir()
    result = asked(home.parent / "away", "--duration", "1")
    assert result.returncode == 2
    assert f"{home / 'copy_trading.log'}: the log cannot be written: Is a directory" in result.stderr


def test_every_path_of_the_settings_starts_at_their_folder(home: Path) -> None:
    (home / "mine.json").write_text("{}")
    more = (
        '[store]\ndatabase = "sqlite:///a/copy.db"\n[log]\nfile = "log/copy.log"\n'
        '[market]\ncalendar = "mine.json"\n[dhan]\ninstruments_url = "master.csv"\n'
    )
    (home / "settings.toml").write_text(SETTINGS.format(mode="paper", more=more))
    settings = load_settings(home / "settings.toml")
    assert settings.store.database == f"sqlite:///{home / 'a/copy.db'}"
    assert settings.log.file == str(home / "log/copy.log")
    assert settings.market.calendar == str(home / "mine.json")
    assert settings.dhan.instruments_url == str(home / "master.csv")
    absolute = more.replace("sqlite:///a/", "postgresql://db/").replace("log/copy.log", "/var/log/copy.log")
    (home / "settings.toml").write_text(SETTINGS.format(mode="paper", more=absolute))
    settings = load_settings(home / "settings.toml")
    assert (settings.store.database, settings.log.file) == ("postgresql://db/copy.db", "/var/log/copy.log")
