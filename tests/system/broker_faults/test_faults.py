"""Every fault of a reply, on a placement, a modification and a cancellation: in the end one order, as it should be."""

from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import FrameFault, Kind, Mischief, RestFault
from tests.support.copier import ALICE, LEADER, LOT, running, settings_for
from tests.support.waiting import eventually

HTML = {"body": "<html><h1>Bad Gateway</h1></html>", "content_type": "text/html"}

#: What becomes of the reply, and whether the broker has done what was asked.
FAULTS = {
    "reset": RestFault(Mischief.RESET),
    "reset, but done": RestFault(Mischief.RESET, accepted=True),
    "time-out": RestFault(Mischief.HANG),
    "time-out, but done": RestFault(Mischief.HANG, accepted=True),
    "time-out, and done later": RestFault(Mischief.HANG, accepted=True, delay=0.5),
    "500": RestFault(Mischief.ANSWER, status=500, **HTML),  # type: ignore[arg-type]
    "500, but done": RestFault(Mischief.ANSWER, accepted=True, status=500, **HTML),  # type: ignore[arg-type]
    "502": RestFault(Mischief.ANSWER, status=502, **HTML),  # type: ignore[arg-type]
    "502, but done": RestFault(Mischief.ANSWER, accepted=True, status=502, **HTML),  # type: ignore[arg-type]
    "504 of the broker's own": RestFault(
        Mischief.ANSWER, status=504, body='{"errorCode": "DH-908", "errorMessage": "Internal"}'
    ),
    "redirected": RestFault(Mischief.ANSWER, status=307),
    "no JSON": RestFault(Mischief.ANSWER, status=200, body="OK"),
    "no JSON, but done": RestFault(Mischief.ANSWER, accepted=True, status=200, body='{"orderId": '),
    "another shape": RestFault(Mischief.ANSWER, status=200, body='{"message": "later"}'),
    "another shape, but done": RestFault(Mischief.ANSWER, accepted=True, status=200, body="[]"),
    "truncated, but done": RestFault(Mischief.TRUNCATE, accepted=True),
    "empty, but done": RestFault(Mischief.ANSWER, accepted=True, status=200),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("told", [True, False], ids=["told by the feed", "found in the book"])
def test_one_order_as_it_should_be_is_what_comes_of_it(
    broker: PaperBroker, tmp_path: Path, fault: RestFault, told: bool
) -> None:
    settings = settings_for(
        broker,
        tmp_path,
        dhan={"request_timeout": 0.3},
        recovery={"absence_window": 0.5, "audit_interval": 0.5},
        supervision={"backoff_max": 0.1},
    )
    with running(settings, broker) as copier:
        if not told:
            broker.faults.add(FrameFault(ALICE, times=100, copies=0))
        for kind in (Kind.PLACE, Kind.MODIFY, Kind.CANCEL):
            broker.faults.add(RestFault(**{**fields_of(fault), "kind": kind, "client_id": ALICE}))  # type: ignore[arg-type]
        leader = copier.buy(4, "100.00")
        copier.mapping(leader, "alice", "placed")
        broker.modify(LEADER, leader, price="101.00")
        eventually(lambda: copier.copy_of(leader, "alice")["price"] == 101.0, "it is modified")
        broker.cancel(LEADER, leader)
        copier.mapping(leader, "alice", "cancelled")
        (row,) = copier.copies("alice")
        assert (row["orderStatus"], row["quantity"], row["price"]) == ("CANCELLED", 4 * LOT, 101.0)
        copier.copy_of(leader, "bob")


def fields_of(fault: RestFault) -> dict[str, object]:
    return {name: getattr(fault, name) for name in RestFault.__slots__}


def test_an_error_in_a_reply_that_says_200_is_a_refusal(broker: PaperBroker, tmp_path: Path) -> None:
    refusal = '{"errorType": "Order_Error", "errorCode": "DH-906", "errorMessage": "Margin shortfall"}'
    with running(settings_for(broker, tmp_path), broker) as copier:
        broker.faults.add(RestFault(Mischief.ANSWER, Kind.PLACE, ALICE, status=200, body=refusal))
        leader = copier.buy(4)
        reason, error, *_ = copier.mapping(leader, "alice", "failed")
        assert (reason, "Margin shortfall" in error) == ("broker_refused", True)
        copier.mapping(leader, "bob", "placed")
        assert not copier.copies("alice")
