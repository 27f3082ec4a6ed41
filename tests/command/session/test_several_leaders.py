"""A paper session with two leaders, as an operator starts one: both are copied, and all says whose order it is."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.command.program import command, log, running
from tests.support.sql import opened
from tests.support.waiting import PATIENCE, eventually

SETTINGS = """
mode = "paper"
board = { enabled = false }
[[leaders]]
name = "asha"
client_id = "1000000001"
access_token = "paper-asha"
[[leaders]]
name = "dev"
client_id = "1000000002"
access_token = "paper-dev"
[[followers]]
name = "bina"
client_id = "1000000101"
access_token = "paper-bina"
[followers.of.dev]
ratio = 2
[copy]
sizing = "fixed_ratio"
[paper]
speed = 20.0
failures = false
partial_fills = 0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "settings.toml").write_text(SETTINGS)
    return tmp_path


def asked(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*arguments), cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def test_both_leaders_are_copied_and_everything_says_whose_order_it_is(folder: Path) -> None:
    with running(folder) as process:
        for leader in ("asha", "dev"):
            line = f"filled follower=bina leader={leader}"
            eventually(lambda line=line: line in log(folder), f"{leader} is copied")  # type: ignore[misc]
        leaders = json.loads(asked(folder, "status", "--json").stdout)["leaders"]
        assert [leader["name"] for leader in leaders] == ["asha", "dev"]
        with opened(folder / "copy_trading.db") as database:
            filled = "SELECT leader, leader_order_id FROM copy_mappings WHERE status = 'filled' GROUP BY leader"
            rows = dict(database.execute(filled).fetchall())
            ratio = "SELECT DISTINCT ratio FROM copy_mappings WHERE leader = 'dev' AND ratio IS NOT NULL"
            assert database.execute(ratio).fetchall() == [(2.0,)]
        assert rows.keys() == {"asha", "dev"}
        told = asked(folder, "explain", rows["dev"]).stdout.splitlines()
        assert "dev" in told, "there is a section of the leader"
        assert asked(folder, "drift", "bina").returncode == 0
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    assert "crashed" not in log(folder)
    assert "Actor feed-dev" not in log(folder)
