"""What an operator can do while it runs, and what reaches him who does not look."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from tests.support.asking import switch
from tests.support.bombs import Bomb, address
from tests.support.copier import ALICE, LEADER, LOT, OPTION, Copier, running, settings_for
from tests.support.waiting import eventually


@pytest.mark.parametrize("follower", ["alice", ""], ids=["one", "all"])
def test_a_pause_stops_entries_and_nothing_else_until_it_ends(copier: Copier, follower: str) -> None:
    held, resting = copier.buy(4, 0, order_type="MARKET"), copier.buy(4)
    for name in ("alice", "bob"):
        copier.mapping(held, name, "filled")
        copier.mapping(resting, name, "placed")
    switch(copier, follower, "false")
    copier.logged("Entries paused follower=alice")
    assert address(copier, "alice").health.state == "paused"
    entry = copier.buy(4, "99.00")
    assert copier.mapping(entry, "alice", "skipped")[0] == "copying_disabled"
    if follower:
        copier.mapping(entry, "bob", "placed")
    copier.broker.cancel(LEADER, resting)
    copier.mapping(resting, "alice", "cancelled")
    leaving = copier.broker.place(
        LEADER, side="SELL", security_id=OPTION, quantity=4 * LOT, price=0, order_type="MARKET"
    )
    copier.mapping(leaving, "alice", "filled")
    switch(copier, follower, "true")
    copier.logged("Entries resumed follower=alice")
    copier.mapping(entry, "alice", "placed")


def test_a_pause_outlives_a_restart(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path)
    with running(settings, broker) as copier:
        switch(copier, "alice", "false")
        copier.logged("Entries paused follower=alice")
        address(copier, "alice").tell(Bomb(RuntimeError("a bug")))
        copier.logged("Actor alice restarted")
        entry = copier.buy(4)
        assert copier.mapping(entry, "alice", "skipped")[0] == "copying_disabled"
        copier.mapping(entry, "bob", "placed")


def test_a_switch_reaches_a_follower_whose_store_was_restarted(copier: Copier) -> None:
    address(copier, "store").tell(Bomb(RuntimeError("a bug")))
    copier.logged("Actor store restarted (1)")
    switch(copier, "alice", "false")
    copier.logged("Entries paused follower=alice")
    switch(copier, "alice", "true")
    copier.logged("Entries resumed follower=alice")
    copier.mapping(copier.buy(4), "alice", "placed")


class Service(BaseHTTPRequestHandler):
    """Takes alerts as JSON, and answers as it is told to."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append(body)  # type: ignore[attr-defined]
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Any]:
    server: Any = HTTPServer(("127.0.0.1", 0), Service)
    server.received, server.status = [], 200
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def suspend(copier: Copier, client_id: str) -> None:
    denied = '{"errorType": "Order_Error", "errorCode": "DH-902", "errorMessage": "No access to the Trading APIs"}'
    fault = RestFault(Mischief.ANSWER, Kind.PLACE, client_id, status=400, body=denied)
    copier.broker.faults.add(fault)


def test_an_alert_reaches_whom_the_settings_name_once_a_kind_and_follower(
    broker: PaperBroker, tmp_path: Path, service: Any
) -> None:
    url = f"json://127.0.0.1:{service.server_port}"
    with running(settings_for(broker, tmp_path, alerts={"urls": [url]}), broker) as copier:
        suspend(copier, ALICE)
        copier.buy(4)
        copier.buy(4)
        copier.logged("Account suspended follower=alice")
        eventually(lambda: service.received, "the alert is delivered")
        eventually(lambda: address(copier, "notifier").health.figures.get("held_back"))
        alerts = [(body["title"], "Account suspended follower=alice" in body["message"]) for body in service.received]
        assert alerts.count(("copytrade: suspended alice", True)) == 1
        assert len(alerts) == len(set(alerts))


@pytest.mark.parametrize("is_there", [True, False], ids=["refusing", "gone"])
def test_a_dead_alert_service_costs_a_warning_and_delays_nobody(
    broker: PaperBroker, tmp_path: Path, service: Any, is_there: bool
) -> None:
    service.status = 500
    url = f"json://127.0.0.1:{service.server_port if is_there else 9}"
    with running(settings_for(broker, tmp_path, alerts={"urls": [url]}), broker) as copier:
        suspend(copier, ALICE)
        leader = copier.buy(4)
        copier.mapping(leader, "bob", "placed")
        assert copier.logged("Alert not delivered kind=suspended").startswith("WARNING")
        copier.mapping(copier.buy(4), "bob", "placed")
        assert address(copier, "notifier").epoch == 1
