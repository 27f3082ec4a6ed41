"""What the leader can place, and what each follower gets of it."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from copytrade.brokers.api import Unreadable
from copytrade.brokers.dhan.decode import read_frame
from copytrade.paper.broker import PaperBroker
from copytrade.paper.server import wire
from copytrade.paper.server.faults import FrameFault
from tests.core.orders import NOW
from tests.support.copier import ALICE, BOB, LEADER, LOT, OPTION, Copier, running, settings_for
from tests.support.waiting import eventually

SHARES = {"security_id": "2885", "segment": "NSE_EQ"}


def test_a_market_order_is_copied_at_market_and_everything_is_on_record(copier: Copier) -> None:
    leader = copier.buy(4, 0, order_type="MARKET")
    for follower, quantity in (("alice", 4 * LOT), ("bob", 2 * LOT)):
        row = copier.copy_of(leader, follower)
        assert (row["quantity"], row["transactionType"], row["securityId"]) == (quantity, "BUY", OPTION)
        copier.mapping(leader, follower, "filled")
        assert len(copier.rows("SELECT 1 FROM orders WHERE id IN (?, ?)", leader, row["orderId"])) == 2
        assert copier.rows("SELECT action FROM audit_log WHERE account = ?", follower) == [("place",)]
    (write,) = copier.broker.writes(ALICE)
    assert (write.payload["orderType"], write.payload["price"]) == ("MARKET", 0)


def test_a_limit_order_keeps_its_price(copier: Copier) -> None:
    leader = copier.buy(4, "101.55")
    assert [copier.copy_of(leader, follower)["price"] for follower in ("alice", "bob")] == [101.55, 101.55]


def test_a_stop_order_keeps_its_trigger_and_its_limit(copier: Copier) -> None:
    leader = copier.buy(4, "131.00", order_type="STOP_LOSS", trigger_price="130.00")
    row = copier.copy_of(leader, "bob")
    assert (row["orderType"], row["price"], row["triggerPrice"]) == ("STOP_LOSS", 131.0, 130.0)
    assert "trigger_price=130" in copier.logged("Placing follower order follower=bob")


def test_a_stop_market_order_becomes_a_stop_with_a_limit_of_our_own(copier: Copier) -> None:
    leader = copier.buy(4, 0, order_type="STOP_LOSS_MARKET", trigger_price="130.00")
    row = copier.copy_of(leader, "bob")
    assert (row["orderType"], row["price"], row["triggerPrice"]) == ("STOP_LOSS", 136.5, 130.0)


@pytest.mark.parametrize("product", ["INTRADAY", "CNC", "MARGIN"])
def test_the_product_is_kept(copier: Copier, product: str) -> None:
    instrument = SHARES if product == "CNC" else {}
    leader = copier.buy(4, "100.00", product=product, **instrument)
    assert copier.copy_of(leader, "alice")["productType"] == product


@pytest.mark.parametrize("validity", ["DAY", "IOC"])
def test_the_validity_is_kept(copier: Copier, validity: str) -> None:
    leader = copier.buy(4, "125.00", validity=validity)
    assert copier.copy_of(leader, "alice")["validity"] == validity


def test_an_immediate_order_that_finds_nothing_ends_on_both_sides(copier: Copier) -> None:
    leader = copier.buy(4, "90.00", validity="IOC")

    def over() -> bool:
        rows = copier.rows("SELECT status, reason FROM copy_mappings WHERE leader_order_id = ?", leader)
        return len(rows) == 2 and all(
            status == "cancelled" or (status == "skipped" and reason) for status, reason in rows
        )

    eventually(over, "both copies are over: by themselves, by the leader's end, or before they began")
    assert all(row["orderStatus"] == "CANCELLED" for name in ("alice", "bob") for row in copier.copies(name))


@pytest.mark.parametrize(
    "contract", ["45670", "45679", "35001", "60001"], ids=["call", "put", "future", "stock option"]
)
def test_the_contract_is_the_very_same_whatever_strike_or_expiry(copier: Copier, contract: str) -> None:
    lot = copier.broker.instrument(contract).lot_size
    leader = copier.broker.place(LEADER, side="BUY", security_id=contract, quantity=2 * lot, price="27.00")
    row = copier.copy_of(leader, "bob")
    assert (row["securityId"], row["exchangeSegment"], row["quantity"]) == (contract, "NSE_FNO", lot)


def test_an_option_sold_from_flat_is_sold_by_the_followers(copier: Copier) -> None:
    leader = copier.buy(4, "140.00", side="SELL")
    assert copier.copy_of(leader, "bob")["transactionType"] == "SELL"


def test_the_legs_of_a_spread_are_copied_in_the_leaders_order(copier: Copier) -> None:
    bought = copier.buy(2, "100.00")
    sold = copier.broker.place(LEADER, side="SELL", security_id="45676", quantity=2 * LOT, price="140.00")
    for follower in ("alice", "bob"):
        eventually(lambda follower=follower: len(copier.copies(follower)) == 2)
        assert [row["correlationId"] for row in copier.copies(follower)] == [f"ct-{bought}-1", f"ct-{sold}-1"]


@pytest.mark.parametrize(("disclosed", "copied"), [(500, 250), (310, 155)])
def test_a_disclosed_quantity_is_scaled_with_the_order(copier: Copier, disclosed: int, copied: int) -> None:
    terms: dict[str, Any] = {"quantity": 1000, "price": "1390.00", "product": "INTRADAY", **SHARES}
    leader = copier.broker.place(LEADER, side="BUY", disclosed_quantity=disclosed, **terms)
    row = copier.copy_of(leader, "bob")
    assert (row["quantity"], row["disclosedQuantity"]) == (500, copied)


def test_what_is_above_the_freeze_quantity_is_sent_in_slices(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path)
    large = settings.followers[0].model_copy(update={"ratio": Decimal(3)})
    with running(settings.model_copy(update={"followers": (large, settings.followers[1])}), broker) as copier:
        leader = copier.buy(20, "100.00")
        eventually(lambda: len(copier.copies("alice")) == 3)
        rows = copier.copies("alice")
        assert sorted(row["quantity"] // LOT for row in rows) == [6, 27, 27]
        assert sorted(row["correlationId"] for row in rows) == [f"ct-{leader}-{n}" for n in (1, 2, 3)]
        broker.modify(LEADER, leader, price="101.00")
        eventually(lambda: {row["price"] for row in copier.copies("alice")} == {101.0}, "every slice is modified")
        broker.cancel(LEADER, leader)
        eventually(lambda: {row["orderStatus"] for row in copier.copies("alice")} == {"CANCELLED"}, "and cancelled")


def test_a_follower_without_the_margin_is_not_asked_twice(copier: Copier) -> None:
    every_rupee = int(copier.broker.exchange.available(BOB) / 1510)
    copier.broker.place(BOB, side="BUY", security_id="1594", segment="NSE_EQ", quantity=every_rupee, price=1510)
    leader = copier.buy(4)
    reason, error, *_ = copier.mapping(leader, "bob", "failed")
    assert (reason, error.split(":")[0]) == ("broker_rejected", "margin")
    copier.broker.modify(LEADER, leader, price="101.00")
    eventually(lambda: copier.copy_of(leader, "alice")["price"] == 101.0)
    assert len(copier.copies("bob")) == 1


def test_an_event_that_comes_twice_is_one_order(copier: Copier) -> None:
    copier.broker.faults.add(FrameFault(LEADER, times=3, copies=2))
    leader = copier.buy(4)
    later = copier.buy(2)
    for follower in ("alice", "bob"):
        copier.copy_of(later, follower)
        assert len(copier.copies(follower)) == 2
    assert leader != later


def test_less_than_a_lot_is_skipped_with_the_reason(copier: Copier) -> None:
    leader = copier.buy(1)
    reason, error, *_ = copier.mapping(leader, "bob", "skipped")
    assert reason == "zero_lots"
    assert "under one lot of 65" in error


@pytest.mark.parametrize("missing", ["orderNo", "securityId"])
def test_a_frame_without_an_id_is_reported_and_harms_nothing(broker: PaperBroker, missing: str) -> None:
    order_id = broker.place(LEADER, side="BUY", security_id=OPTION, quantity=LOT, price=1)
    frame = json.loads(json.dumps(wire.frame(broker.exchange.order(LEADER, order_id), Decimal(120))))
    del frame["Data"][missing]
    (read,) = read_frame(json.dumps(frame).encode(), LEADER, NOW)
    assert isinstance(read, Unreadable)
