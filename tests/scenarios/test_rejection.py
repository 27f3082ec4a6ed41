"""Who would not have an order, and what becomes of the other side."""

import json

import pytest

from copytrade.paper.server.faults import Kind, Mischief, RestFault
from tests.support.copier import ALICE, LEADER, Copier
from tests.support.waiting import eventually


def test_an_order_that_the_leaders_broker_rejects_is_not_copied(copier: Copier) -> None:
    copier.broker.halt("45674")
    copier.broker.drop_feed(LEADER, refuse_for=0.3)  # so that nobody hears of it before it is over
    leader = copier.buy(4)
    copier.broker.reject(LEADER, leader, "circuit limit")
    assert copier.mapping(leader, "alice", "skipped")[0] == "leader_rejected"
    assert copier.copies("alice") == []


def test_a_copy_of_an_order_that_is_rejected_later_is_cancelled(copier: Copier) -> None:
    leader = copier.buy(4)
    copier.copy_of(leader, "alice")
    copier.broker.reject(LEADER, leader, "circuit limit")
    copier.mapping(leader, "alice", "cancelled")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Order price is out of the circuit limit", "price_band"),
        ("client level position limit breached", "position_limit"),
        ("Margin shortfall", "margin"),
        ("Something new", "other"),
    ],
)
def test_a_rejection_is_recorded_with_its_kind_and_not_repeated(copier: Copier, text: str, kind: str) -> None:
    leader = copier.buy(4)
    copier.broker.reject(ALICE, copier.copy_of(leader, "alice")["orderId"], text)
    reason, error, *_ = copier.mapping(leader, "alice", "failed")
    assert (reason, error.split(":")[0]) == ("broker_rejected", kind)
    copier.broker.modify(LEADER, leader, price="101.00")
    eventually(lambda: copier.copy_of(leader, "bob")["price"] == 101.0)
    assert len(copier.copies("alice")) == 1
    assert copier.logged("Failed to place follower=alice")


def test_what_may_pass_is_tried_again(copier: Copier) -> None:
    body = json.dumps({"errorType": "Rate_Limit", "errorCode": "DH-904", "errorMessage": "Too many requests"})
    copier.broker.faults.add(RestFault(Mischief.ANSWER, Kind.PLACE, ALICE, status=429, body=body))
    leader = copier.buy(4)
    copier.mapping(leader, "alice", "placed")
    assert len(copier.copies("alice")) == 1


def test_an_instrument_that_nobody_knows_is_refused_before_anything_is_sent(copier: Copier) -> None:
    frame = {
        "Data": {
            "orderNo": "991",
            "clientId": LEADER,
            "exchange": "NSE",
            "segment": "D",
            "securityId": "99999",
            "product": "M",
            "txnType": "B",
            "orderType": "LMT",
            "validity": "DAY",
            "quantity": 65,
            "price": 10,
            "status": "Pending",
        },
        "Type": "order_alert",
    }
    copier.broker.send_frame(LEADER, json.dumps(frame))
    assert copier.mapping("991", "alice", "skipped")[0] == "unknown_instrument"
    assert copier.copies("alice") == []
