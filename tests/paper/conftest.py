from collections.abc import Iterator

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import PaperAccount
from tests.paper.talking import CLIENT, OTHER


@pytest.fixture
def broker() -> Iterator[PaperBroker]:
    with PaperBroker([PaperAccount(CLIENT, "one"), PaperAccount(OTHER, "two")]) as broker:
        yield broker
