"""A lead tells the leader's orders on the bus, and nodes copy them as one process does."""

import threading
from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from tests.support.bombs import Pause, address
from tests.support.bus import BusServer
from tests.support.copier import LEADER, LOT, Copier
from tests.support.trading import everybody_holds
from tests.support.waiting import eventually
from tests.system.nodes.several import Several


@pytest.fixture
def several(broker: PaperBroker, bus: BusServer, tmp_path: Path) -> Several:
    return Several(broker, bus, tmp_path)


def test_two_nodes_copy_what_the_lead_tells(broker: PaperBroker, several: Several) -> None:
    with several.lead(), several.node("n1", "alice") as one, several.node("n2", "bob") as two:
        order = one.buy(4, "100.00")
        assert (one.copy_of(order, "alice")["quantity"], two.copy_of(order, "bob")["quantity"]) == (4 * LOT, 2 * LOT)
        broker.modify(LEADER, order, price="99.00")
        broker.modify(LEADER, order, price="125.00")
        everybody_holds(broker, 4 * LOT, 2 * LOT)
        one.buy(4, 0, side="SELL", order_type="MARKET")
        everybody_holds(broker, 0, 0)
        query = "SELECT COUNT(*) FROM orders WHERE account = 'leader'"
        eventually(lambda: one.rows(query) == [(2,)], "explain finds his orders on the node")


def test_what_a_node_missed_is_copied_once_the_bus_is_back(
    broker: PaperBroker, several: Several, bus: BusServer
) -> None:
    with several.lead() as lead, several.node("n1") as node:
        bought = node.buy(4, 0, order_type="MARKET")
        everybody_holds(broker, 4 * LOT, 2 * LOT)
        bus.kill()
        gate_is(node, "closed")
        missed = node.buy(4, 0, side="SELL", order_type="MARKET")
        eventually(lambda: lead.rows("SELECT 1 FROM orders WHERE id = ? AND status = 'TRADED'", missed), "lead knows")
        assert len(node.copies("alice")) == 1
        bus.start()
        everybody_holds(broker, 0, 0)
        gate_is(node, "open")
        assert [row["correlationId"] for row in node.copies("bob")] == [f"ct-{bought}-1", f"ct-{missed}-1"]


def test_a_lead_that_hangs_closes_the_gate_and_one_that_is_new_is_followed(
    broker: PaperBroker, several: Several
) -> None:
    with several.lead() as lead, several.node("n1") as node:
        node.buy(2, 0, order_type="MARKET")
        everybody_holds(broker, 2 * LOT, LOT)
        goes_on = threading.Event()
        address(lead, "broadcast-leader").tell(Pause(goes_on))
        gate_is(node, "closed")
        goes_on.set()
        gate_is(node, "open")
        lead.system.stop()
        gate_is(node, "closed")
        missed = node.buy(2, 0, side="SELL", order_type="MARKET")
        with several.lead():
            everybody_holds(broker, 0, 0)
            gate_is(node, "open")
            assert len(node.copies("alice")) == 2
            node.mapping(missed, "alice", "filled")


def gate_is(node: Copier, state: str) -> None:
    feed = address(node, "feed-leader")
    eventually(lambda: feed.health.figures.get("gate") == state, f"the gate is {state}")
