"""What keeps the machine ready touches the disk while the leader trades, and looks after the thread of the actors."""

import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from actors.runtime.dispatcher import Dispatcher
from actors.system.keep_warm import LIVELY_FOR, Readiness
from tests.actors.runtime.counting import seated
from tests.support.waiting import eventually


def test_the_disk_is_touched_while_the_leader_trades_and_left_alone_afterwards(
    dispatcher: Dispatcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched, looked = [], []
    monkeypatch.setattr("actors.system.keep_warm.os.fsync", touched.append)
    monkeypatch.setattr("actors.system.keep_warm.QUIET_EVERY", 0.001)
    monkeypatch.setattr("actors.system.keep_warm.time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(dispatcher, "relieve", lambda: looked.append(now))
    now, last_order = 1000.0, 1000.0 - LIVELY_FOR
    readiness = Readiness(tmp_path, 0.001, dispatcher, lambda: last_order)
    readiness.start()
    eventually(lambda: len(looked) > 3, "it looks after the dispatcher")
    assert not touched
    last_order = now
    eventually(lambda: touched, "the disk is touched")
    readiness.stop()


def test_nothing_is_touched_more_often_than_set_while_no_order_is_expected(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[float] = []
    monkeypatch.setattr(dispatcher, "relieve", lambda: looked.append(time.monotonic()))
    readiness = Readiness(None, 0.001, dispatcher, lambda: time.monotonic() - LIVELY_FOR - 1.0)
    began = time.monotonic()
    readiness.start()
    eventually(lambda: len(looked) == 3, "it wakes now and then")
    readiness.stop()
    assert looked[2] - began > 0.25  # three times a tenth of a second


def test_what_waits_behind_a_stuck_actor_is_served_at_the_next_touch(dispatcher: Dispatcher) -> None:
    stuck, _ = seated(dispatcher, "stuck")
    other, others_actor = seated(dispatcher, "other")
    release = threading.Event()
    stuck.tell(release)
    other.tell("hello")
    readiness = Readiness(None, 0.005, dispatcher, time.monotonic)
    readiness.start()
    eventually(lambda: others_actor.heard, "there is another thread for it")
    readiness.stop()
    release.set()
