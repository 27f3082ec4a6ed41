"""The client and the paper broker share no code: they understand each other about families over real sockets."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from pydantic import SecretStr

from copytrade.brokers.dhan.rest import DhanRest
from copytrade.brokers.families import NewSuperOrder, StopChange, SuperLeg
from copytrade.brokers.http.client import Transport
from copytrade.brokers.outcomes import Accepted, Refusal, Refused
from copytrade.core.model.orders import InstrumentKey, Leg, OrderType, Product, Segment, Side, Status
from copytrade.paper.broker import PaperBroker
from tests.paper.talking import CLIENT, OPTION, ask
from tests.paper.test_forever_orders import OCO

ORDER = NewSuperOrder(
    correlation_id="ct-7",
    side=Side.BUY,
    key=InstrumentKey(Segment.NSE_FNO, OPTION),
    product=Product.MARGIN,
    order_type=OrderType.LIMIT,
    quantity=130,
    price=Decimal(100),
    target_price=Decimal(120),
    stop_price=Decimal(90),
)


@pytest.fixture
def rest(broker: PaperBroker) -> Iterator[DhanRest]:
    broker.set_price(OPTION, 110)
    transport = Transport(broker.rest_url, CLIENT, SecretStr("one"))
    yield DhanRest(transport, CLIENT)
    transport.close()


def legs(rest: DhanRest) -> dict[Leg, SuperLeg]:
    read = rest.super_orders()
    assert isinstance(read, Accepted)
    assert not read.value.unreadable
    (family,) = read.value.orders
    assert family.entry.leg is Leg.ENTRY
    return {leg.leg: leg for leg in family.legs}


def test_a_super_order_from_its_placing_to_its_end(broker: PaperBroker, rest: DhanRest) -> None:
    placed = rest.place_super(ORDER).outcome()
    assert isinstance(placed, Accepted)
    entry = placed.value.order_id
    assert {(leg.id, leg.quantity) for leg in legs(rest).values()} == {(entry, 0)}
    broker.set_price(OPTION, 100)
    changed = rest.modify_super(entry, StopChange(Decimal(95), Decimal(0))).outcome()
    assert isinstance(changed, Accepted)
    assert legs(rest)[Leg.STOP_LOSS].price == 95
    refused = rest.cancel_super(entry, Leg.ENTRY).outcome()
    assert isinstance(refused, Refused)
    assert refused.refusal is Refusal.ORDER
    assert isinstance(rest.cancel_super(entry, Leg.TARGET).outcome(), Accepted)
    broker.set_price(OPTION, 95)
    assert legs(rest)[Leg.STOP_LOSS].status is Status.TRADED
    assert len(broker.writes(CLIENT)) == 4


def test_an_entry_by_hand_may_have_a_trigger(broker: PaperBroker, rest: DhanRest) -> None:
    words = {"side": "BUY", "security_id": OPTION, "quantity": 65, "order_type": "STOP_LOSS", "stop": 100}
    broker.place_super(CLIENT, price=116, trigger_price=115, **words)  # type: ignore[arg-type]
    assert set(legs(rest)) == {Leg.STOP_LOSS}
    broker.set_price(OPTION, 115)
    assert legs(rest)[Leg.STOP_LOSS].quantity == 65


def test_the_legs_of_a_forever_order(broker: PaperBroker, rest: DhanRest) -> None:
    assert ask(broker, "POST", "/forever/orders", OCO)[0] == 200
    read = rest.forever_orders()
    assert isinstance(read, Accepted)
    assert [(one.leg, one.quantity, one.is_oco) for one in read.value.orders] == [
        (Leg.TARGET, 130, True),
        (Leg.STOP_LOSS, 65, True),
    ]
