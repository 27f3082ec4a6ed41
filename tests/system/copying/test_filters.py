"""What is not copied as an entry, and is copied all the same where it leaves what was copied."""

import urllib.request
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.orders import PaperOrder
from tests.support.copier import ALICE, BOB, LEADER, LOT, OPTION, Copier, accounts, running, settings_for
from tests.support.trading import bought, everybody_holds, net
from tests.support.waiting import eventually

SHARE: dict[str, Any] = {"security_id": "2885", "segment": "NSE_EQ", "product": "CNC"}

PARENT = 112611300001

TARGET: dict[str, Any] = {"side": "SELL", "leg": 3, "algo_order": PARENT}
STOP: dict[str, Any] = {
    "side": "SELL",
    "leg": 2,
    "algo_order": PARENT,
    "order_type": "STOP_LOSS",
    "trigger_price": "92.00",
}

#: Each way of sizing, for alice; bob is sized by ratio 0.5.
STRATEGIES: list[dict[str, Any]] = [
    {"sizing": "fixed_ratio", "ratio": 1.0},
    {"sizing": "fixed_lots", "lots": 2},
    {"sizing": "risk_based", "capital": 10_000_000},
    {"sizing": "capital_proportional", "capital": 10_000_000},
]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: str(strategy["sizing"]))
def test_a_copied_position_is_left_through_a_target_leg(
    broker: PaperBroker, tmp_path: Path, strategy: dict[str, Any]
) -> None:
    for client_id in (LEADER, ALICE, BOB):
        broker.set_funds(client_id, sod=10_000_000)
    followers = [
        {"name": "alice", "client_id": ALICE, "access_token": "token-of-alice", **strategy},
        {"name": "bob", "client_id": BOB, "access_token": "token-of-bob", "ratio": 0.5},
    ]
    with running(settings_for(broker, tmp_path, followers=followers), broker) as copier:
        bought(copier)
        assert net(broker, ALICE) > 0
        out = copier.buy(4, "115.00", **TARGET)
        copier.mapping(out, "alice", "filled")
        copier.mapping(out, "bob", "filled")
        everybody_holds(broker, 0, 0)


def test_a_target_and_a_stop_leg_rest_for_a_copied_position_and_the_one_makes_way(copier: Copier) -> None:
    bought(copier)
    target, stop = copier.buy(4, "140.00", **TARGET), copier.buy(4, "90.00", **STOP)
    for order in (target, stop):
        assert copier.copy_of(order, "alice")["quantity"] == 4 * LOT
        assert copier.copy_of(order, "bob")["quantity"] == 2 * LOT
    copier.broker.set_price(OPTION, "140.00")
    copier.broker.cancel(LEADER, stop)
    for follower in ("alice", "bob"):
        copier.mapping(target, follower, "filled")
        copier.mapping(stop, follower, "cancelled")
    everybody_holds(copier.broker, 0, 0)


def test_a_leg_that_fills_while_the_feed_is_down_is_found_in_the_book(copier: Copier) -> None:
    bought(copier)
    copier.broker.drop_feed(LEADER, refuse_for=0.4)
    eventually(lambda: not copier.broker.feed_connections(LEADER))
    out = copier.buy(3, "115.00", **TARGET)
    copier.mapping(out, "alice", "filled")
    copier.mapping(out, "bob", "filled")
    everybody_holds(copier.broker, LOT, 0)


def test_a_leg_in_another_product_leaves_nothing_that_was_copied(copier: Copier) -> None:
    bought(copier)
    out = copier.buy(4, "115.00", product="INTRADAY", **TARGET)
    for follower in ("alice", "bob"):
        assert copier.mapping(out, follower, "skipped")[0] == "unsupported"
    everybody_holds(copier.broker, 4 * LOT, 2 * LOT)


def test_a_leg_that_comes_while_the_entry_rests_at_a_follower_leaves_what_that_fills(copier: Copier) -> None:
    entered = copier.buy(4, "100.00")
    for follower in ("alice", "bob"):
        copier.mapping(entered, follower, "placed")
    copier.broker.fill(LEADER, entered)
    copier.broker.fill(ALICE, str(copier.copy_of(entered, "alice")["orderId"]), LOT)
    copier.buy(4, "115.00", **TARGET)
    eventually(lambda: copier.copy_of(entered, "bob")["orderStatus"] == "CANCELLED", "bob's entry is not wanted")
    everybody_holds(copier.broker, 0, 0)


def test_a_leg_that_is_larger_than_the_position_leaves_it_and_enters_nothing(copier: Copier) -> None:
    bought(copier)
    out = copier.buy(6, "115.00", **TARGET)
    copier.mapping(out, "alice", "filled")
    copier.mapping(out, "bob", "filled")
    everybody_holds(copier.broker, 0, 0)
    text = str(copier.rows("SELECT arithmetic FROM copy_mappings WHERE leader_order_id = ?", out))
    assert "not entered, unsupported" in text
    back = copier.buy(2, "125.00")  # he was short by two lots, that nobody was by copying
    for follower in ("alice", "bob"):
        assert copier.mapping(back, follower, "skipped")[0] == "nothing_held"
    everybody_holds(copier.broker, 0, 0)


