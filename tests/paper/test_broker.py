"""The paper broker over real sockets, as its protocol says production speaks."""

import http.client
from itertools import pairwise

import pytest
import websocket

from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import REJECTED, Mishaps, PaperAccount
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from tests.paper.talking import CLIENT, OPTION, ORDER, OTHER, ask, connected, feed, place, words


def test_an_order_is_placed_read_modified_and_cancelled(broker: PaperBroker) -> None:
    status, answer = place(broker)
    assert (status, answer["orderStatus"]) == (200, "TRANSIT")
    order_id = answer["orderId"]
    (row,) = ask(broker, "GET", "/orders")[1]
    assert (row["orderStatus"], row["price"], row["quantity"], row["filledQty"]) == ("PENDING", 100.05, 130, 0)
    assert ask(broker, "GET", "/orders/external/ct-1-1")[1][0]["orderId"] == order_id
    assert ask(broker, "GET", f"/orders/{order_id}")[1][0]["correlationId"] == "ct-1-1"
    change = {"orderType": "LIMIT", "validity": "DAY", "quantity": 195, "price": 101.0}
    assert ask(broker, "PUT", f"/orders/{order_id}", change)[0] == 200
    assert broker.order(CLIENT, order_id)["quantity"] == 195
    assert ask(broker, "DELETE", f"/orders/{order_id}") == (202, {"orderId": order_id, "orderStatus": "CANCELLED"})
    status, answer = ask(broker, "DELETE", f"/orders/{order_id}")
    assert (status, answer["errorCode"]) == (400, "DH-906")


def test_the_books_are_read_again_as_they_have_become(broker: PaperBroker) -> None:
    broker.set_price(OPTION, 120)
    resting, stop = place(broker)[1]["orderId"], place(broker, orderType="STOP_LOSS", price=151, triggerPrice=150)
    steps = [
        lambda: broker.modify(CLIENT, resting, price="100.00"),
        lambda: broker.fill(CLIENT, resting, 65),
        lambda: broker.fill(CLIENT, resting),
        lambda: broker.trigger(CLIENT, stop[1]["orderId"]),
        lambda: broker.cancel(CLIENT, stop[1]["orderId"]),
    ]
    books = []
    for step in steps:
        step()
        books.append([ask(broker, "GET", "/orders")[1], ask(broker, "GET", "/trades")[1]])
        assert books[-1][0] == broker.orders(CLIENT)
        assert ask(broker, "GET", "/orders")[1] == books[-1][0]
    assert [len(trades) for _, trades in books] == [0, 1, 2, 2, 2]
    assert all(before != after for (before, _), (after, _) in pairwise(books))


def test_the_feed_tells_a_life_in_the_words_of_production(broker: PaperBroker) -> None:
    socket = connected(broker)
    order_id = place(broker)[1]["orderId"]
    broker.modify(CLIENT, order_id, price="101.00")
    broker.fill(CLIENT, order_id, 65)
    broker.fill(CLIENT, order_id)
    transit, pending, modified, part, traded = words(socket, 5)
    assert [word["status"] for word in (transit, pending, modified, part, traded)] == [
        "Transit",
        "Pending",
        "Modified",
        "PART_TRADED",
        "Traded",
    ]
    assert (transit["exchOrderNo"], transit["exchOrderTime"]) == ("0", "0001-01-01 00:00:00")
    assert pending["exchOrderNo"] != "0"
    assert "tradedQty" not in pending
    assert "triggerPrice" not in pending
    assert (modified["price"], modified["orderNo"]) == (101.0, order_id)
    assert (part["tradedQty"], part["remainingQuantity"]) == (65, 65)
    assert traded["tradedQty"] == 130
    assert "remainingQuantity" not in traded
    assert {transit["source"], transit["txnType"], transit["product"], transit["orderType"]} == {"P", "B", "M", "LMT"}
    socket.close()


def test_a_stop_that_is_triggered_turns_into_a_limit_order(broker: PaperBroker) -> None:
    socket = connected(broker)
    broker.set_price(OPTION, 100)
    broker.place(
        CLIENT,
        side="SELL",
        security_id=OPTION,
        quantity=65,
        order_type="STOP_LOSS",
        trigger_price=90,
        price=89,
    )
    broker.set_price(OPTION, "89.50")
    *_, triggered, traded = words(socket, 4)
    assert (triggered["status"], triggered["orderType"]) == ("Triggered", "LMT")
    assert (traded["status"], traded["avgTradedPrice"]) == ("Traded", 89.5)
    socket.close()


