import itertools
from collections.abc import Iterator
from pathlib import Path

import pykka
import pytest

from actors.runtime.dispatcher import Dispatcher
from copytrade.paper.broker import PaperBroker
from tests.system.copier import Copier, accounts, running, settings_for
from tests.system.counting import Counting
from tests.system.watched import LATER, Watched

_NUMBERS = itertools.count()


@pytest.fixture
def broker() -> Iterator[PaperBroker]:
    with PaperBroker(accounts()) as broker:
        yield broker


@pytest.fixture
def copier(broker: PaperBroker, tmp_path: Path) -> Iterator[Copier]:
    with running(settings_for(broker, tmp_path), broker) as copier:
        yield copier


@pytest.fixture
def dispatcher() -> Iterator[Dispatcher]:
    dispatcher = Dispatcher(f"few-{next(_NUMBERS)}")  # threads of other tests may be left
    yield dispatcher
    for ref in pykka.ActorRegistry.get_by_class(
        Counting
    ):  # and nobody else's: one that hangs may be left of another test
        ref.stop(block=False)
    dispatcher.stop()


@pytest.fixture
def watched() -> Iterator[list[Watched]]:
    made = [Watched() for _ in range(3)]
    yield made
    for one in made:
        one.close()


@pytest.fixture
def nobody_wakes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.runtime.poller.LONGEST_WAIT", LATER)
