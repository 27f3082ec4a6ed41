from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import PaperAccount
from tests.scenarios.copying import COPYING
from tests.support.copier import CLIENTS, Copier, running, settings_for


@pytest.fixture
def broker() -> Iterator[PaperBroker]:
    accounts = [PaperAccount(client_id, f"token-of-{name}", Decimal(10**9)) for name, client_id in CLIENTS.items()]
    with PaperBroker(accounts) as broker:
        yield broker


@pytest.fixture
def copier(broker: PaperBroker, tmp_path: Path) -> Iterator[Copier]:
    """Everything is copied, at any hour; an order that rests after the leader's was filled is soon seen to."""
    settings = settings_for(broker, tmp_path, copy=COPYING)
    with running(settings, broker) as copier:
        yield copier
