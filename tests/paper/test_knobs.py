"""Each thing that can be turned at the paper broker, over real sockets: what is told changes, what is so does not."""

import time
from decimal import Decimal
from typing import Any

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.orders import Refusal
from copytrade.paper.server.faults import FrameFault, Kind, Mischief, RestFault
from copytrade.paper.server.refusals import REFUSALS
from copytrade.paper.server.rewriting import Told
from tests.paper.talking import CLIENT, OPTION, OTHER, ask, connected, place, words
from tests.support.waiting import eventually

HOUR = 3600.0


def book(broker: PaperBroker) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = ask(broker, "GET", "/orders")[1]
    return rows


def positions(broker: PaperBroker) -> dict[tuple[str, str], int]:
    return {(row["securityId"], row["productType"]): row["netQty"] for row in ask(broker, "GET", "/positions")[1]}


def test_the_book_lags_behind_what_has_happened(broker: PaperBroker) -> None:
    order_id = place(broker)[1]["orderId"]
    broker.lag(CLIENT, book=0.2)
    broker.fill(CLIENT, order_id, 65)
    assert [row["filledQty"] for row in book(broker)] in ([], [0])
    status, shown = ask(broker, "GET", f"/orders/{order_id}")
    assert status == 400 or shown[0]["filledQty"] == 0
    eventually(lambda: [row["filledQty"] for row in book(broker)] == [65], "the book has caught up")
    assert positions(broker) == {(OPTION, "MARGIN"): 65}


def test_the_positions_lag_by_themselves(broker: PaperBroker) -> None:
    broker.lag(CLIENT, positions=HOUR)
    broker.place(CLIENT, side="BUY", security_id=OPTION, quantity=65, order_type="MARKET")
    broker.place(CLIENT, side="BUY", security_id=OPTION, quantity=65, order_type="MARKET")
    assert positions(broker) == {}
    assert [row["filledQty"] for row in book(broker)] == [65, 65]
    broker.lag(CLIENT, positions=0.2)
    eventually(lambda: positions(broker) == {(OPTION, "MARGIN"): 130}, "the positions have caught up")


def test_the_updates_lag_by_themselves_and_in_order(broker: PaperBroker) -> None:
    socket = connected(broker)
    broker.lag(CLIENT, feed=0.1)
    broker.place(CLIENT, side="BUY", security_id=OPTION, quantity=65, order_type="MARKET")
    assert [row["orderStatus"] for row in book(broker)] == ["TRADED"]
    assert [word["status"] for word in words(socket, 3)] == ["Transit", "Pending", "Traded"]


def test_new_orders_of_one_account_are_not_visible_at_first(broker: PaperBroker) -> None:
    broker.lag(CLIENT, visible=HOUR)
    place(broker)
    assert book(broker) == []
    broker.clear_faults()
    assert len(book(broker)) == 1


def test_an_accepted_order_is_never_shown(broker: PaperBroker) -> None:
    socket = connected(broker)
    broker.faults.add(RestFault(Mischief.HIDE, Kind.PLACE, CLIENT))
    order_id = place(broker)[1]["orderId"]
    assert book(broker) == []
    assert ask(broker, "GET", "/orders/external/ct-1-1") == (200, [])
    assert ask(broker, "GET", f"/orders/{order_id}")[0] == 400
    broker.fill(CLIENT, order_id)
    assert positions(broker) == {(OPTION, "MARGIN"): 130}
    assert broker.order(CLIENT, order_id)["filledQty"] == 130
    place(broker, correlationId="ct-2-1")
    assert words(socket, 3)[-1]["correlationId"] == "ct-2-1"


def test_an_accepted_order_is_shown_late(broker: PaperBroker) -> None:
    broker.faults.add(RestFault(Mischief.HIDE, Kind.PLACE, CLIENT, hidden=0.1))
    place(broker)
    assert book(broker) == []
    eventually(lambda: book(broker), "it is shown")


