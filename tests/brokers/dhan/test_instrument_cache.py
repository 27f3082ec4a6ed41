"""Where the instrument master comes from: streamed, kept, and kept apart from what is broken or old."""

import stat
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest

from copytrade.brokers.dhan.instruments.cache import MasterSource
from copytrade.brokers.instrument_source import MasterUnreadable
from copytrade.common import wall_clock
from copytrade.core.model.instruments import Instruments
from copytrade.core.model.orders import IST
from copytrade.paper.broker import PaperBroker
from tests.core.model.master_rows import HEAD, NIFTY
from tests.core.orders import OPTION

MASTER = f"{HEAD}\n{NIFTY}\n".encode()

#: When it is to be read anew each day: just now, so that what is read from here on is of today.
JUST_NOW = (datetime.now(IST) - timedelta(seconds=30)).time()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "copy.db.instruments"


def source(server, cache: Path, renewed_at: time = JUST_NOW) -> MasterSource:
    return MasterSource(f"{server.url}/master.csv", cache, renewed_at)


def rewrite(cache: Path, read_at: datetime) -> None:
    """Make what was kept older than it is."""
    mark, rest = cache.read_text().split("\n", 1)
    cache.write_text(f"{mark.rpartition(' ')[0]} {read_at.isoformat()}\n{rest}")


def test_what_was_read_is_kept_as_it_was_and_for_its_owner_alone(server, cache):
    server.will_answer(200, MASTER)
    read = source(server, cache).read()
    kept = source(server, cache).kept()
    assert kept is not None
    assert (dict(kept.instruments), kept.read_at) == (dict(read.instruments), read.read_at)
    assert kept.instruments[OPTION].underlying == "NIFTY"
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600


def test_todays_is_not_asked_for_twice_and_yesterdays_is(server, cache):
    server.will_answer(200, MASTER)
    source(server, cache).read()
    assert source(server, cache).read().instruments[OPTION].lot_size == 65
    assert len(server.requests) == 1
    rewrite(cache, wall_clock.now() - timedelta(days=2))
    server.will_answer(200, MASTER.replace(b"65.0", b"75.0"))
    assert source(server, cache).read().instruments[OPTION].lot_size == 75
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n" + MASTER,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n" + MASTER,
        b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        b"junk\r\n\r\n",
        b"",
    ],
    ids=["cut off", "cut off in a chunk", "refused", "no master", "no HTTP", "nothing"],
)
def test_what_is_broken_does_not_replace_what_was_kept(server, cache, answer):
    server.will_answer(200, MASTER)
    source(server, cache).read()
    rewrite(cache, wall_clock.now() - timedelta(days=3))
    server.will_send(answer, then="close")
    with pytest.raises(MasterUnreadable):
        source(server, cache).read()
    kept = source(server, cache).kept()
    assert kept is not None
    assert wall_clock.now() - kept.read_at > timedelta(days=2)


@pytest.mark.parametrize("content", ["", "# elsewhere 2026-11-25T08:30:00+05:30\n", "junk", "# x y\na,b\n"])
def test_what_was_kept_of_elsewhere_or_is_damaged_is_nothing(server, cache, content):
    cache.write_text(content)
    assert source(server, cache).kept() is None
    server.will_answer(200, MASTER)
    assert len(source(server, cache).read().instruments) == 1


def test_a_cache_that_cannot_be_written_costs_a_warning(server, cache):
    cache.mkdir()
    server.will_answer(200, MASTER)
    assert len(source(server, cache).read().instruments) == 1


def test_it_is_renewed_each_morning_in_india(server, cache):
    at = source(server, cache, time(8, 30))
    for now, hours in (("2026-11-25T08:29:00", 1 / 60), ("2026-11-25T08:30:00", 24), ("2026-11-25T20:30:00", 12)):
        assert at.seconds_until_renewed(datetime.fromisoformat(now).replace(tzinfo=IST)) == pytest.approx(hours * 3600)


def test_a_master_of_200_000_rows_is_streamed_and_what_is_alike_in_it_shared(cache):
    with PaperBroker([], master_rows=200_000) as broker:
        instruments = MasterSource(broker.instruments_url, cache, JUST_NOW).read().instruments
    assert isinstance(instruments, Instruments)
    assert 170_000 < len(instruments) < 200_000  # indices do not trade
    assert len({id(instrument.tick) for instrument in instruments.values()}) < 10_000
    assert {key.segment for key in instruments} == {"NSE_FNO", "BSE_FNO", "NSE_EQ", "BSE_EQ", "MCX_COMM"}
