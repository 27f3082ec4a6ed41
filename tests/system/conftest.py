import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from tests.support.copier import Copier, accounts, running, settings_for

# The processes that the tests start keep their bytecode: compiling everything takes a third of a start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture
def broker() -> Iterator[PaperBroker]:
    with PaperBroker(accounts()) as broker:
        yield broker


@pytest.fixture
def copier(broker: PaperBroker, tmp_path: Path) -> Iterator[Copier]:
    with running(settings_for(broker, tmp_path), broker) as copier:
        yield copier