@pytest.mark.parametrize("kind", [Kind.PLACE, Kind.MODIFY, Kind.CANCEL])
def test_a_request_is_swallowed(broker: PaperBroker, kind: Kind) -> None:
    order_id = place(broker)[1]["orderId"]
    before = broker.order(CLIENT, order_id)
    broker.faults.add(RestFault(Mischief.SWALLOW, kind, CLIENT))
    change = {"orderType": "LIMIT", "validity": "DAY", "quantity": 195, "price": 101.0}
    match kind:
        case Kind.PLACE:
            status, answer = place(broker, correlationId="ct-2-1")
        case Kind.MODIFY:
            status, answer = ask(broker, "PUT", f"/orders/{order_id}", change)
        case _:
            status, answer = ask(broker, "DELETE", f"/orders/{order_id}")
    assert status in (200, 202)
    assert answer["orderId"]
    assert broker.orders(CLIENT) == [before]
    last = broker.writes(CLIENT)[-1]
    assert (last.status, last.answered) == (0, status)


@pytest.mark.parametrize("code", sorted(REFUSALS))
def test_requests_are_refused_in_each_class_again_and_again(broker: PaperBroker, code: str) -> None:
    broker.refuse(code, "place", CLIENT, times=None)
    for _ in range(3):
        status, answer = place(broker)
        assert (status, answer["errorCode"]) == (REFUSALS[code].status, code)
    assert ask(broker, "GET", "/orders")[0] == 200
    broker.clear_faults()
    assert place(broker)[0] == 200


def test_one_path_alone_is_refused(broker: PaperBroker) -> None:
    order_id, other = place(broker)[1]["orderId"], place(broker, correlationId="ct-2-1")[1]["orderId"]
    broker.refuse("DH-906", "cancel", CLIENT, times=None, path=order_id)
    assert ask(broker, "DELETE", f"/orders/{order_id}")[0] == 400
    assert ask(broker, "DELETE", f"/orders/{other}")[0] == 202
    broker.refuse("DH-904", "read", CLIENT, path="/positions")
    assert [ask(broker, "GET", path)[0] for path in ("/orders", "/positions", "/positions")] == [200, 429, 200]
    assert [(read.path, read.answered) for read in broker.reads(CLIENT)[-2:]] == [
        ("/positions", 429),
        ("/positions", 200),
    ]


def test_faults_happen_by_chance(broker: PaperBroker) -> None:
    broker.refuse("DH-908", "read", CLIENT, times=None, chance=0.5)
    assert {ask(broker, "GET", "/orders")[0] for _ in range(40)} == {200, 500}


def test_fields_are_odd_or_missing(broker: PaperBroker) -> None:
    socket = connected(broker)
    broker.rewrite("row", CLIENT, where={"correlationId": "ct-1-1"}, put={"quantity": "many"}, removed=["price"])
    broker.rewrite("frame", CLIENT, put={"orderNo": None}, times=2)
    broker.rewrite("position", CLIENT, put={"netQty": "1,300"})
    broker.rewrite("funds", CLIENT, removed=["sodLimit"])
    order_id = place(broker)[1]["orderId"]
    place(broker, correlationId="ct-2-1")
    odd, plain = book(broker)
    assert (odd["quantity"], "price" in odd) == ("many", False)
    assert (plain["quantity"], plain["price"]) == (130, 100.05)
    assert [word["orderNo"] is None for word in words(socket, 4)] == [True, True, False, False]
    broker.fill(CLIENT, order_id)
    assert ask(broker, "GET", "/positions")[1][0]["netQty"] == "1,300"
    assert "sodLimit" not in ask(broker, "GET", "/fundlimit")[1]
    assert broker.order(CLIENT, order_id)["quantity"] == 130


def test_times_are_in_the_past_and_spelt_differently(broker: PaperBroker) -> None:
    socket = connected(broker)
    place(broker)
    (as_it_is,) = book(broker)
    broker.rewrite("row", CLIENT, shift=-86_400)
    (earlier,) = book(broker)
    assert earlier["createTime"] < as_it_is["createTime"]
    broker.clear_faults()
    broker.rewrite("row", CLIENT, spelling="%d/%m/%Y %H:%M:%S")
    broker.rewrite("frame", CLIENT, spelling="%d/%m/%Y %H:%M:%S")
    (spelt,) = book(broker)
    year, month, day = as_it_is["createTime"][:10].split("-")
    assert spelt["createTime"] == f"{day}/{month}/{year} {as_it_is['createTime'][11:]}"
    broker.cancel(CLIENT, as_it_is["orderId"])
    assert words(socket, 3)[-1]["lastUpdatedTime"][2] == "/"


