"""The command line itself: where options may stand, and what is said of those that cannot be."""

import re
import signal
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from copytrade import __version__
from tests.command.program import ROOT, command, log, running
from tests.command.test_paths import SETTINGS, a_database
from tests.support.sql import opened
from tests.support.waiting import PATIENCE, eventually


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "settings.toml").write_text(SETTINGS.format(mode="paper", more=""))
    return tmp_path


def told(folder: Path, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        command(*arguments), cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_the_settings_may_be_named_before_or_after_the_command(folder: Path) -> None:
    (folder / "settings.toml").rename(folder / "mine.toml")
    a_database(folder / "copy_trading.db")
    assert told(folder, "--settings", "mine.toml", "report") == told(folder, "report", "--settings", "mine.toml")
    assert told(folder, "report", "--settings", "mine.toml")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("report", "--date", "2026-13-01"), "2026-13-01 is no date: write it like 2026-11-30"),
        (("--duration", "-3"), "-3 is not a number of seconds above 0"),
        (("--duration", "soon"), "soon is not a number of seconds above 0"),
        (("--duration", "inf"), "inf is not a number of seconds above 0"),
        (("chekc",), "there is no command chekc (check?): report, pause, "),
        (("--completion", "cmd"), "there is no shell cmd: bash, zsh, tcsh"),
    ],
)
def test_an_argument_that_cannot_be_is_answered_in_plain_words(
    folder: Path, arguments: tuple[str, ...], words: str
) -> None:
    code, out, err = told(folder, *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert "usage" not in err
    assert [path.name for path in folder.iterdir()] == ["settings.toml"]


def test_the_version_is_told_without_settings(tmp_path: Path) -> None:
    assert told(tmp_path, "--version") == (0, f"copytrade {__version__}\n", "")


def test_the_console_script_is_the_same_program() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    module, _, function = project["project"]["scripts"]["copytrade"].partition(":")
    assert callable(getattr(import_module(module), function))
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "copytrade.__version__"}


def test_completion_is_printed_or_what_it_needs_is_told(folder: Path) -> None:
    code, out, err = told(folder, "--completion", "bash")
    if code:
        assert (code, out) == (2, "")
        assert "shell completion needs the package shtab: pip install shtab" in err
    else:
        assert "flatten" in out


def test_shtab_is_asked_with_the_parser_and_the_shell(folder: Path) -> None:
    (folder / "shtab.py").write_text(
        "def complete(parser, shell):\n    return shell + ' ' + str('report' in parser.format_help())\n"
    )
    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "--completion", "zsh"],
        cwd=folder,
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "zsh True\n", "")


def test_already_running_says_which_process_and_a_copys_id_is_explained(folder: Path) -> None:
    with running(folder) as process:
        eventually(lambda: "Order replicated successfully" in log(folder), "an order is copied")
        code, _, err = told(folder)
        assert code == 3
        assert re.search(rf"already copying with \S+: pid {process.pid} \(lock file ", err)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    with opened(folder / "copy_trading.db") as database:
        query = (
            "SELECT leader_order_id, follower_order_id, correlation_id FROM copy_mappings WHERE follower_order_id <> ''"
        )
        leaders, *names = database.execute(query).fetchone()
    by_leader = told(folder, "explain", leaders)
    assert by_leader[0] == 0
    assert [told(folder, "explain", name) for name in names] == [by_leader, by_leader]
