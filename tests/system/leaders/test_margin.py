"""An exit past zero may need margin: a refusal for want of it is told as the worst, and it is tried again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from tests.support.copier import running
from tests.support.waiting import eventually
from tests.system.leaders.leading import IDS, accounts, holds, is_ready, settings_of, trades


@pytest.fixture
def broker() -> Iterator[PaperBroker]:
    with PaperBroker(accounts()) as broker:
        yield broker


def test_an_exit_that_lacks_margin_is_tried_again_until_it_is_there(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_of(broker, tmp_path), broker, wait=False) as copier:
        is_ready(copier)
        trades(broker, "asha", "BUY", 2)
        holds(broker, "bina", 2)
        trades(broker, "dev", "SELL", 2)
        holds(broker, "bina", 0)
        broker.halt("45674")
        exit_ = trades(broker, "asha", "SELL", 2)

        def copies() -> list[dict[str, object]]:
            return [row for row in broker.orders(IDS["bina"]) if str(row["correlationId"]).startswith(f"ct-{exit_}-")]

        eventually(copies, "the exit is sent although nobody trades")
        broker.reject(IDS["bina"], str(copies()[0]["orderId"]), "RMS: margin exceeds, shortfall of 12000")
        line = copier.logged(f"Failed to place follower=bina leader=asha leader_order={exit_}")
        assert line.startswith("CRITICAL")
        broker.resume("45674")
        holds(broker, "bina", -2)
        assert [row["orderStatus"] for row in copies()] == ["REJECTED", "TRADED"]
        entry = trades(broker, "asha", "BUY", 1)
        holds(broker, "bina", -1)
        assert copier.mapping(entry, "bina", "filled")
