"""``run.py status`` beside a copier, as an operator or a container's health check runs it."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from copytrade.storage.files.status_file import status_path
from tests.command.program import ROOT, command, running
from tests.command.session.test_run import SETTINGS
from tests.support.waiting import PATIENCE, eventually


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "settings.toml").write_text(SETTINGS.format(mode="paper"))
    return tmp_path


def asked(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def health_check() -> list[str]:
    """Return the arguments with which the image asks whether its copier lives."""
    found = re.search(
        r"^HEALTHCHECK .*\\\n.*/run\.py (.*) \|\| exit 1$", (ROOT / "deploy/Dockerfile").read_text(), re.M
    )
    assert found
    return found[1].split()


def test_the_image_is_healthy_while_its_supervisor_lives_whatever_the_log_is_like(folder: Path) -> None:
    settings = SETTINGS.format(mode="paper").replace("status_interval = 1", "status_interval = 3600")
    (folder / "settings.toml").write_text(settings.replace('level = "DEBUG"', 'level = "CRITICAL"'))
    assert asked(folder, *health_check()).returncode != 0
    with running(folder) as process:
        eventually(lambda: asked(folder, *health_check()).returncode == 0, "it lives")
        os.kill(process.pid, signal.SIGSTOP)
        written = json.loads(status_path(str(folder / "copy_trading.db")).read_bytes())
        stale = {**written, "at": "2026-11-25T03:45:00Z"}
        status_path(str(folder / "copy_trading.db")).write_text(json.dumps(stale))
        hung = asked(folder, *health_check())
        assert (hung.returncode, "last told its status" in hung.stderr) == (2, True)
        os.kill(process.pid, signal.SIGCONT)
        eventually(lambda: asked(folder, *health_check()).returncode == 0, "it lives again")


def test_status_tells_who_is_paused_and_exits_with_what_it_found(folder: Path) -> None:
    assert asked(folder, "status").returncode == 2
    with running(folder) as process:
        eventually(lambda: asked(folder, "status", "--health").returncode == 0, "it lives")
        assert asked(folder, "pause", "bob").returncode == 0
        eventually(lambda: "bob: entries paused" in (said := asked(folder, "status")).stdout and said.returncode == 1)
        shown = eventually(lambda: (said := asked(folder, "status", "--json").stdout) and json.loads(said))
        paused = {one["name"]: [pause["end"] for pause in one["paused"]] for one in shown["followers"]}
        assert paused == {"alice": [], "bob": ["run.py resume bob"]}
        assert shown["mode"] == "paper"
        assert asked(folder, "status", "--health").returncode == 0, "a pause is no reason to restart it"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    ended = asked(folder, "status", "--health")
    assert (ended.returncode, "no copier is running" in ended.stderr) == (2, True)
