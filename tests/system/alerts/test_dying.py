"""Who is told when the program dies of a bug: before it exits."""

import subprocess
import sys
from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from tests.support.alert_receiver import receiving
from tests.support.copier import ALICE, LEADER

ROOT = Path(__file__).parents[3]


def write(folder: Path, broker: PaperBroker, url: str) -> None:
    (folder / "settings.toml").write_text(
        f'mode = "live"\n[leader]\nclient_id = "{LEADER}"\naccess_token = "token-of-leader"\n'
        f'[[followers]]\nname = "alice"\nclient_id = "{ALICE}"\naccess_token = "token-of-alice"\n'
        f'relationship = "self"\n[copy]\nsizing = "fixed_ratio"\n[alerts]\nurls = ["{url}"]\n[dhan]\n'
        f'rest_url = "{broker.rest_url}"\nfeed_url = "{broker.feed_url}"\nauth_url = "{broker.auth_url}"\n'
        f'instruments_url = "{broker.instruments_url}"\n'
    )


@pytest.mark.parametrize(
    ("how", "title", "says"),
    [
        ("core", "core rate-limiter", "Actor rate-limiter cannot be kept alive, stopping"),
        ("main", "core leader", "The main thread crashed, everything is stopped: RuntimeError"),
    ],
)
def test_a_bug_that_ends_the_program_is_told_before_the_exit(
    broker: PaperBroker, tmp_path: Path, how: str, title: str, says: str
) -> None:
    with receiving() as receiver:
        receiver.delay = 2.2 if how == "core" else 0.0  # it is slow, and answers after the actors have stopped
        write(tmp_path, broker, receiver.url)
        dying = [sys.executable, "-m", "tests.system.alerts.dying", how]
        result = subprocess.run(
            dying, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False
        )
        assert result.returncode == 70, result.stderr
        (alert,) = receiver.titled(title)
        assert says in alert["message"]
        assert "a bug" in alert["message"]
        assert alert["type"] == "failure"
