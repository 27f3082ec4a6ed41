import itertools
from collections.abc import Iterator

import pykka
import pytest

from actors.runtime.dispatcher import Dispatcher
from tests.actors.runtime.counting import Counting
from tests.actors.runtime.watched import LATER, Watched

_NUMBERS = itertools.count()


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