def test_rows_and_updates_of_others_are_mixed_in(broker: PaperBroker) -> None:
    socket = connected(broker)
    place(broker)
    broker.add_row(Told.ROW, CLIENT, book(broker)[0] | {"exchangeSegment": "NSE_COMM", "orderId": "1"})
    broker.add_row("position", CLIENT, {"exchangeSegment": "NSE_COMM"})
    assert [row["exchangeSegment"] for row in book(broker)] == ["NSE_FNO", "NSE_COMM"]
    assert ask(broker, "GET", "/positions")[1] == [{"exchangeSegment": "NSE_COMM"}]
    broker.echo(OTHER, CLIENT)
    broker.place(OTHER, side="BUY", security_id=OPTION, quantity=65, order_type="MARKET")
    assert words(socket, 3)[-1]["clientId"] == OTHER


def test_updates_are_lost_doubled_and_late_by_chance(broker: PaperBroker) -> None:
    socket = connected(broker)
    broker.faults.add(FrameFault(CLIENT, times=None, copies=2, chance=0.5))
    for number in range(8):
        place(broker, correlationId=f"ct-{number}-1")
    broker.clear_faults()
    place(broker, correlationId="ct-last-1")
    told = 0
    while words(socket, 1)[0]["correlationId"] != "ct-last-1":
        told += 1
    assert 16 < told < 32


def test_a_position_moves_to_another_product_without_an_order(broker: PaperBroker) -> None:
    broker.place(CLIENT, side="BUY", security_id=OPTION, quantity=130, order_type="MARKET", product="INTRADAY")
    broker.convert(CLIENT, OPTION, "INTRADAY", "MARGIN", 65)
    assert positions(broker) == {(OPTION, "INTRADAY"): 65, (OPTION, "MARGIN"): 65}
    with pytest.raises(Refusal):
        broker.convert(CLIENT, OPTION, "INTRADAY", "MARGIN", 130)
    broker.place(CLIENT, side="SELL", security_id="45675", quantity=130, order_type="MARKET")
    broker.convert(CLIENT, "45675", "MARGIN", "INTRADAY", 130)
    assert positions(broker)["45675", "INTRADAY"] == -130
    assert len(book(broker)) == 2


def test_positions_and_shares_are_held_from_before_and_split(broker: PaperBroker) -> None:
    broker.carry(CLIENT, OPTION, -130, price=110)
    broker.carry(CLIENT, "2885", 10, product="MTF", segment="NSE_EQ")
    broker.hold(CLIENT, "2885", 10, price=1300)
    option, shares = ask(broker, "GET", "/positions")[1]
    assert (option["netQty"], option["sellQty"], option["carryForwardSellQty"], option["daySellQty"]) == (
        -130,
        130,
        130,
        0,
    )
    assert option["sellAvg"] == 110
    assert ask(broker, "GET", "/holdings")[1][0]["totalQty"] == 10
    assert ask(broker, "GET", "/holdings", token="two")[0] in (400, 401)
    broker.split("2885", 1, 2)
    assert ask(broker, "GET", "/holdings")[1][0]["totalQty"] == 20
    assert positions(broker) == {(OPTION, "MARGIN"): -130, ("2885", "MTF"): 20}
    assert shares["netQty"] == 10
    assert broker.exchange.prices["NSE_EQ", "2885"] == Decimal("697.5")


def test_a_night_passes(broker: PaperBroker) -> None:
    resting = place(broker)[1]["orderId"]
    filled = place(broker, correlationId="ct-2-1")[1]["orderId"]
    broker.fill(CLIENT, filled)
    broker.pass_night()
    assert book(broker) == []
    (held,) = ask(broker, "GET", "/positions")[1]
    assert (held["netQty"], held["carryForwardBuyQty"], held["dayBuyQty"]) == (130, 130, 0)
    last = {row["orderId"]: row["orderStatus"] for row in broker.changes(CLIENT)}
    assert last == {resting: "EXPIRED", filled: "TRADED"}
    place(broker, transactionType="SELL", correlationId="ct-3-1", price=1)
    (today,) = book(broker)
    assert today["createTime"][:10] > broker.changes(CLIENT)[0]["createTime"][:10]  # type: ignore[index]


