"""What is deployed is what pyproject.toml asks for, and the service does not restart what restarting cannot heal."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from actors.system.session import STOP_DEADLINE
from copytrade.app.commands.exit_codes import EXIT_RUNNING, EXIT_UNUSABLE

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"

HASHES = re.compile(r"(?: \\\n    --hash=sha256:[0-9a-f]{64})+")


def locked() -> dict[str, str]:
    """Return the version of each package that deploy/requirements.lock has for this Python."""
    found = {}
    for block in re.split(
        r"\n(?=[a-z])", re.sub(r"^ *#.*\n", "", (DEPLOY / "requirements.lock").read_text(), flags=re.M)
    ):
        name, _, _ = block.partition(" \\\n")
        assert HASHES.search(block), f"{name} has no hash"
        requirement = Requirement(name)
        (pin,) = requirement.specifier
        assert pin.operator == "==", name
        if requirement.marker is None or requirement.marker.evaluate():
            found[canonicalize_name(requirement.name)] = pin.version
    return found


def missing(wanted: list[str], versions: dict[str, str]) -> list[str]:
    """Return the requirements that apply here and are not met."""
    needed = [Requirement(line) for line in wanted]
    return [
        str(one)
        for one in needed
        if (one.marker is None or one.marker.evaluate({"extra": ""}))
        and not (
            (version := versions.get(canonicalize_name(one.name))) and one.specifier.contains(version, prereleases=True)
        )
    ]


def test_the_lock_has_everything_that_the_program_asks_for() -> None:
    versions = locked()
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert missing(wanted, versions) == [], "renew deploy/requirements.lock with the command at its top"
    installed = {canonicalize_name(one.name): one.requires or [] for one in importlib.metadata.distributions()}
    for name in versions:
        assert missing(installed.get(name, []), versions) == [], name


def test_a_lock_that_lags_behind_is_noticed() -> None:
    assert missing(["pykka>=4.5", "peewee>=99", "zork"], locked()) == ["peewee>=99", "zork"]


def test_the_service_is_not_started_again_for_what_a_start_cannot_heal() -> None:
    unit = dict(
        line.split("=", 1) for line in (DEPLOY / "copytrade.service").read_text().splitlines() if "=" in line[1:]
    )
    assert unit["RestartPreventExitStatus"] == f"{EXIT_UNUSABLE} {EXIT_RUNNING}"
    assert unit["ExecStart"].split()[1].removeprefix("/opt/copytrade/") == "run.py"
    assert float(unit["TimeoutStopSec"]) > STOP_DEADLINE


@pytest.mark.parametrize("folder", ["copytrade", "actors"])
def test_the_image_gets_every_file_that_the_package_has(folder: str) -> None:
    assert f"COPY {folder}/ {folder}/" in (DEPLOY / "Dockerfile").read_text()
    assert f"!{folder}" in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()


def test_service_and_image_name_their_settings_by_a_whole_path() -> None:
    for name, line in (
        ("copytrade.service", r"^ExecStart=.* --settings (\S+)"),
        ("Dockerfile", r"--settings\", \"([^\"]+)"),
    ):
        found = re.search(line, (DEPLOY / name).read_text(), re.MULTILINE)
        assert found is not None, name
        assert Path(found[1]).is_absolute(), name
    guide = (ROOT / "docs" / "going-live.md").read_text()
    assert 'database = "/var/lib/copytrade/copy_trading.db"' in guide
    assert 'file = "/var/lib/copytrade/copy_trading.log"' in guide


def test_the_timers_start_what_there_is() -> None:
    timers = {path.name: path.read_text() for path in DEPLOY.glob("*.timer")}
    assert set(timers) == {"copytrade-check.timer", "copytrade-start.timer", "copytrade-stop.timer"}
    for name, text in timers.items():
        found = re.search(r"^Unit=(\S+)", text, re.MULTILINE)
        assert (DEPLOY / (found[1] if found else name.replace(".timer", ".service"))).is_file(), name
        assert re.search(r"^OnCalendar=Mon\.\.Fri \d\d:\d\d Asia/Kolkata$", text, re.MULTILINE), name


def test_the_installed_command_and_the_check_use_the_services_settings() -> None:
    (service,) = re.findall(r"^ExecStart=(.*)$", (DEPLOY / "copytrade.service").read_text(), re.MULTILINE)
    assert f"ExecStart={service} check\n" in (DEPLOY / "copytrade-check.service").read_text()
    assert f'{service} "$@"\n' in (DEPLOY / "copytrade.sh").read_text()


def test_the_sdks_pandas_and_numpy_are_never_imported() -> None:
    looks = "import run, sys; print([name for name in ('pandas', 'numpy') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", looks], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