def test_a_market_order_over_the_api_reads_back_as_a_limit_order(broker: PaperBroker) -> None:
    order_id = place(broker, orderType="MARKET", price=0)[1]["orderId"]
    row = broker.order(CLIENT, order_id)
    assert (row["orderType"], row["orderStatus"]) == ("LIMIT", "TRADED")
    web = broker.place(CLIENT, side="BUY", security_id=OPTION, quantity=65, order_type="MARKET")
    assert broker.order(CLIENT, web)["orderType"] == "MARKET"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"quantity": 100}, "DH-905"),
        ({"quantity": 0}, "DH-905"),
        ({"quantity": "130"}, "DH-905"),
        ({"quantity": 65 * 28}, "DH-906"),
        ({"price": 100.03}, "DH-905"),
        ({"price": 0}, "DH-905"),
        ({"disclosedQuantity": ""}, "DH-905"),
        ({"disclosedQuantity": 65}, "DH-905"),
        ({"correlationId": "x" * 26}, "DH-905"),
        ({"correlationId": "a/b"}, "DH-905"),
        ({"securityId": "1"}, "DH-905"),
        ({"securityId": 45674}, "DH-905"),
        ({"productType": "CNC"}, "DH-905"),
        ({"orderType": "STOP_LOSS"}, "DH-905"),
        ({"orderType": "STOP_LOSS", "triggerPrice": 101}, "DH-906"),
        ({"afterMarketOrder": True}, "DH-905"),
        ({"validity": "GTC"}, "DH-905"),
        ({"transactionType": None}, "DH-905"),
    ],
)
def test_what_the_broker_would_refuse_is_refused(broker: PaperBroker, change: dict[str, object], code: str) -> None:
    status, answer = place(broker, **change)
    assert (status, answer["errorCode"]) == (400, code)
    assert broker.orders(CLIENT) == []


def test_twenty_five_modifications_and_no_more(broker: PaperBroker) -> None:
    order_id = broker.place(CLIENT, side="BUY", security_id=OPTION, quantity=65, price=50)
    for number in range(25):
        broker.modify(CLIENT, order_id, price=51 + number)
    change = {"orderType": "LIMIT", "validity": "DAY", "quantity": 65, "price": 101.0}
    assert ask(broker, "PUT", f"/orders/{order_id}", change)[1]["errorCode"] == "DH-906"


def test_money_that_is_not_there_is_a_rejection_after_a_200(broker: PaperBroker) -> None:
    status, answer = place(broker, price=10000.0)
    assert status == 200
    row = broker.order(CLIENT, answer["orderId"])
    assert row["orderStatus"] == "REJECTED"
    assert str(row["omsErrorDescription"]).startswith(f"RMS:{answer['orderId']}:You have insufficient funds")


def test_the_eleventh_order_request_in_a_second_is_refused(broker: PaperBroker) -> None:
    answers = [place(broker) for _ in range(11)]
    assert [status for status, _ in answers].count(429) >= 1
    assert answers[-1][1]["errorCode"] == "DH-904"
    assert len(broker.writes(CLIENT)) == 11


def test_a_wrong_token_is_refused_everywhere(broker: PaperBroker) -> None:
    status, answer = ask(broker, "GET", "/profile", token="two")
    assert (status, answer["errorCode"]) == (401, "DH-901")
    socket = feed(broker, token="wrong")
    opcode, _ = socket.recv_data()
    assert opcode == websocket.ABNF.OPCODE_BINARY
    assert socket.recv_data()[0] == websocket.ABNF.OPCODE_CLOSE
    socket.close()


def test_the_account_can_be_read(broker: PaperBroker) -> None:
    broker.place(CLIENT, side="BUY", security_id=OPTION, quantity=65, order_type="MARKET")
    funds = ask(broker, "GET", "/fundlimit")[1]
    assert (funds["sodLimit"], funds["availabelBalance"] < 1_000_000) == (1_000_000.0, True)
    (position,) = ask(broker, "GET", "/positions")[1]
    assert (position["netQty"], position["positionType"]) == (65, "LONG")
    (trade,) = ask(broker, "GET", "/trades")[1]
    assert trade["tradedQuantity"] == 65
    assert ask(broker, "GET", "/holdings")[1]["errorCode"] == "DH-1111"
    assert ask(broker, "GET", "/profile")[1]["dhanClientId"] == CLIENT


def test_partial_fills_are_whole_lots_and_add_up() -> None:
    with PaperBroker([PaperAccount(CLIENT, "one")], mishaps=Mishaps(partial_fills=1.0)) as broker:
        order_id = broker.place(CLIENT, side="BUY", security_id=OPTION, quantity=650, price=100)
        for price in ("99.00", "98.00"):
            before = broker.order(CLIENT, order_id)["filledQty"]
            broker.set_price(OPTION, price)
            filled = broker.order(CLIENT, order_id)["filledQty"]
            assert before < filled < 650  # type: ignore[operator]
            assert filled % 65 == 0  # type: ignore[operator]


