"""Super orders at the paper broker, over real sockets."""

from collections.abc import Iterator
from typing import Any

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import PaperAccount
from tests.paper.talking import CLIENT, OPTION, ORDER, OTHER, ask, connected, words
from tests.support.waiting import eventually

ENTRY = {key: value for key, value in ORDER.items() if key != "validity"}
SUPER = ENTRY | {"price": 100.0, "targetPrice": 120.0, "stopLossPrice": 90.0, "trailingJump": 0}


@pytest.fixture(scope="module")
def running() -> Iterator[PaperBroker]:
    with PaperBroker([PaperAccount(CLIENT, "one"), PaperAccount(OTHER, "two")], per_second=1000) as broker:
        yield broker


@pytest.fixture
def broker(running: PaperBroker) -> PaperBroker:
    running.clear_faults()
    running.pass_night()
    running.replace_token(CLIENT, "one")
    running.set_price(OPTION, 110)
    return running


def place(broker: PaperBroker, **changes: object) -> str:
    status, answer = ask(broker, "POST", "/super/orders", SUPER | changes)
    assert status == 200, answer
    return str(answer["orderId"])


def listed(broker: PaperBroker) -> dict[str, Any]:
    (row,) = ask(broker, "GET", "/super/orders")[1]
    found: dict[str, Any] = row
    return found


def legs(broker: PaperBroker) -> dict[str, tuple[str, int, int]]:
    details = listed(broker)["legDetails"]
    return {one["legName"][:4]: (one["orderStatus"], one["totalQuatity"], one["remainingQuantity"]) for one in details}


def test_exits_wait_under_the_entrys_id_without_a_quantity(broker: PaperBroker) -> None:
    entry = place(broker)
    assert listed(broker)["orderStatus"] == "PENDING"
    assert {one["orderId"] for one in listed(broker)["legDetails"]} == {entry}
    assert legs(broker) == {"STOP": ("PENDING", 0, 0), "TARG": ("PENDING", 0, 0)}
    assert [row["orderId"] for row in ask(broker, "GET", "/orders")[1]] == [entry]


def test_a_fill_arms_both_exits_and_one_ends_the_other(broker: PaperBroker) -> None:
    entry = place(broker)
    socket = connected(broker)
    broker.set_price(OPTION, 100)
    assert legs(broker) == {"STOP": ("PENDING", 130, 130), "TARG": ("PENDING", 130, 130)}
    told = words(socket, 5)
    assert [(one["legNo"], one["status"], one["algoOrdNo"]) for one in told[1:]] == [
        (2, "Transit", int(entry)),
        (2, "Pending", int(entry)),
        (3, "Transit", int(entry)),
        (3, "Pending", int(entry)),
    ]
    assert {one["remarks"] for one in told} == {"Super Order"}
    broker.set_price(OPTION, 120)
    assert legs(broker) == {"STOP": ("CANCELLED", 130, 0), "TARG": ("TRADED", 130, 0)}
    assert listed(broker)["orderStatus"] == "CLOSED"
    assert len(ask(broker, "GET", "/orders")[1]) == 3
    socket.close()


def test_exits_grow_with_the_parts_of_the_entry_or_come_at_its_end(broker: PaperBroker) -> None:
    entry = place(broker)
    broker.fill(CLIENT, entry, 65)
    assert legs(broker) == {"STOP": ("PENDING", 65, 65), "TARG": ("PENDING", 65, 65)}
    broker.fill(CLIENT, entry)
    assert legs(broker) == {"STOP": ("PENDING", 130, 130), "TARG": ("PENDING", 130, 130)}


def test_exits_come_at_the_end_of_the_entry(broker: PaperBroker) -> None:
    broker.set_families(arms_in_parts=False)
    entry = place(broker)
    broker.fill(CLIENT, entry, 65)
    assert legs(broker)["STOP"] == ("PENDING", 0, 0)
    broker.fill(CLIENT, entry)
    assert legs(broker)["STOP"] == ("PENDING", 130, 130)


def test_a_part_of_one_exit_shrinks_the_other(broker: PaperBroker) -> None:
    place(broker)
    broker.set_price(OPTION, 100)
    target = next(one["orderId"] for one in listed(broker)["legDetails"] if one["legName"] == "TARGET_LEG")
    broker.fill(CLIENT, target, 65)
    assert legs(broker) == {"STOP": ("PENDING", 65, 65), "TARG": ("PART_TRADED", 130, 65)}


def test_the_other_exit_may_end_late(broker: PaperBroker) -> None:
    broker.set_families(other_leg_after=0.2)
    place(broker)
    broker.set_price(OPTION, 100)
    broker.set_price(OPTION, 120)
    states = [one["orderStatus"] for one in listed(broker)["legDetails"]]
    assert "TRADED" in states
    eventually(lambda: legs(broker)["STOP"][0] == "CANCELLED", "the stop has ended")


