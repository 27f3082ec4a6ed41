"""Forever orders at the paper broker, over real sockets."""

from typing import Any

from copytrade.paper.broker import PaperBroker
from tests.paper.talking import CLIENT, OPTION, ORDER, ask, connected, words

SINGLE = ORDER | {"orderFlag": "SINGLE", "transactionType": "SELL", "price": 89.5, "triggerPrice": 90.0}
OCO = SINGLE | {"orderFlag": "OCO", "price": 120.0, "triggerPrice": 120.0}
OCO |= {"price1": 89.5, "triggerPrice1": 90.0, "quantity1": 65}


def place(broker: PaperBroker, body: dict[str, object]) -> str:
    broker.set_price(OPTION, 100)
    status, answer = ask(broker, "POST", "/forever/orders", body)
    assert status == 200, answer
    return str(answer["orderId"])


def listed(broker: PaperBroker) -> list[tuple[Any, ...]]:
    names = ("legName", "orderStatus", "orderType", "quantity", "triggerPrice")
    return [tuple(row[name] for name in names) for row in ask(broker, "GET", "/forever/orders")[1]]


def test_a_single_one_places_an_ordinary_order_that_names_it(broker: PaperBroker) -> None:
    parent = place(broker, SINGLE)
    socket = connected(broker)
    assert listed(broker) == [("TARGET_LEG", "CONFIRM", "SINGLE", 130, 90.0)]
    assert ask(broker, "GET", "/orders")[1] == []
    broker.set_price(OPTION, 90)
    told = words(socket, 2)
    names = ("algoOrdNo", "orderPlatform", "correlationId", "legNo")
    assert [tuple(one[name] for name in names) for one in told] == [(int(parent), "FOVR", "NR", 1)] * 2
    assert listed(broker)[0][1] == "TRADED"
    (child,) = ask(broker, "GET", "/orders")[1]
    assert (child["legName"], child["quantity"], child["correlationId"]) == ("NA", 130, "NR")
    socket.close()


def test_one_trigger_of_a_pair_ends_the_other(broker: PaperBroker) -> None:
    place(broker, OCO)
    assert [row[0] for row in listed(broker)] == ["TARGET_LEG", "STOP_LOSS_LEG"]
    broker.set_price(OPTION, 90)
    broker.set_price(OPTION, 120)
    assert [row["quantity"] for row in broker.orders(CLIENT)] == [65]


def test_it_is_changed_cancelled_and_told_by_a_rule(broker: PaperBroker) -> None:
    broker.set_families(forever_frames=True)
    socket = connected(broker)
    parent = place(broker, SINGLE)
    change = {"legName": "TARGET_LEG", "quantity": 65, "price": 84.5, "triggerPrice": 85.0}
    assert ask(broker, "PUT", f"/forever/orders/{parent}", change)[0] == 200
    broker.pass_night()
    broker.set_price(OPTION, 88)
    assert broker.orders(CLIENT) == []
    assert ask(broker, "DELETE", f"/forever/orders/{parent}")[0] == 202
    assert ask(broker, "DELETE", f"/forever/orders/{parent}")[0] == 400
    broker.set_price(OPTION, 80)
    assert broker.orders(CLIENT) == []
    assert [one["status"] for one in words(socket, 2)] == ["CONFIRM", "CANCELLED"]
    assert len(broker.writes(CLIENT)) == 4
    socket.close()
