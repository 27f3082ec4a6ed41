"""``run.py report`` in each of its shapes, in this process."""

import argparse
import json
from pathlib import Path

import pytest

from copytrade.app.arguments import parse
from copytrade.app.commands.report import report_of_day
from copytrade.settings import Settings
from copytrade.storage.database import Database
from tests.reports.test_report import DAY, a_day

ACCOUNTS = {
    "leader": {"client_id": "1", "access_token": "x"},
    "followers": [{"name": "alice", "client_id": "2", "access_token": "y", "ratio": 1.0}],
    "copy": {"sizing": "fixed_ratio"},
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    database = str(tmp_path / "copy_trading.db")
    store = Database(database)
    store.write(a_day())
    store.close()
    return Settings.model_validate({"mode": "paper", **ACCOUNTS, "store": {"database": database}})


def options(*arguments: str) -> argparse.Namespace:
    return parse(["report", "--date", str(DAY), *arguments], None)


def test_each_shape_of_the_report_is_written_or_printed(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, table = tmp_path / "day.html", tmp_path / "day.csv"
    assert report_of_day(settings, options("--html", str(page))) == 0
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert report_of_day(settings, options("--csv", str(table))) == 0
    assert len(table.read_text().splitlines()) == 10
    assert capsys.readouterr() == ("", f"written to {page}\nwritten to {table}\n")
    assert report_of_day(settings, options("--json")) == 0
    assert json.loads(capsys.readouterr().out)["totals"]["sent"] == 4
    assert report_of_day(settings, options()) == 0
    assert capsys.readouterr().out.startswith("Copies of Monday 23 November 2026")
    assert report_of_day(settings, options("--csv", "/dev/stderr")) == 0


def test_what_cannot_be_written_or_read_ends_with_2(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing" / "day.html"
    assert report_of_day(settings, options("--html", str(missing))) == 2
    assert capsys.readouterr().err == f"{missing}: cannot be written: No such file or directory\n"
    (tmp_path / "copy_trading.db").unlink()
    assert report_of_day(settings, options("--html", str(tmp_path / "day.html"))) == 2
    assert "there is no such file" in capsys.readouterr().err
    assert not (tmp_path / "day.html").exists()
    with pytest.raises(SystemExit) as raised:
        options("--json", "--csv", "day.csv")
    assert raised.value.code == 2
