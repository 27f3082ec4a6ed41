"""One copier that groups legs, for all tests of a module; each test has an underlying of its own."""

from collections.abc import Iterator
from itertools import count

import pytest

from copytrade.paper.broker import PaperBroker
from tests.support.copier import Copier, accounts, running, settings_for
from tests.system.legs.spreads import WAIT, WITHIN, Spread, list_spreads


@pytest.fixture(scope="module")
def copier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copier]:
    with PaperBroker(accounts()) as broker:
        list_spreads(broker)
        groups = {"sizing": "fixed_ratio", "group_within": WITHIN, "group_wait": WAIT}
        with running(settings_for(broker, tmp_path_factory.mktemp("legs"), copy=groups), broker) as copier:
            yield copier


_used = count()


@pytest.fixture
def spread(copier: Copier) -> Spread:
    return Spread.of(copier.broker, next(_used))
