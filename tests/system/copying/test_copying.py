"""The main job, through real sockets: what the leader does with an order, every follower does too."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from tests.support.copier import ALICE, BOB, LEADER, LOT, Copier, running, settings_for
from tests.support.waiting import eventually


def test_a_limit_order_is_placed_modified_and_cancelled(copier: Copier) -> None:
    leader = copier.buy(4, "100.05")
    for follower, quantity in (("alice", 4 * LOT), ("bob", 2 * LOT)):
        row = copier.copy_of(leader, follower)
        assert row["quantity"] == quantity
        assert (row["price"], row["productType"], row["transactionType"]) == (100.05, "MARGIN", "BUY")
        assert (row["orderType"], row["validity"], row["securityId"]) == ("LIMIT", "DAY", "45674")
        copier.mapping(leader, follower, "placed")

    copier.broker.modify(LEADER, leader, price="101.50", quantity=6 * LOT)
    for follower, quantity in (("alice", 6 * LOT), ("bob", 3 * LOT)):
        eventually(lambda follower=follower: copier.copy_of(leader, follower)["price"] == 101.5)
        assert copier.copy_of(leader, follower)["quantity"] == quantity

    copier.broker.cancel(LEADER, leader)
    for follower in ("alice", "bob"):
        eventually(lambda follower=follower: copier.copy_of(leader, follower)["orderStatus"] == "CANCELLED")
        copier.mapping(leader, follower, "cancelled")
        assert len(copier.copies(follower)) == 1
        assert [write.kind for write in copier.broker.writes(ALICE if follower == "alice" else BOB)] == [
            Kind.PLACE,
            Kind.MODIFY,
            Kind.CANCEL,
        ]
    for line in (
        "Placing follower order",
        "Order replicated successfully",
        "Order modified successfully",
        f"Processing cancellation for leader order: {leader}",
        f"Successfully cancelled follower order {copier.copy_of(leader, 'bob')['orderId']}",
        "Order cancelled successfully",
    ):
        assert copier.logged(line)


def test_fills_and_slippage_are_tracked(copier: Copier) -> None:
    leader = copier.buy(4, "100.05")
    alice, bob = copier.copy_of(leader, "alice"), copier.copy_of(leader, "bob")
    copier.broker.fill(LEADER, leader, 4 * LOT, "100.00")
    copier.broker.fill(ALICE, alice["orderId"], LOT, "100.05")
    copier.broker.fill(ALICE, alice["orderId"], 3 * LOT, "100.05")
    copier.broker.fill(BOB, bob["orderId"], 2 * LOT, "99.90")
    assert copier.mapping(leader, "alice", "filled")[3:] == (4 * LOT, 0.05)
    assert copier.mapping(leader, "bob", "filled")[3:] == (2 * LOT, -0.1)
    query = "SELECT account_type, status, filled_quantity, average_price FROM orders WHERE id = ?"
    assert copier.rows(query, alice["orderId"]) == [("follower", "TRADED", 4 * LOT, 100.05)]
    assert copier.rows(query, leader) == [("leader", "TRADED", 4 * LOT, 100.0)]
    events = copier.rows("SELECT event_type FROM order_events WHERE order_id = ?", alice["orderId"])
    assert [event for (event,) in events][-2:] == ["part_traded", "traded"]


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"order_type": "MARKET", "price": 0}, {"orderStatus": "TRADED"}),
        (
            {"order_type": "STOP_LOSS", "side": "SELL", "trigger_price": "90.00", "price": "89.50"},
            {"orderType": "STOP_LOSS", "triggerPrice": 90.0, "price": 89.5, "transactionType": "SELL"},
        ),
        ({"product": "INTRADAY"}, {"productType": "INTRADAY"}),
        ({"validity": "IOC", "price": "130.00"}, {"validity": "IOC", "orderStatus": "TRADED"}),
        ({"after_market": True}, {"afterMarketOrder": True}),
        ({"side": "SELL", "price": "140.00"}, {"transactionType": "SELL", "price": 140.0}),
    ],
    ids=["market", "stop", "intraday", "ioc", "amo", "sell"],
)
def test_every_kind_of_order_arrives_as_it_is(copier: Copier, terms: dict, expected: dict) -> None:  # type: ignore[type-arg]
    leader = copier.buy(4, **terms)
    copier.copy_of(leader, "alice")
    eventually(lambda: expected.items() <= copier.copy_of(leader, "alice").items(), f"{expected}")
    assert copier.copy_of(leader, "bob")["quantity"] == 2 * LOT


def test_disclosed_quantity_of_shares_is_scaled(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_for(broker, tmp_path, copy={"instruments": ["*"]}), broker) as copier:
        leader = broker.place(
            LEADER,
            side="BUY",
            security_id="2885",
            segment="NSE_EQ",
            quantity=100,
            price="1300.00",
            product="CNC",
            disclosed_quantity=40,
        )
        row = copier.copy_of(leader, "bob")
        assert (row["quantity"], row["disclosedQuantity"], row["productType"]) == (50, 20, "CNC")


def test_what_is_not_copied_has_a_recorded_reason(copier: Copier) -> None:
    shares = copier.broker.place(
        LEADER, side="BUY", security_id="2885", segment="NSE_EQ", quantity=10, price="1300.00", product="CNC"
    )
    small = copier.buy(1)
    own = copier.buy(4, correlation_id="ct-123-1")
    for leader, follower, reason in (
        (shares, "alice", "filtered_instrument"),
        (small, "bob", "zero_lots"),
        (own, "alice", "own_order"),
    ):
        assert copier.mapping(leader, follower, "skipped")[0] == reason
        assert copier.logged(f"Order skipped: {reason}")
    assert copier.copy_of(small, "alice")["quantity"] == LOT
    assert copier.copies("bob") == []


def test_a_skipped_order_that_grows_is_copied_after_all(copier: Copier) -> None:
    leader = copier.buy(1)
    copier.mapping(leader, "bob", "skipped")
    copier.broker.modify(LEADER, leader, quantity=2 * LOT)
    assert copier.copy_of(leader, "bob")["quantity"] == LOT
    copier.mapping(leader, "bob", "placed")
    assert len(copier.rows("SELECT * FROM copy_mappings WHERE follower = 'bob'")) == 1


def test_what_the_broker_refuses_is_recorded_and_not_repeated(copier: Copier) -> None:
    body = json.dumps({"errorType": "Order_Error", "errorCode": "DH-906", "errorMessage": "Scrip is banned"})
    copier.broker.faults.add(RestFault(Mischief.ANSWER, Kind.PLACE, ALICE, status=400, body=body))
    leader = copier.buy(4)
    reason, error, *_ = copier.mapping(leader, "alice", "failed")
    assert (reason, error) == ("broker_refused", "instrument: DH-906 Scrip is banned")
    copier.broker.modify(LEADER, leader, price="101.00")
    eventually(lambda: copier.copy_of(leader, "bob")["price"] == 101.0)
    assert [write.kind for write in copier.broker.writes(ALICE)] == [Kind.PLACE]
    assert copier.logged("Failed to place")


def test_a_rejection_by_risk_management_is_recorded(copier: Copier) -> None:
    leader = copier.buy(4)
    row = copier.copy_of(leader, "alice")
    copier.broker.reject(ALICE, row["orderId"], "Margin shortfall")
    reason, error, *_ = copier.mapping(leader, "alice", "failed")
    assert reason == "broker_rejected"
    assert "Margin shortfall" in error


def test_a_rejected_leader_order_takes_its_copies_with_it(copier: Copier) -> None:
    leader = copier.buy(4)
    copier.copy_of(leader, "alice")
    copier.broker.reject(LEADER, leader, "circuit limit")
    eventually(lambda: copier.copy_of(leader, "alice")["orderStatus"] == "CANCELLED")
    eventually(lambda: copier.copy_of(leader, "bob")["orderStatus"] == "CANCELLED")


def test_a_copy_that_ended_without_us_stays_ended(copier: Copier) -> None:
    leader = copier.buy(4)
    row = copier.copy_of(leader, "alice")
    copier.mapping(leader, "alice", "placed")
    copier.broker.cancel(ALICE, row["orderId"])
    assert copier.mapping(leader, "alice", "cancelled")[0] == "ended_externally"
    copier.broker.modify(LEADER, leader, price="101.00")
    eventually(lambda: copier.copy_of(leader, "bob")["price"] == 101.0)
    assert len(copier.copies("alice")) == 1


def test_every_leader_order_is_copied_once_in_a_burst_without_a_refusal(copier: Copier) -> None:
    leaders = [copier.buy(2, Decimal(100) + Decimal(number) / 20) for number in range(25)]
    for leader in leaders:
        copier.copy_of(leader, "alice")
        copier.copy_of(leader, "bob")
    for client_id, follower in ((ALICE, "alice"), (BOB, "bob")):
        assert len(copier.copies(follower)) == 25
        assert {write.status for write in copier.broker.writes(client_id)} == {200}
    copier.logged("Rate limit reached, waiting")
    for follower in ("alice", "bob"):
        assert sum(f"follower={follower}" in line for line in copier.log if "Rate limit reached" in line) == 1


def test_the_operators_three_questions(copier: Copier) -> None:
    leader = copier.buy(4)
    copier.mapping(leader, "alice", "placed")
    order = copier.copy_of(leader, "alice")["orderId"]
    eventually(lambda: len(copier.rows("SELECT * FROM copy_mappings WHERE leader_order_id = ?", leader)) == 2)
    eventually(lambda: copier.rows("SELECT * FROM orders WHERE id = ? AND status = 'PENDING'", order))
    ((value,),) = copier.rows("SELECT value FROM config WHERE key = 'last_leader_event_ts'")
    assert int(value) > 1_700_000_000
    ((request, response, status),) = copier.rows(
        "SELECT request_data, response_data, status_code FROM audit_log WHERE account = 'alice'"
    )
    assert f"ct-{leader}-1" in request
    assert order in response
    assert status == 200


def test_junk_on_the_feed_is_logged_and_harms_nothing(copier: Copier) -> None:
    for junk in ("{", b"\xff\xfe", '{"Data": {"orderNo": "1"}, "Type": "order_alert"}', "[]", "3"):
        copier.broker.send_frame(LEADER, junk)
    assert copier.logged("Unreadable frame")
    copier.copy_of(copier.buy(4), "alice")


def test_each_follower_is_served_first_in_its_turn(copier: Copier) -> None:
    first: set[str] = set()

    def both_have_been_first() -> bool:
        leader = copier.buy(2, "90.00")
        for follower in ("alice", "bob"):
            copier.mapping(leader, follower, "placed")
        sent = {client: copier.broker.writes(client)[-1].at for client in (ALICE, BOB)}
        first.add(min(sent, key=lambda client: sent[client]))
        return first == {ALICE, BOB}

    eventually(both_have_been_first)
