"""What is kept of a day while a copier runs, the page that is written after its session, and the evening's words."""

import stat
import sys
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path

import msgspec
import pytest
from loguru import logger

from actors.system.daily.report import WRITTEN_AFTER, DayReport
from copytrade.common import wall_clock
from copytrade.core.market.sessions import load_market_hours
from copytrade.core.market.trading_day import UNKNOWN_END, TradingDay
from copytrade.core.model.orders import IST
from copytrade.paper.broker import PaperBroker
from copytrade.reports.day.__main__ import main
from copytrade.reports.day.file import page_file
from copytrade.reports.day.kept import KeptDay, kept_of
from copytrade.reports.day.task import Task
from copytrade.reports.snapshot import open_to_read
from copytrade.settings import Limits
from tests.support.copier import LEADER, OPTION, Copier, running, settings_for
from tests.support.waiting import PATIENCE, eventually

ALWAYS = TradingDay(None, ())
MONDAY = date(2026, 11, 23)


@pytest.fixture
def copier(broker: PaperBroker, tmp_path: Path) -> Iterator[Copier]:
    with running(settings_for(broker, tmp_path, recovery={"audit_interval": 0.2}), broker) as copier:
        yield copier


def kept(copier: Copier, day: date) -> KeptDay | None:
    with open_to_read(copier.settings.store.database) as connection:
        return kept_of(connection, day)


def the_evening(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(IST), UNKNOWN_END, IST) + WRITTEN_AFTER


def test_results_and_gaps_are_kept_and_the_page_is_written_in_the_evening(copier: Copier) -> None:
    database, system = copier.settings.store.database, copier.system
    order = copier.buy(4, 0, order_type="MARKET")
    for follower in ("alice", "bob"):
        copier.mapping(order, follower, "filled")
    copier.broker.set_price(OPTION, "130")
    copier.broker.drop_feed(LEADER, refuse_for=0.1)
    copier.logged("Reconnected after disconnect")
    began = wall_clock.now()
    day, now = began.astimezone(IST).date(), began

    def a_report() -> DayReport:
        return DayReport(database, Limits(), ALWAYS, lambda: system.snapshot, system.write, lambda: now)

    def gaps_are_over() -> KeptDay | None:
        report.keep()
        found = kept(copier, day)
        gaps = found.gaps.get("leader", []) if found else []
        over = [gap for gap in gaps if gap.until is not None and gap.until > gap.since]
        return found if len(over) == len(gaps) == 2 and found and {*found.results} == {"alice", "bob"} else None

    report = a_report()
    found: KeptDay = eventually(gaps_are_over, "the start and the lost feed are gaps, results are known")
    assert [run.until is not None for run in found.runs] == [True]
    assert {*found.gaps} == {"leader", "alice", "bob"}

    file = page_file(database, day)
    report.look()
    assert report.finish(PATIENCE)
    assert not file.exists(), "the session is not over"
    now = the_evening(began)
    report.look()
    assert report.finish(PATIENCE)
    copier.logged(f"Report of the day written file={file}")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    page = file.read_text()
    assert order in page
    assert "When a feed may have missed something</caption>" in page
    file.write_text("mine")
    for later in (report, a_report()):  # another look, and another start
        later.look()
        assert later.finish(PATIENCE)
    assert file.read_text() == "mine"


@pytest.fixture
def said() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), format="{message}")
    yield lines
    logger.remove(sink)


def test_a_stop_after_the_session_writes_the_page_once_and_says_if_it_cannot(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing, now = str(tmp_path / "missing.db"), datetime.combine(MONDAY, UNKNOWN_END, IST) - timedelta(seconds=1)
    report = DayReport(missing, Limits(), ALWAYS, lambda: None, lambda _record: None, lambda: now)
    assert report.finish(PATIENCE)
    assert not said
    now += timedelta(seconds=1)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    for _ in range(2):
        assert report.finish(PATIENCE)
    (line,) = said
    assert "Report of the day not written" in line
    assert "No such file" in line
    assert main(msgspec.json.encode(Task(missing, MONDAY, {"per_second": 5}))) == 1
    assert capsys.readouterr().err.endswith("there is no such file\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kinds", "day", "ends"),
    [
        ({"OPTIDX", "OPTSTK"}, MONDAY, time(15, 40)),
        ({"OPTIDX", "OPTFUT"}, MONDAY, time(23, 55)),
        ({"*"}, MONDAY, time(23, 55)),
        ({"EQUITY"}, date(2026, 11, 22), None),
        ({"EQUITY"}, date(2036, 11, 24), UNKNOWN_END),
    ],
    ids=["derivatives", "commodities", "everything", "a Sunday", "a year that nobody knows"],
)
def test_a_session_ends_when_the_last_market_of_what_is_copied_closes(
    kinds: set[str], day: date, ends: time | None
) -> None:
    found = TradingDay(load_market_hours(), kinds).end(day)
    assert found == (ends and datetime.combine(day, ends, IST))