def test_an_order_of_another_hand_rests_whatever_the_price_is(broker: PaperBroker) -> None:
    terms = {"side": "SELL", "security_id": OPTION, "quantity": 65, "order_type": "MARKET"}
    order_id = broker.place(CLIENT, **terms, resting=True, source="R", remarks="Auto square off")
    assert book(broker)[0]["orderStatus"] == "PENDING"
    broker.set_price(OPTION, 119)
    assert broker.order(CLIENT, order_id)["orderStatus"] == "TRADED"


def test_an_order_tells_of_its_family(broker: PaperBroker) -> None:
    socket = connected(broker)
    terms = {"side": "SELL", "security_id": OPTION, "quantity": 65, "price": 150}
    broker.place(CLIENT, **terms, leg=3, algo_order=132611300001, platform="FOVR", correlation_id="NR")
    word = words(socket, 2)[-1]
    assert (word["legNo"], word["algoOrdNo"], word["orderPlatform"]) == (3, 132611300001, "FOVR")
    assert book(broker)[0]["legName"] == "TARGET_LEG"


def test_funds_are_pledged(broker: PaperBroker) -> None:
    broker.set_funds(CLIENT, sod=100_000, collateral=900_000)
    funds = ask(broker, "GET", "/fundlimit")[1]
    assert (funds["sodLimit"], funds["collateralAmount"], funds["availabelBalance"]) == (100_000, 900_000, 1_000_000)


def test_a_unit_is_worth_its_price_times_the_multiplier(broker: PaperBroker) -> None:
    broker.add_instrument(
        segment="MCX_COMM",
        security_id="90001",
        kind="OPTFUT",
        symbol="CRUDEOIL-17Dec2026-6000-CE",
        display="CRUDEOIL 17 DEC 6000 CALL",
        lot_size=1,
        tick="0.10",
        price=500,
        freeze=10_000,
        expiry="2026-12-17",
        strike=6000,
        option_type="CE",
        multiplier=100,
    )
    socket = connected(broker)
    broker.place(CLIENT, side="BUY", security_id="90001", segment="MCX_COMM", quantity=10, order_type="MARKET")
    assert words(socket, 3)[-1]["multiplier"] == 100
    assert ask(broker, "GET", "/positions")[1][0]["multiplier"] == 100
    assert ask(broker, "GET", "/fundlimit")[1]["utilizedAmount"] == 500_000


def test_all_that_happened_to_the_orders_is_on_record(broker: PaperBroker) -> None:
    began = time.monotonic()
    order_id = place(broker)[1]["orderId"]
    broker.fill(CLIENT, order_id, 65)
    broker.cancel(CLIENT, order_id)
    changes = broker.changes(CLIENT)
    assert [(change["orderStatus"], change["filledQty"]) for change in changes] == [
        ("TRANSIT", 0),
        ("PENDING", 0),
        ("PART_TRADED", 65),
        ("CANCELLED", 65),
    ]
    assert all(began < float(str(change["at"])) < time.monotonic() for change in changes)


def test_what_is_sold_needs_less_beside_what_is_bought(broker: PaperBroker) -> None:
    """Naked 65 units need 130,000 rupees, hedged ones 6,500; the account has 50,000."""
    broker.set_funds(CLIENT, sod=50_000)
    broker.set_margins(CLIENT, sold=2000, hedged=100)
    terms = {"quantity": 65, "order_type": "MARKET"}

    def trades(side: str, security_id: str) -> object:
        return broker.order(CLIENT, broker.place(CLIENT, side=side, security_id=security_id, **terms))["orderStatus"]

    assert trades("SELL", "45672") == "REJECTED"
    assert [trades("BUY", "45674"), trades("SELL", "45672")] == ["TRADED", "TRADED"]
    assert trades("SELL", "45672") == "REJECTED", "one hedge is for one sold lot"
    assert trades("SELL", "45674") == "REJECTED", "the hedge cannot be left before the sold leg"
    assert [trades("BUY", "45672"), trades("SELL", "45674")] == ["TRADED", "TRADED"]
