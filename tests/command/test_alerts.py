"""Whom ``run.py`` tells when it cannot start, and ``run.py alert-test``."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import PaperAccount
from tests.command.program import command
from tests.support.alert_receiver import Receiver, receiving

LEADER, ALICE = "1000000001", "1000000101"


@pytest.fixture
def broker() -> Iterator[PaperBroker]:
    accounts = [PaperAccount(LEADER, "canary-of-leader"), PaperAccount(ALICE, "canary-of-alice")]
    with PaperBroker(accounts) as broker:
        yield broker


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def write(folder: Path, broker: PaperBroker, urls: list[str], *, leader: str = "leader", more: str = "") -> None:
    (folder / "settings.toml").write_text(
        'mode = "live"\nboard = { enabled = false }\n'
        f'[leader]\nclient_id = "{LEADER}"\naccess_token = "canary-of-{leader}"\n'
        f'[[followers]]\nname = "alice"\nclient_id = "{ALICE}"\naccess_token = "canary-of-alice"\n'
        f'relationship = "self"\n[copy]\nsizing = "fixed_ratio"\n{more}\n[alerts]\nurls = {urls}\n[dhan]\n'
        f'rest_url = "{broker.rest_url}"\nfeed_url = "{broker.feed_url}"\nauth_url = "{broker.auth_url}"\n'
        f'instruments_url = "{broker.instruments_url}"\n'
    )


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command(*arguments), cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_a_leader_whose_token_is_dead_at_the_start_is_told_before_the_exit(
    broker: PaperBroker, tmp_path: Path, receiver: Receiver
) -> None:
    write(tmp_path, broker, [receiver.url], leader="an-old-login")
    assert run(tmp_path).returncode == 2
    (alert,) = receiver.received
    assert alert["title"] == "copytrade: not_started leader"
    assert alert["type"] == "failure"
    assert "leader: The broker refuses the access token (DH-901" in alert["message"]
    assert "What to do: " in alert["message"]
    assert "canary" not in str(alert)


def test_settings_that_cannot_be_used_are_told_before_the_exit(
    broker: PaperBroker, tmp_path: Path, receiver: Receiver
) -> None:
    write(tmp_path, broker, [receiver.url], more="ratoi = 2")
    assert run(tmp_path).returncode == 2
    assert run(tmp_path, "pause").returncode == 2
    (alert,) = receiver.received
    assert alert["title"] == "copytrade: settings"
    assert "ratoi" in alert["message"]
    write(tmp_path, broker, [receiver.url])
    settings = tmp_path / "settings.toml"
    settings.write_text(settings.read_text().replace('name = "alice"', 'name = "alice"\nbroker = "zerodha"'))
    assert run(tmp_path, "check").returncode == 2
    assert run(tmp_path).returncode == 2
    _, alert = receiver.received
    assert alert["title"] == "copytrade: settings"
    assert "alice: broker = 'zerodha' is not known" in alert["message"]


def test_a_database_that_cannot_be_used_is_told_before_the_exit(
    broker: PaperBroker, tmp_path: Path, receiver: Receiver
) -> None:
    write(tmp_path, broker, [receiver.url])
    (tmp_path / "copy_trading.db").write_text("no database at all, but long enough to be looked at as one" * 20)
    assert run(tmp_path).returncode == 2
    (alert,) = receiver.received
    assert alert["title"] == "copytrade: not_started leader"
    assert "copy_trading.db" in alert["message"]


def test_an_alert_service_that_is_gone_does_not_change_how_the_start_ends(broker: PaperBroker, tmp_path: Path) -> None:
    write(tmp_path, broker, ["json://127.0.0.1:9/canary-path"], leader="an-old-login")
    result = run(tmp_path)
    assert result.returncode == 2
    assert "Alert not delivered to json" in result.stderr
    assert "canary-path" not in result.stderr


def test_the_test_alert_says_of_each_address_whether_it_took_it(
    broker: PaperBroker, tmp_path: Path, receiver: Receiver
) -> None:
    write(tmp_path, broker, [receiver.url, receiver.url])
    result = run(tmp_path, "alert-test")
    assert (result.returncode, result.stdout) == (0, "1 json: delivered\n2 json: delivered\n")
    assert [(body["title"], body["type"]) for body in receiver.received] == [("copytrade: test leader", "info")] * 2
    write(tmp_path, broker, [receiver.url, "json://127.0.0.1:9/canary-path"])
    result = run(tmp_path, "alert-test")
    assert result.returncode == 2
    assert result.stdout.startswith("1 json: delivered\n2 json: not delivered: ")
    assert "canary" not in result.stdout + result.stderr
    receiver.status = 500
    assert run(tmp_path, "alert-test").returncode == 2


def test_the_test_alert_fails_where_nobody_would_be_told(broker: PaperBroker, tmp_path: Path) -> None:
    write(tmp_path, broker, [])
    result = run(tmp_path, "alert-test")
    assert (result.returncode, result.stdout) == (2, "")
    assert "[alerts] urls names nobody" in result.stderr
