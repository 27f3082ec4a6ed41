"""Nodes as processes: one copies, and another goes on when it has died."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from tests.support.bus import BusServer
from tests.support.node import ALICE, LEADER, accounts, node
from tests.support.waiting import eventually

LOT = 65


@pytest.fixture
def broker() -> Iterator[PaperBroker]:
    with PaperBroker(accounts()) as broker:
        broker.allow_logins(0)
        yield broker


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BusServer]:
    bus = BusServer(tmp_path_factory.mktemp("bus"))
    yield bus
    bus.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def buy(broker: PaperBroker, price: str = "99.05", side: str = "BUY") -> str:
    return broker.place(LEADER, side=side, security_id="45674", quantity=LOT, price=price)


def copies_of(broker: PaperBroker, leader_order: str) -> int:
    return [row["correlationId"] for row in broker.orders(ALICE)].count(f"ct-{leader_order}-1")


def test_another_node_goes_on_when_one_is_killed(
    broker: PaperBroker, bus: BusServer, stack: ExitStack, tmp_path: Path
) -> None:
    node(stack, tmp_path, "lead", broker, bus).start()
    first = node(stack, tmp_path, "n1", broker, bus)
    second = node(stack, tmp_path, "n2", broker, bus)
    first.start()
    first.is_live()
    second.start()
    second.says("Copying begins")
    before = buy(broker)
    eventually(lambda: copies_of(broker, before) == 1, "it is copied")

    first.kill()
    second.is_live()
    after = buy(broker)
    eventually(lambda: copies_of(broker, after) == 1, "the other copies")

    assert copies_of(broker, before) == 1
    assert second.count("Lease taken follower=alice node=n2") == 1
    broker.cancel(LEADER, before)
    row = next(row for row in broker.orders(ALICE) if row["correlationId"] == f"ct-{before}-1")
    eventually(
        lambda: (
            next(one for one in broker.orders(ALICE) if one["orderId"] == row["orderId"])["orderStatus"] == "CANCELLED"
        ),
        "the other cancels what the first has placed",
    )
