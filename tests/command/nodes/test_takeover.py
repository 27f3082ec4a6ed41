"""Nodes as processes: one copies, and another goes on when it has died."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from copytrade.app.nodes import open_bus
from copytrade.paper.broker import PaperBroker
from copytrade.settings.operation import Nodes
from tests.support.bus import BusServer
from tests.support.node import ALICE, BY_TOKEN, LEADER, PIN, SECRET, accounts, node
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


def status_of(broker: PaperBroker, leader_order: str) -> str:
    wanted = f"ct-{leader_order}-1"
    return next((str(row["orderStatus"]) for row in broker.orders(ALICE) if row["correlationId"] == wanted), "")


def test_another_node_goes_on_when_one_is_killed(
    broker: PaperBroker, bus: BusServer, stack: ExitStack, tmp_path: Path
) -> None:
    said: list[bytes] = []
    listener = open_bus(Nodes(url=bus.url))
    stack.callback(listener.close)
    eventually(lambda: listener.listen(">", lambda payload, _answer: said.append(payload)), "it listens")
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
    eventually(lambda: status_of(broker, before) == "CANCELLED", "the other cancels what the first has placed")
    everything = b"".join(said)
    assert b"alice" in everything, "leases and states were on the bus"
    for secret in (PIN, SECRET, "token-of", "eyJ0eXAiOi"):  # so begins a token of a login
        assert secret.encode() not in everything


def test_a_node_that_was_stopped_longer_than_its_lease_sends_nothing_when_it_goes_on(
    broker: PaperBroker, bus: BusServer, stack: ExitStack, tmp_path: Path
) -> None:
    node(stack, tmp_path, "lead", broker, bus).start()
    first = node(stack, tmp_path, "n1", broker, bus)
    second = node(stack, tmp_path, "n2", broker, bus)
    first.start()
    first.is_live()
    second.start()
    second.says("Copying begins")

    first.hang()
    second.is_live()
    order = buy(broker)
    eventually(lambda: copies_of(broker, order) == 1, "the other copies")
    accepted = len(broker.orders(ALICE))
    first.go_on()
    first.says("Lease lost follower=alice")

    later = buy(broker, "98.05")
    eventually(lambda: copies_of(broker, later) == 1, "the other copies")
    assert len(broker.orders(ALICE)) == accepted + 1
    assert len({row["correlationId"] for row in broker.orders(ALICE)}) == accepted + 1
    assert first.stop() == 0
    assert second.stop() == 0


def test_without_pin_and_totp_entries_wait_for_the_operator_and_exits_do_not(
    broker: PaperBroker, bus: BusServer, stack: ExitStack, tmp_path: Path
) -> None:
    node(stack, tmp_path, "lead", broker, bus).start()
    first = node(stack, tmp_path, "n1", broker, bus, credentials=BY_TOKEN)
    second = node(stack, tmp_path, "n2", broker, bus, credentials=BY_TOKEN)
    first.start()
    first.is_live()
    second.start()
    second.says("Copying begins")
    before = buy(broker)
    eventually(lambda: copies_of(broker, before) == 1, "it is copied")

    first.kill()
    second.says("Entries wait for run.py take alice")
    broker.cancel(LEADER, before)
    eventually(lambda: status_of(broker, before) == "CANCELLED", "the other cancels what the first has placed")
    waits = buy(broker)
    second.says("wait for run.py take alice", 2)

    assert copies_of(broker, waits) == 0
    taken = second.run("take", "alice", "--yes")
    assert taken.returncode == 0, taken.stderr
    after = buy(broker, "98.05")
    eventually(lambda: copies_of(broker, after) == 1, "entries go on")
    assert copies_of(broker, before) == 1


def test_the_bus_may_die_and_lose_its_store_while_a_node_copies(
    broker: PaperBroker, stack: ExitStack, tmp_path: Path
) -> None:
    bus = BusServer(tmp_path / "bus")
    stack.callback(bus.close)
    lead = node(stack, tmp_path, "lead", broker, bus)
    first = node(stack, tmp_path, "n1", broker, bus, homes=("n1", "n2"))
    second = node(stack, tmp_path, "n2", broker, bus, homes=("n1", "n2"))
    lead.start()
    first.start()
    first.is_live()
    second.start()
    second.says("Copying begins")

    bus.lose_store()
    first.says("Bus has lost its store")
    order = buy(broker)
    eventually(lambda: copies_of(broker, order) == 1, "it is copied")

    assert first.count("Lease lost") == 0
    assert second.count("Lease taken") == 0
    bus.kill()
    first.says("Lease lost follower=alice")
    bus.start()
    first.says("Lease taken follower=alice", 2)
    later = buy(broker, "98.05")
    eventually(lambda: copies_of(broker, later) == 1, "it goes on when the bus is back")
    assert lead.process is not None
    assert lead.process.poll() is None


def test_a_home_that_asks_for_its_follower_gets_him_at_once_and_entries_go_on(
    broker: PaperBroker, bus: BusServer, stack: ExitStack, tmp_path: Path
) -> None:
    homes = ("n1", "n2")
    node(stack, tmp_path, "lead", broker, bus).start()
    home = node(stack, tmp_path, "n1", broker, bus, homes=homes, credentials=BY_TOKEN)
    other = node(stack, tmp_path, "n2", broker, bus, homes=homes, credentials=BY_TOKEN)
    other.start()
    other.is_live()
    before = buy(broker)
    eventually(lambda: copies_of(broker, before) == 1, "it is copied")

    home.start("--take-home")
    home.is_live()
    after = buy(broker, "98.05")
    eventually(lambda: copies_of(broker, after) == 1, "the home copies")

    other.says("Lease released follower=alice to=n1")
    assert home.count("Entries wait") == 0
    assert copies_of(broker, before) == 1
    broker.cancel(LEADER, before)
    eventually(lambda: status_of(broker, before) == "CANCELLED", "the home cancels what the other has placed")


def test_a_second_lead_waits_until_the_first_has_ended(
    broker: PaperBroker, bus: BusServer, stack: ExitStack, tmp_path: Path
) -> None:
    first = node(stack, tmp_path, "lead", broker, bus)
    (tmp_path / "other").mkdir()
    second = node(stack, tmp_path / "other", "lead", broker, bus, shares=tmp_path)
    first.start()
    first.says("Lease taken leader=leader")
    second.start()
    second.says("Lease waited for leader=leader")
    assert broker.feed_connections(LEADER) <= 1
    assert second.count("Copying begins") == 0

    first.kill()
    second.says("Lease taken leader=leader")
    eventually(lambda: broker.feed_connections(LEADER) == 1, "the second follows the leader")
    assert second.stop() == 0