def test_the_legs_of_a_family_that_was_not_entered_leave_alone_what_was_copied_beside_it(copier: Copier) -> None:
    bought(copier)
    family = copier.buy(2, "125.00", remarks="Super Order")
    for follower in ("alice", "bob"):
        assert copier.mapping(family, follower, "skipped")[0] == "unsupported"
    resting = copier.buy(2, "140.00", side="SELL", leg=3, algo_order=int(family))
    out = copier.buy(2, "115.00", side="SELL", leg=2, algo_order=int(family))
    for order in (resting, out):
        for follower in ("alice", "bob"):
            assert copier.mapping(order, follower, "skipped")[0] == "unsupported"
    copier.broker.cancel(LEADER, resting)
    everybody_holds(copier.broker, 4 * LOT, 2 * LOT)
    half = copier.buy(2, "115.00", side="SELL")
    copier.mapping(half, "alice", "filled")
    copier.mapping(half, "bob", "filled")
    everybody_holds(copier.broker, 2 * LOT, LOT)
    copier.buy(2, "115.00", side="SELL")
    everybody_holds(copier.broker, 0, 0)


def test_what_the_leader_leaves_last_by_the_leg_of_another_family_is_left_all_the_same(copier: Copier) -> None:
    bought(copier)
    family = copier.buy(4, "125.00", remarks="Super Order")
    assert copier.mapping(family, "alice", "skipped")[0] == "unsupported"
    half = copier.buy(4, "115.00", side="SELL")
    copier.mapping(half, "alice", "filled")
    everybody_holds(copier.broker, 2 * LOT, LOT)  # of eight lots he has left four
    copier.buy(4, "115.00", side="SELL", leg=3, algo_order=int(family))
    everybody_holds(copier.broker, 0, 0)


def test_shares_that_were_copied_are_left_after_a_restart_that_copies_options_alone(
    broker: PaperBroker, tmp_path: Path
) -> None:
    with running(settings_for(broker, tmp_path, copy={"instruments": ["*"]}), broker) as copier:
        order = broker.place(LEADER, side="BUY", quantity=10, order_type="MARKET", **SHARE)
        copier.mapping(order, "alice", "filled")
        copier.mapping(order, "bob", "filled")
        other = broker.place(LEADER, side="BUY", quantity=4, price=1300, **SHARE)
        copier.mapping(other, "alice", "placed")
    with running(settings_for(broker, tmp_path), broker) as copier:
        broker.modify(LEADER, other, quantity=8, price=1310)  # what rests follows, and grows no more
        eventually(lambda: copier.copy_of(other, "alice")["price"] == 1310, "alice follows the price")
        assert copier.copy_of(other, "alice")["quantity"] == 4
        broker.cancel(LEADER, other)
        eventually(lambda: copier.copy_of(other, "alice")["orderStatus"] == "CANCELLED", "alice cancels")
        more = broker.place(LEADER, side="BUY", quantity=6, order_type="MARKET", **SHARE)
        for follower in ("alice", "bob"):
            assert copier.mapping(more, follower, "skipped")[0] == "filtered_instrument"
        half = broker.place(LEADER, side="SELL", quantity=8, price=1390, **SHARE)
        copier.mapping(half, "alice", "filled")
        everybody_holds(broker, 5, 2)
        crossing = broker.place(LEADER, side="SELL", quantity=10, price=1390, **SHARE)
        copier.mapping(crossing, "alice", "filled")
        copier.mapping(crossing, "bob", "filled")
        everybody_holds(broker, 0, 0)


def test_shares_that_have_gone_into_the_depository_are_left_as_well(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_for(broker, tmp_path, copy={"instruments": ["*"]}), broker) as copier:
        order = broker.place(LEADER, side="BUY", quantity=10, order_type="MARKET", **SHARE)
        copier.mapping(order, "alice", "filled")
        copier.mapping(order, "bob", "filled")
    with PaperBroker(accounts()) as tomorrow:
        for client_id, quantity in ((LEADER, 10), (ALICE, 10), (BOB, 5)):
            tomorrow.hold(client_id, "2885", quantity)
        with running(settings_for(tomorrow, tmp_path, recovery={"audit_interval": 0.3}), tomorrow) as copier:
            for client_id in (LEADER, ALICE, BOB):
                read = f"what {client_id} holds is read again and again"
                eventually(lambda client_id=client_id: positions_read(tomorrow, client_id) > 12, read)
            out = tomorrow.place(LEADER, side="SELL", quantity=10, price=1390, **SHARE)
            copier.mapping(out, "alice", "filled")
            copier.mapping(out, "bob", "filled")


