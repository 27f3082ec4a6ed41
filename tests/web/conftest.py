from collections.abc import Iterator

import pytest

from bench.speed.board.stage import Stagehand
from tests.support.waiting import eventually
from tests.web.served import Served, serving


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stagehand]:
    """Play a copier of three followers."""
    with Stagehand(tmp_path_factory.mktemp("board"), 3) as stage:
        yield stage


@pytest.fixture(scope="package")
def shared(stage: Stagehand) -> Iterator[Served]:
    with serving(stage.settings, stage.database) as served:
        yield served


@pytest.fixture
def board(stage: Stagehand, shared: Served) -> Served:
    """Return the board of the played copier, with nobody logged in."""
    stage.tell()
    shared.cookies = {}
    eventually(lambda: shared.get("/api/state").status == 200, "the board has seen that")
    return shared
