"""How an operator is told that the day begins, and what it came to."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from loguru import logger

from actors.system.system import CopySystem
from actors.system.watches.start import StartWatch
from copytrade.app.changes.settings_changes import compare
from copytrade.core.model.orders import IST
from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from copytrade.settings import Settings
from copytrade.storage.files.status_file import ActorStatus, CopierStatus
from tests.support.alert_receiver import receiving
from tests.support.clocks import with_a_clock
from tests.support.copier import BOB, running, settings_for

REFUSED = '{"errorType": "Order_Error", "errorCode": "DH-906", "errorMessage": "Scrip is banned"}'


def noon(broker: PaperBroker, monkeypatch: pytest.MonkeyPatch, folder: Path) -> tuple[str, object]:
    """Set the clocks to noon of today in India, and return a calendar in which today ends at one."""
    now = datetime.now(UTC).astimezone(IST)
    shift = now.replace(hour=12, minute=0, second=0, microsecond=0) - now
    _, move = with_a_clock(broker, monkeypatch, shift)
    today = {
        "date": f"{now.date()}",
        "name": "a short day",
        "classes": ["INDEX_DERIVATIVES", "STOCK_DERIVATIVES"],
        "phases": ["CONTINUOUS 09:00-13:00"],
        "source": "a test",
    }
    covers = ["2026-01-01", max("2026-12-31", f"{now.date() + timedelta(days=1)}")]
    calendar = folder / "calendar.json"
    calendar.write_text(json.dumps({"as_of": f"{now.date()}", "covers": covers, "special": [today]}))
    return str(calendar), move


def test_the_evening_says_of_each_follower_what_the_day_came_to(
    broker: PaperBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.supervisor.actor.SNAPSHOT_EVERY", 0.05)
    calendar, move = noon(broker, monkeypatch, tmp_path)
    with receiving() as receiver:
        settings = settings_for(
            broker,
            tmp_path,
            alerts={"urls": [receiver.url]},
            recovery={"audit_interval": 0.1},
            market={"hours": "exchange", "calendar": calendar},
        )
        with running(settings, broker) as copier:
            assert receiver.told("started leader")["message"] == "Started, 2 of 2 followers"
            broker.faults.add(RestFault(Mischief.ANSWER, Kind.PLACE, BOB, status=400, body=REFUSED))
            bought = copier.buy(4, 0, order_type="MARKET")
            copier.mapping(bought, "alice", "filled")
            copier.mapping(bought, "bob", "failed")
            assert not receiver.titled("closed leader")
            move(timedelta(hours=1, minutes=10))  # type: ignore[operator]
            alert = receiver.told("closed leader")
            assert alert["message"].startswith(
                "Day over: alice: result Rs +0.00, in sync; bob: result Rs +0.00, differs: "
            )
            assert alert["type"] == "warning"
            move(timedelta(hours=1))  # type: ignore[operator]
            copier.copy_of(copier.buy(1), "alice")
        assert len(receiver.titled("closed leader")) == 1


def test_who_is_missing_at_the_start_is_named() -> None:
    said: list[tuple[str, str]] = []
    sink = logger.add(lambda line: said.append((line.record["level"].name, line.record["message"])), level="DEBUG")

    def look(watch: StartWatch, seconds: float, gate: str, **states: str) -> None:
        since = datetime(2026, 11, 23, 3, 15, tzinfo=UTC)
        feed = ActorStatus("feed-leader", "live", 0, 0, 0.0, {"gate": gate})
        actors = [feed, *(ActorStatus(name, state, 0, 0, 0.0) for name, state in states.items())]
        at = since + timedelta(seconds=seconds)
        watch.look(CopierStatus(at, since, 1, "live", "leader", list(states), actors))

    try:
        watch = StartWatch(["dave"])
        look(watch, 5, "open", asha="live", ravi="starting", lena="paused")
        assert not said
        look(watch, 60, "open", asha="live", ravi="unauthorised", lena="paused")
        look(watch, 61, "open", asha="live", ravi="live", lena="paused")
        assert said == [("WARNING", "Started, 2 of 4 followers: ravi unauthorised, dave left out")]
        look(StartWatch([]), 60, "closed", asha="live")
        assert said[-1] == ("WARNING", "Started, 1 of 1 followers: the leader's feed live")
        look(StartWatch([]), 3, "open", asha="live")
        assert said[-1] == ("INFO", "Started, 1 of 1 followers")
    finally:
        logger.remove(sink)


def test_the_day_is_as_long_as_that_of_what_is_copied_now(tmp_path: Path) -> None:
    """Else the day would be told and reported as over in the afternoon, and a dead feed of the evening to nobody."""

    def settings(kind: str) -> Settings:
        follower = {"name": "alice", "client_id": "1000000101", "access_token": "token", "instruments": [kind]}
        return Settings.model_validate(
            {
                "mode": "live",
                "leader": {"client_id": "1000000001", "access_token": "token"},
                "followers": [follower],
                "store": {"database": str(tmp_path / "copy_trading.db")},
            }
        )

    system = CopySystem(settings("OPTIDX"), None, print)
    evening = datetime(2026, 11, 23, 20, tzinfo=IST)
    assert system.trading_day.is_over(evening)
    system.take(compare(settings("OPTIDX"), settings("FUTCOM"), can_join=True))
    assert system.trading_day.is_on(evening)