def test_shares_for_delivery_are_never_sold_short(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_for(broker, tmp_path, copy={"instruments": ["*"]}), broker) as copier:
        sold = broker.place(LEADER, side="SELL", quantity=10, order_type="MARKET", **SHARE)  # what no read has shown
        for follower in ("alice", "bob"):
            assert copier.mapping(sold, follower, "skipped")[0] == "nothing_held"
        copier.logged("not sold short")
        broker.place(LEADER, side="BUY", quantity=20, order_type="MARKET", **SHARE)
        everybody_holds(broker, 10, 5)
        out = broker.place(LEADER, side="SELL", quantity=30, price=1390, **SHARE)
        for follower in ("alice", "bob"):
            copier.mapping(out, follower, "filled")
        everybody_holds(broker, 0, 0)
        short = broker.place(LEADER, side="SELL", quantity=4, price=1390, **SHARE | {"product": "INTRADAY"})
        copier.mapping(short, "alice", "filled")
        copier.mapping(short, "bob", "filled")
        everybody_holds(broker, -4, -2)


def positions_read(broker: PaperBroker, client_id: str) -> int:
    return sum(str(read.path).endswith("/positions") for read in broker.reads(client_id))


def placed_earlier(order: PaperOrder) -> None:
    minute = timedelta(minutes=1)
    order.created_at, order.updated_at = order.created_at - minute, order.updated_at - minute
    order.exchange_at = order.updated_at


def test_an_order_from_before_the_start_that_leaves_what_was_copied_is_an_exit(
    broker: PaperBroker, tmp_path: Path
) -> None:
    resting = broker.place(LEADER, side="SELL", security_id=OPTION, quantity=4 * LOT, price="130.00")
    broker.call(lambda: placed_earlier(broker.exchange.order(LEADER, resting)))
    with running(settings_for(broker, tmp_path), broker) as copier:
        for follower in ("alice", "bob"):
            assert copier.mapping(resting, follower, "skipped")[0] == "before_start"
        bought(copier)
        assert copier.copy_of(resting, "alice")["quantity"] == 4 * LOT
        assert copier.copy_of(resting, "bob")["quantity"] == 2 * LOT
        broker.set_price(OPTION, "131.00")
        everybody_holds(broker, 0, 0)


def test_an_exit_that_is_stamped_before_the_start_is_copied(copier: Copier) -> None:
    bought(copier)
    for told in ("frame", "row"):
        copier.broker.rewrite(told, LEADER, shift=-3600)
    out = copier.buy(4, "115.00", side="SELL")
    copier.mapping(out, "alice", "filled")
    copier.mapping(out, "bob", "filled")
    everybody_holds(copier.broker, 0, 0)


NARROWED: list[dict[str, Any]] = [
    {"enabled": False},
    {"blocked": ["NIFTY"]},
    {"allowed": ["BANKNIFTY"]},
    {"trade_until": "00:01"},
    {"max_open_lots": 1},
    {"max_orders_per_day": 1},
    {"max_order_value": 1},
    {"max_lots": 1},
]


@pytest.mark.parametrize("settings", NARROWED, ids=lambda settings: next(iter(settings)))
def test_no_setting_holds_an_exit_of_what_was_copied_before(
    broker: PaperBroker, tmp_path: Path, settings: dict[str, Any]
) -> None:
    with running(settings_for(broker, tmp_path), broker) as copier:
        bought(copier)
    followers = [
        {"name": "alice", "client_id": ALICE, "access_token": "token-of-alice", "ratio": 1.0, **settings},
        {"name": "bob", "client_id": BOB, "access_token": "token-of-bob", "ratio": 0.5, **settings},
    ]
    with running(settings_for(broker, tmp_path, followers=followers), broker) as copier:
        out = copier.buy(4, "115.00", side="SELL")
        copier.mapping(out, "alice", "filled")
        copier.mapping(out, "bob", "filled")
        everybody_holds(broker, 0, 0)


def test_what_nobody_describes_any_more_is_left_by_the_lot_of_what_is_held(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_for(broker, tmp_path), broker) as copier:
        bought(copier)
    with urllib.request.urlopen(broker.instruments_url) as response:
        lines = response.read().decode().splitlines(keepends=True)
    master = tmp_path / "master.csv"
    master.write_text("".join(line for line in lines if f",{OPTION}," not in line))
    broker.rewrite("frame", LEADER, removed=("instrument", "lotSize", "tickSize"))
    settings = settings_for(broker, tmp_path, dhan={"instruments_url": str(master)})
    with running(settings, broker) as copier:
        entered = copier.buy(2, "125.00")
        for follower in ("alice", "bob"):
            assert copier.mapping(entered, follower, "skipped")[0] == "unknown_instrument"
        half = copier.buy(3, "115.00", side="SELL")
        copier.mapping(half, "alice", "filled")
        everybody_holds(broker, 2 * LOT, LOT)
        out = copier.buy(5, "115.00", side="SELL")
        copier.mapping(out, "alice", "filled")
        everybody_holds(broker, 0, 0)
        entered = copier.buy(2, "110.00")
        assert copier.mapping(entered, "alice", "skipped")[0] == "unknown_instrument"
