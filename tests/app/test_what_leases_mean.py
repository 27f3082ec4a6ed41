"""What ``check`` says of followers whose accounts several nodes may trade."""

from pathlib import Path
from typing import Any

from copytrade.app.nodes import what_leases_mean
from copytrade.paper.broker import PaperBroker
from copytrade.settings import Settings
from tests.support.copier import accounts, settings_for

HOME = {"homes": ("n1",)}
LOGS_IN = {"pin": "2718", "totp_secret": "CANARYCANARYCANA"}


def _settings(folder: Path, url: str, **alice: Any) -> Settings:
    with PaperBroker(accounts()) as broker:
        settings = settings_for(broker, folder, nodes={"url": url})
    first = settings.followers[0].model_copy(update=alice)
    return settings.model_copy(update={"followers": (first,)})


def test_without_a_bus_nothing_is_said(tmp_path: Path) -> None:
    assert what_leases_mean(_settings(tmp_path, "")) == []


def test_one_home_needs_nothing(tmp_path: Path) -> None:
    assert what_leases_mean(_settings(tmp_path, "nats://127.0.0.1:4222", **HOME)) == []


def test_several_homes_without_pin_and_totp_mean_that_entries_wait(tmp_path: Path) -> None:
    (line,) = what_leases_mean(_settings(tmp_path, "nats://127.0.0.1:4222", homes=("n1", "n2")))

    assert "run.py take alice" in line


def test_no_homes_and_too_many_are_told(tmp_path: Path) -> None:
    (without,) = what_leases_mean(_settings(tmp_path, "nats://127.0.0.1:4222", **LOGS_IN))
    (many,) = what_leases_mean(_settings(tmp_path, "nats://127.0.0.1:4222", homes=("a", "b", "c"), **LOGS_IN))

    assert "has no homes" in without
    assert "3 homes" in many
