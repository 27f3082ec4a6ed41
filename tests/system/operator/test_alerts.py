"""Whom a running copier tells of trouble, over a real HTTP service."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from tests.support.alert_receiver import Receiver, receiving
from tests.support.bombs import Bomb, address
from tests.support.copier import ALICE, BOB, LEADER, Copier, running, settings_for


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def copier(broker: PaperBroker, tmp_path: Path, receiver: Receiver) -> Iterator[Copier]:
    with running(settings_for(broker, tmp_path, alerts={"urls": [receiver.url]}), broker) as copier:
        yield copier


def refuse(copier: Copier, kind: Kind, client_id: str, words: str) -> None:
    body = json.dumps({"errorType": "Order_Error", "errorCode": "DH-906", "errorMessage": words})
    copier.broker.faults.add(RestFault(Mischief.ANSWER, kind, client_id, status=400, body=body))


def test_a_follower_that_is_refused_for_margin_is_told_of_once(copier: Copier, receiver: Receiver) -> None:
    orders = []
    for _ in range(2):
        refuse(copier, Kind.PLACE, ALICE, "Insufficient funds")
        orders.append(copier.buy(4))
        copier.mapping(orders[-1], "alice", "failed")
    alert = receiver.told("margin alice")
    assert alert["type"] == "failure"
    assert f"follower=alice leader_order={orders[0]}" in alert["message"]
    assert "What to do: add funds" in alert["message"]
    copier.broker.reject(BOB, copier.copy_of(orders[0], "bob")["orderId"], "RMS: margin exceeds")
    receiver.told("margin bob")
    assert len(receiver.titled("margin alice")) == 1


def test_each_kind_of_failure_is_told_of(copier: Copier, receiver: Receiver) -> None:
    refuse(copier, Kind.PLACE, BOB, "Scrip is banned")
    leader = copier.buy(4)
    copier.mapping(leader, "alice", "placed")
    receiver.told("failed_to_place bob")
    refuse(copier, Kind.MODIFY, ALICE, "no")
    copier.broker.modify(LEADER, leader, price="101.00")
    assert f"leader_order={leader}" in receiver.told("failed_to_modify alice")["message"]
    refuse(copier, Kind.CANCEL, ALICE, "no")
    copier.broker.cancel(LEADER, leader)
    assert f"leader_order={leader}" in receiver.told("failed_to_cancel alice")["message"]


def test_a_crash_is_told_of(copier: Copier, receiver: Receiver) -> None:
    address(copier, "alice").tell(Bomb(RuntimeError("on purpose")))
    assert "on purpose" in receiver.told("crashed alice")["message"]


def test_a_suspended_account_is_told_of_as_what_it_is_and_the_order_that_it_lacks_as_skipped(
    copier: Copier, receiver: Receiver
) -> None:
    body = json.dumps({"errorType": "Order_Error", "errorCode": "DH-902", "errorMessage": "No access"})
    copier.broker.faults.add(RestFault(Mischief.ANSWER, Kind.PLACE, ALICE, status=400, body=body))
    copier.buy(4)
    receiver.told("suspended alice")
    receiver.told("account_suspended alice")
    titles = sorted(body["title"] for body in receiver.received if "alice" in body["title"])
    assert titles == ["copytrade: account_suspended alice", "copytrade: suspended alice"]


def test_a_copy_that_stays_unfilled_is_told_of_where_the_settings_say_so(
    broker: PaperBroker, tmp_path: Path, receiver: Receiver
) -> None:
    copying = {"unfilled_after": 0.2, "unfilled_action": "alert"}
    settings = settings_for(broker, tmp_path, alerts={"urls": [receiver.url]}, copy=copying)
    with running(settings, broker) as copier:
        leader = copier.buy(4)
        copier.copy_of(leader, "alice")
        copier.copy_of(leader, "bob")
        broker.fill(LEADER, leader)
        alert = receiver.told("unfilled alice")
        assert alert["type"] == "warning"
        assert f"leader_order={leader}" in alert["message"]
        assert copier.copy_of(leader, "alice")["orderStatus"] == "PENDING"
        receiver.told("unfilled bob")


def test_a_copy_that_is_cancelled_or_repriced_because_it_stays_unfilled_alerts_nobody(
    broker: PaperBroker, tmp_path: Path, receiver: Receiver
) -> None:
    settings = settings_for(broker, tmp_path, alerts={"urls": [receiver.url]}, copy={"unfilled_after": 0.2})
    with running(settings, broker) as copier:
        leader = copier.buy(4)
        copier.copy_of(leader, "alice")
        copier.copy_of(leader, "bob")
        broker.fill(LEADER, leader)
        copier.mapping(leader, "alice", "cancelled")
        copier.mapping(leader, "bob", "cancelled")
        assert copier.logged("Follower order unfilled")
    assert not [body for body in receiver.received if "unfilled" in body["title"]]