@pytest.mark.parametrize("tells", [True, False])
def test_a_stop_trails_in_steps_until_its_jump_is_0(broker: PaperBroker, tells: bool) -> None:
    broker.set_families(trailing_frames=tells)
    entry = place(broker, trailingJump=2)
    broker.set_price(OPTION, 100)
    broker.set_price(OPTION, 105)
    stops = [row for row in broker.orders(CLIENT) if row["legName"] == "STOP_LOSS_LEG"]
    assert [row["triggerPrice"] for row in stops] == [94.0]
    change = {"legName": "STOP_LOSS_LEG", "stopLossPrice": 95, "trailingJump": 0}
    assert ask(broker, "PUT", f"/super/orders/{entry}", change)[0] == 200
    broker.set_price(OPTION, 115)
    details = listed(broker)["legDetails"]
    assert [one["price"] for one in details if one["legName"] == "STOP_LOSS_LEG"] == [95.0]


def test_the_entry_is_cancelled_with_its_exits_and_an_exit_alone(broker: PaperBroker) -> None:
    entry = place(broker)
    assert ask(broker, "DELETE", f"/super/orders/{entry}/TARGET_LEG")[0] == 202
    assert set(legs(broker)) == {"STOP"}
    broker.fill(CLIENT, entry, 65)
    assert ask(broker, "DELETE", f"/super/orders/{entry}/ENTRY_LEG")[0] == 202
    assert listed(broker)["orderStatus"] == "CANCELLED"
    assert legs(broker) == {"STOP": ("CANCELLED", 65, 0)}


def test_a_part_that_has_traded_keeps_its_exits_by_a_rule(broker: PaperBroker) -> None:
    broker.set_families(on_cancel="rest")
    entry = place(broker)
    broker.fill(CLIENT, entry, 65)
    assert ask(broker, "DELETE", f"/super/orders/{entry}/ENTRY_LEG")[0] == 202
    assert legs(broker) == {"STOP": ("PENDING", 65, 65), "TARG": ("PENDING", 65, 65)}


def test_no_exit_is_told_by_a_rule(broker: PaperBroker) -> None:
    broker.set_families(leg_frames=False)
    place(broker)
    socket = connected(broker)
    broker.set_price(OPTION, 100)
    broker.place(CLIENT, side="SELL", security_id=OPTION, quantity=65, price=130)
    assert [(one["legNo"], one["status"]) for one in words(socket, 3)] == [
        (1, "Traded"),
        (1, "Transit"),
        (1, "Pending"),
    ]
    socket.close()


def test_an_entry_that_has_traded_is_refused_or_ends_its_exits(broker: PaperBroker) -> None:
    entry = place(broker)
    broker.set_price(OPTION, 100)
    status, answer = ask(broker, "DELETE", f"/super/orders/{entry}/ENTRY_LEG")
    assert (status, answer["errorCode"]) == (400, "DH-906")
    broker.set_families(on_cancel="legs")
    assert ask(broker, "DELETE", f"/super/orders/{entry}/ENTRY_LEG")[0] == 202
    assert {state for state, _, _ in legs(broker).values()} == {"CANCELLED"}


def test_a_cap_of_changes_and_the_length_of_an_id_are_rules(broker: PaperBroker) -> None:
    broker.set_families(leg_modifications=1, correlation_id_length=6)
    entry = place(broker)
    broker.set_price(OPTION, 100)
    change = {"legName": "TARGET_LEG", "targetPrice": 121}
    assert [ask(broker, "PUT", f"/super/orders/{entry}", change)[0] for _ in range(2)] == [200, 400]
    assert ask(broker, "POST", "/super/orders", SUPER | {"correlationId": "ct-1-12"})[0] == 400


def test_dormant_exits_are_told_and_shown_where_the_rules_say_so(broker: PaperBroker) -> None:
    broker.set_families(dormant_frames=True, dormant_rows=True)
    socket = connected(broker)
    entry = place(broker)
    told = words(socket, 4)
    assert [one["status"] for one in told[2:]] in (["ACTIVE", "DUMMY"], ["DUMMY", "ACTIVE"])
    assert {one["orderNo"] for one in told} == {entry}
    assert sorted(row["quantity"] for row in ask(broker, "GET", "/orders")[1]) == [0, 0, 130]
    socket.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"targetPrice": 0, "stopLossPrice": 0},
        {"targetPrice": 99},
        {"stopLossPrice": 101},
        {"orderType": "STOP_LOSS"},
        {"orderType": "MARKET"},
        {"stopLossPrice": 90.01},
    ],
)
def test_what_is_wrong_is_refused_and_counted(broker: PaperBroker, wrong: dict[str, object]) -> None:
    before = len(broker.writes(CLIENT))
    assert ask(broker, "POST", "/super/orders", SUPER | wrong)[0] == 400
    assert len(broker.writes(CLIENT)) == before + 1
    assert ask(broker, "GET", "/super/orders")[1] == []
