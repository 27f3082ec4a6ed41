"""Who is told of a leader's feed that is down, and that it works again."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from loguru import logger

from actors.system.watches.feed import FeedWatch
from copytrade.core.market.sessions import load_market_hours
from copytrade.core.market.trading_day import TradingDay
from copytrade.core.model.orders import IST
from copytrade.paper.broker import PaperBroker
from copytrade.storage.files.status_file import ActorStatus, CopierStatus
from tests.support.alert_receiver import receiving
from tests.support.bombs import address
from tests.support.clocks import set_clock
from tests.support.copier import LEADER, Copier, running, settings_for
from tests.support.waiting import eventually


def shown(copier: Copier) -> str:
    """Return the state of the leader's feed that was last put before the watches."""
    snapshot = copier.system.snapshot
    feed = snapshot.actor("feed-leader") if snapshot else None
    return feed.state if feed else ""


def test_a_feed_that_is_down_is_told_of_again_and_again_and_once_when_it_is_back(
    broker: PaperBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.system.watches.feed.MARGIN", timedelta(0))
    monkeypatch.setattr("actors.supervisor.actor.SNAPSHOT_EVERY", 0.05)
    monkeypatch.setattr("copytrade.common.backoff.Backoff.next_delay", lambda _: 0.05)
    with receiving() as receiver:
        settings = settings_for(broker, tmp_path, alerts={"urls": [receiver.url], "cooldown": 0.1})
        with running(settings, broker) as copier:
            feed = address(copier, "feed-leader")
            broker.drop_feed(LEADER, refuse_for=60.0)
            eventually(lambda: feed.health.state == "reconnecting", "the feed is down")
            eventually(lambda: shown(copier) == "reconnecting", "the watch is shown it before the clock goes on")
            set_clock(monkeypatch, timedelta(seconds=61))
            alert = receiver.told("feed_down leader")
            assert alert["type"] == "failure"
            assert "Leader's feed down for 6" in alert["message"]
            assert "What to do: see whether" in alert["message"]
            eventually(lambda: len(receiver.titled("feed_down leader")) >= 2, "it is told again")
            assert not receiver.titled("over again: feed_down leader")
            set_clock(monkeypatch, timedelta(minutes=5))
            broker.feeds._refused_until = 0.0
            alert = receiver.told("over again: feed_down leader")
            assert alert["type"] == "info"
            assert "it was down for 6 min" in alert["message"]


def test_it_is_told_of_while_the_market_is_open_alone() -> None:
    said: list[str] = []
    sink = logger.add(lambda line: said.append(line.record["message"]), level="DEBUG")
    watch = FeedWatch(lambda: 300.0, TradingDay(load_market_hours(), ["OPTIDX"]))

    def look(at: str, gate: str, state: str = "live") -> None:
        feed = ActorStatus("feed-leader", state, 0, 0, 0.0, {"gate": gate})
        moment = datetime.fromisoformat(f"2026-11-23 {at}").replace(tzinfo=IST)
        watch.look(CopierStatus(moment, moment, 1, "live", "leader", [], [feed]))

    try:
        look("08:00:00", "closed")
        look("09:14:59", "closed")
        assert not said
        look("09:15:00", "closed")  # its gate alone, and for long
        assert "down for 75 min" in said[-1]
        look("09:18:00", "closed")
        assert len(said) == 1
        look("09:20:01", "closed")
        look("09:21:00", "open")
        assert "works again, it was down for 81 min" in said[-1]
        assert len(said) == 3
        look("10:00:00", "open", "reconnecting")
        look("10:00:59", "open", "reconnecting")
        look("10:01:10", "open")
        look("15:39:30", "closed")
        look("15:41:00", "closed")
        look("18:00:00", "open")
        assert len(said) == 3
    finally:
        logger.remove(sink)