def test_while_an_instrument_is_halted_orders_are_taken_and_nothing_fills(broker: PaperBroker) -> None:
    broker.halt(OPTION)
    resting = place(broker)[1]["orderId"]
    immediate = place(broker, validity="IOC", correlationId="ct-2-1")[1]["orderId"]
    broker.set_price(OPTION, "90.00")
    assert ask(broker, "GET", f"/orders/{resting}")[1][0]["orderStatus"] == "PENDING"
    assert ask(broker, "GET", f"/orders/{immediate}")[1][0]["orderStatus"] == "CANCELLED"
    assert ask(broker, "PUT", f"/orders/{resting}", ORDER | {"orderId": resting, "price": 99.0})[0] == 200
    broker.resume(OPTION)
    assert ask(broker, "GET", f"/orders/{resting}")[1][0]["orderStatus"] == "TRADED"


def test_orders_are_rejected_by_chance_on_every_account_but_one() -> None:
    accounts = [PaperAccount(CLIENT, "one"), PaperAccount(OTHER, "two")]
    with PaperBroker(accounts, mishaps=Mishaps(rejections=1.0, spared=OTHER)) as broker:
        order_id = place(broker)[1]["orderId"]
        row = ask(broker, "GET", f"/orders/{order_id}")[1][0]
        assert (row["orderStatus"], REJECTED in row["omsErrorDescription"]) == ("REJECTED", True)
        spared = broker.place(OTHER, side="BUY", security_id=OPTION, quantity=65, price=100)
        assert broker.order(OTHER, spared)["orderStatus"] == "PENDING"


def test_a_fault_strikes_as_often_as_it_was_asked_to(broker: PaperBroker) -> None:
    broker.faults.add(RestFault(Mischief.RESET, Kind.PLACE, accepted=True))
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        place(broker)
    assert len(broker.orders(CLIENT)) == 1
    broker.faults.add(RestFault(Mischief.RESET, Kind.PLACE))
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        place(broker)
    assert len(broker.orders(CLIENT)) == 1
    broker.faults.add(RestFault(Mischief.TRUNCATE, Kind.READ))
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        ask(broker, "GET", "/orders")
    assert place(broker)[0] == 200


def test_an_accepted_order_shows_late_where_that_is_wanted(broker: PaperBroker) -> None:
    broker.faults.visibility_lag = 3600.0
    order_id = place(broker)[1]["orderId"]
    assert ask(broker, "GET", "/orders")[1] == []
    assert ask(broker, "GET", "/orders/external/ct-1-1")[1] == []
    broker.faults.clear()
    assert ask(broker, "GET", "/orders")[1][0]["orderId"] == order_id


def test_ids_never_repeat_between_runs(broker: PaperBroker) -> None:
    first = {place(broker)[1]["orderId"] for _ in range(5)}
    with PaperBroker([PaperAccount(CLIENT, "one")]) as again:
        second = {place(again)[1]["orderId"] for _ in range(5)}
    assert len(first | second) == 10
    assert all(len(order_id) <= 15 for order_id in first | second)


def test_a_muted_feed_is_silent_and_a_dropped_one_gone(broker: PaperBroker) -> None:
    socket = connected(broker)
    broker.mute_feed(CLIENT)
    place(broker)
    broker.mute_feed(CLIENT, muted=False)
    broker.send_frame(CLIENT, "the next thing that comes")
    assert socket.recv() == "the next thing that comes"
    broker.drop_feed(CLIENT, refuse_for=3600)
    assert socket.recv_data()[0] == websocket.ABNF.OPCODE_CLOSE
    with pytest.raises(websocket.WebSocketBadStatusException):
        feed(broker)


def test_what_orders_and_positions_block_is_released_with_them(broker: PaperBroker) -> None:
    def blocked() -> float:
        return 1_000_000 - float(ask(broker, "GET", "/fundlimit")[1]["availabelBalance"])

    bid = place(broker, quantity=130, price=100)[1]["orderId"]
    place(broker, quantity=65, price=90)
    assert blocked() == 13_000 + 5_850
    broker.modify(CLIENT, bid, price=110)
    assert blocked() == 14_300 + 5_850
    broker.fill(CLIENT, bid, 65)
    assert blocked() == 14_300 + 5_850
    broker.fill(CLIENT, bid)
    ask_price = 200
    offer = place(broker, transactionType="SELL", quantity=195, price=ask_price)[1]["orderId"]
    assert blocked() == 14_300 + 5_850 + 65 * ask_price  # 130 of it closes what is held
    broker.cancel(CLIENT, offer)
    exit_order = place(broker, transactionType="SELL", quantity=130, price=ask_price)[1]["orderId"]
    assert blocked() == 14_300 + 5_850
    broker.fill(CLIENT, exit_order, price=110)
    assert blocked() == 5_850
