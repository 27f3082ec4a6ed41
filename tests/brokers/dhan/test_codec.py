import copy
import json
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copytrade.brokers.api import Foreign, Unreadable
from copytrade.brokers.dhan.accounts import read_position
from copytrade.brokers.dhan.decode import FRAME_LIMIT, read_frame, read_row
from copytrade.brokers.dhan.json_values import Fields
from copytrade.core.model.orders import (
    IST,
    InstrumentKey,
    Leg,
    Order,
    OrderType,
    Product,
    Segment,
    Side,
    Source,
    Status,
    Validity,
)

NOW = datetime(2026, 11, 23, 10, 15, 2, tzinfo=IST)
CLIENT_ID = "1000000001"

FRAME = {
    "exchange": "NSE",
    "segment": "D",
    "securityId": "45678",
    "clientId": "1000000001",
    "exchOrderNo": "1100000012345678",
    "orderNo": "112611230001",
    "product": "M",
    "txnType": "B",
    "orderType": "LMT",
    "validity": "DAY",
    "status": "Pending",
    "quantity": 130,
    "price": 100.5,
    "legNo": 1,
    "algoOrdNo": "0",
}

ROW = {
    "dhanClientId": "1000000001",
    "orderId": "112611230001",
    "orderStatus": "PENDING",
    "transactionType": "BUY",
    "exchangeSegment": "NSE_FNO",
    "productType": "MARGIN",
    "orderType": "LIMIT",
    "validity": "DAY",
    "securityId": "45678",
    "quantity": 130,
    "price": 100.5,
    "legName": "NA",
}


def from_frame(**changes):
    (item,) = read_frame(json.dumps({"Type": "order_alert", "Data": FRAME | changes}), CLIENT_ID, NOW)
    return item


def from_row(**changes):
    return read_row(ROW | changes, CLIENT_ID, NOW)


@pytest.fixture(params=["frame", "row"])
def either(request):
    """Read a frame and a row alike, both said in the names of a row."""
    names = {"orderStatus": "status", "filledQty": "tradedQty", "averageTradedPrice": "avgTradedPrice"}
    names |= {"updateTime": "lastUpdatedTime", "omsErrorDescription": "reasonDescription", "orderId": "orderNo"}
    if request.param == "row":
        return from_row
    return lambda **changes: from_frame(**{names.get(name, name): value for name, value in changes.items()})


STATES = {"LMT": OrderType.LIMIT, "MKT": OrderType.MARKET, "SL": OrderType.STOP_LOSS}
LEGS = {1: Leg.ENTRY, 2: Leg.STOP_LOSS, 3: Leg.TARGET}


def test_every_composed_scenario_reads_as_it_should(frames):
    seen = 0
    for scenario in frames["scenarios"]:
        for step in scenario["steps"]:
            expect, where = step["expect"], f"{scenario['name']}: {step['evidence']}"
            (order,) = read_frame(json.dumps(step["message"]), CLIENT_ID, NOW)
            assert isinstance(order, Order), where
            if not expect.get("stale"):  # the book drops it; a frame alone does not tell
                assert order.status == expect["state"], where
                assert order.filled_quantity == expect.get("filled", order.filled_quantity), where
            assert order.quantity == expect.get("qty", order.quantity), where
            assert order.price == Decimal(str(expect.get("price", order.price))), where
            assert order.average_price == Decimal(str(expect.get("avg", order.average_price))), where
            assert order.after_market == expect.get("amo", False), where
            assert order.leg == LEGS.get(expect.get("leg"), Leg.NONE), where
            if "order_type" in expect:
                assert order.order_type == STATES[expect["order_type"]], where
            seen += 1
    assert seen > 25


def test_every_composed_raw_frame(frames):
    for raw in frames["raw_frames"]:
        payload = raw["text"] if raw["opcode"] == "text" else bytes.fromhex(raw["hex"])
        orders = [item for item in read_frame(payload, CLIENT_ID, NOW) if isinstance(item, Order)]
        expected = raw.get("expect_messages", 0 if raw["opcode"] == "binary" else None)
        if expected is None:
            expected = 2 if raw["name"].startswith("two") else 1
        assert len(orders) == expected, raw["name"]


def test_every_composed_row(book):
    for row in book["orders"]:
        order = read_row(row, CLIENT_ID, NOW)
        assert isinstance(order, Order)
        assert (order.id, order.status, order.quantity) == (row["orderId"], row["orderStatus"], row["quantity"])
        assert (order.filled_quantity, order.source) == (row["filledQty"], Source.BOOK)
        assert order.price == Decimal(str(row["price"]))


def test_a_frame_in_full(frames):
    (order,) = read_frame(json.dumps(frames["scenarios"][0]["steps"][3]["message"]).encode(), CLIENT_ID, NOW)
    assert order == Order(
        id="112611230001",
        client_id="1000000001",
        status=Status.PART_TRADED,
        side=Side.BUY,
        key=InstrumentKey(Segment.NSE_FNO, "45678"),
        product=Product.MARGIN,
        order_type=OrderType.LIMIT,
        validity=Validity.DAY,
        quantity=195,
        observed_at=NOW,
        source=Source.FEED,
        filled_quantity=65,
        price=Decimal("101.0"),
        average_price=Decimal("100.95"),
        exchange_order_id="1100000012345678",
        symbol="NIFTY 24 NOV 26000 CALL",
        created_at=datetime(2026, 11, 23, 10, 15, 1, tzinfo=IST),
        updated_at=datetime(2026, 11, 23, 10, 17, 2, tzinfo=IST),
        exchange_at=datetime(2026, 11, 23, 10, 17, 2, tzinfo=IST),
        reason="TRADE CONFIRMED",
        instrument="OPTIDX",
        lot_size=65,
        tick_size=Decimal("0.05"),
        last_price=Decimal("101.35"),
    )


@pytest.mark.parametrize(
    ("exchange", "letter", "segment"),
    [
        ("NSE", "E", Segment.NSE_EQ),
        ("NSE", "D", Segment.NSE_FNO),
        ("NSE", "C", Segment.NSE_CURRENCY),
        ("BSE", "E", Segment.BSE_EQ),
        ("BSE", "D", Segment.BSE_FNO),
        ("BSE", "C", Segment.BSE_CURRENCY),
        ("MCX", "M", Segment.MCX_COMM),
    ],
)
def test_segments(exchange, letter, segment):
    assert from_frame(exchange=exchange, segment=letter).key.segment is segment


@pytest.mark.parametrize(("letter", "product"), list(zip("CIMFVB", Product, strict=True)))
def test_products(letter, product):
    assert from_frame(product=letter).product is product


@pytest.mark.parametrize(("code", "kind"), list(zip(["LMT", "MKT", "SL", "SLM"], OrderType, strict=True)))
def test_order_types(code, kind):
    assert from_frame(orderType=code).order_type is kind


@pytest.mark.parametrize(
    ("word", "filled", "status"),
    [
        ("Pending", 0, Status.PENDING),
        ("PENDING", 130, Status.PENDING),
        ("Pending", 65, Status.PART_TRADED),
        ("Modified", 65, Status.PART_TRADED),
        ("Triggered", 65, Status.PART_TRADED),
        ("Transit", None, Status.TRANSIT),
        ("Part Traded", 65, Status.PART_TRADED),
        ("part-traded", 65, Status.PART_TRADED),
        ("Traded", 130, Status.TRADED),
        ("Traded", 65, Status.PART_TRADED),
        ("Traded", None, Status.PART_TRADED),
        ("Cancelled", 65, Status.CANCELLED),
        ("Expired", 65, Status.EXPIRED),
        ("Rejected", None, Status.REJECTED),
        ("Closed", 0, Status.CLOSED),
    ],
)
def test_status_follows_what_was_filled(either, word, filled, status):
    order = either(orderStatus=word, filledQty=filled)
    assert (order.status, order.filled_quantity) == (status, filled or 0)


@pytest.mark.parametrize(
    ("leg", "parent", "remarks", "expected"),
    [
        (1, "0", "NR", Leg.NONE),
        (None, None, None, Leg.NONE),
        (1, 0.0, " ", Leg.NONE),
        (1, "0", "Super Order", Leg.ENTRY),
        (1, 112611230008.0, "", Leg.ENTRY),
        (None, 112611230008, "", Leg.ENTRY),
        (2, 112611230008.0, "", Leg.STOP_LOSS),
        (3, "112611230008", "", Leg.TARGET),
    ],
)
def test_legs(leg, parent, remarks, expected):
    assert from_frame(legNo=leg, algoOrdNo=parent, remarks=remarks).leg is expected


@pytest.mark.parametrize("leg", [None, 1, 2, 3])
@pytest.mark.parametrize("parent", [112611230008, "112611230008", 112611230008.0])
def test_a_forever_orders_child_is_a_plain_order_that_names_its_parent(leg, parent):
    child = from_frame(legNo=leg, algoOrdNo=parent, orderPlatform="FOVR", correlationId="NR")
    assert (child.leg, child.parent_id, child.correlation_id) == (Leg.NONE, "112611230008", "")


@pytest.mark.parametrize("word", ["CONFIRM", "Active", "DUMMY"])
def test_what_waits_away_from_the_exchange_is_dormant(either, word):
    assert either(orderStatus=word).status is Status.DORMANT


@pytest.mark.parametrize("word", ["ACTIVE", "DUMMY", "CONFIRM", "PENDING"])
@pytest.mark.parametrize("quantity", [0, None, "0"])
def test_a_leg_that_waits_without_a_quantity_says_nothing(word, quantity):
    """It may carry the id of its entry."""
    assert from_row(orderStatus=word, legName="TARGET_LEG", quantity=quantity) is None
    frame = FRAME | {"status": word, "legNo": 3, "quantity": quantity}
    assert read_frame(json.dumps({"Type": "order_alert", "Data": frame}), CLIENT_ID, NOW) == []


@pytest.mark.parametrize("number", [100.05, "100.05", " 100.05 "])
def test_numbers_in_any_type_are_exact(either, number):
    assert either(price=number).price == Decimal("100.05")


@pytest.mark.parametrize("quantity", [130, 130.0, "130", "130.0", "1.3E2"])
def test_quantities_in_any_type(either, quantity):
    assert either(quantity=quantity).quantity == 130


@pytest.mark.parametrize("nothing", [None, "", 0, "0"])
def test_what_is_missing_is_zero(either, nothing):
    order = either(price=nothing, triggerPrice=nothing, filledQty=nothing, averageTradedPrice=nothing)
    assert (order.price, order.trigger_price, order.filled_quantity, order.average_price) == (0, 0, 0, 0)


@pytest.mark.parametrize("none", ["NA", "", None, "na"])
def test_no_correlation_id(either, none):
    assert either(correlationId=none).correlation_id == ""


def test_a_time_without_zone_is_indian(either):
    assert either(updateTime="2026-11-23 10:15:01").updated_at.isoformat() == "2026-11-23T10:15:01+05:30"


@pytest.mark.parametrize("none", ["0001-01-01 00:00:00", "0001-01-01", "", None, "NA"])
def test_no_time(either, none):
    assert either(updateTime=none).updated_at is None


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-30 09:20:00",
        "2026-11-30T09:20:00",
        "2026-11-30T03:50:00Z",
        "2026-11-30T09:20:00.000+05:30",
        "2026/11/30 09:20:00",
        "30/11/2026 09:20:00",
        "30-11-2026 09:20",
        "30/11/2026 09:20:00 AM",
        "30-Nov-2026 09:20:00",
        "30 Nov 2026 09:20:00",
        "1796010600",
        1796010600,
        1796010600000,
    ],
)
def test_times_in_other_spellings(either, written):
    assert either(updateTime=written).updated_at == datetime(2026, 11, 30, 9, 20, tzinfo=IST)


TIMES = {"createTime": "orderDateTime", "updateTime": "lastUpdatedTime", "exchangeTime": "exchOrderTime"}
NUMBERS = {"disclosedQuantity": "discQuantity", "averageTradedPrice": "avgTradedPrice", "multiplier": "multiplier"}


@pytest.mark.parametrize(
    "odd", ["soon", 7, True, [], {}, "2026-13-01 00:00:00", "11/30/2026 09:20:00", "9999-12-31 23:59:59", "\ud800"]
)
@pytest.mark.parametrize("name", TIMES)
def test_a_time_that_cannot_be_read_counts_as_absent(name, odd):
    assert from_row(**{name: odd}) == from_row()
    assert from_frame(**{TIMES[name]: odd}) == from_frame()


@pytest.mark.parametrize("odd", ["soon", True, [], {}, -1, 1e300, "\ud800"])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_that_nothing_rests_on_counts_as_absent_where_it_is_odd(name, odd):
    assert from_row(**{name: odd}) == from_row()
    assert from_frame(**{NUMBERS[name]: odd}) == from_frame()


@pytest.mark.parametrize("odd", ["a b", True, [], {}, "\ud800"])
def test_an_exchanges_own_id_counts_as_absent_where_it_is_odd(odd):
    assert from_row(exchangeOrderId=odd) == from_row()
    assert from_frame(exchOrderNo=odd) == from_frame(exchOrderNo=None)


@pytest.mark.parametrize("name", ["lotSize", "tickSize", "refLtp"])
@pytest.mark.parametrize("odd", ["x", -1, [], {}, True])
def test_what_only_frames_tell_counts_as_absent_where_it_is_odd(name, odd):
    assert from_frame(**{name: odd}) == from_frame()


@pytest.mark.parametrize("odd", ["\ud800", [], {}, True])
def test_words_that_nothing_rests_on(odd):
    for name in ("displayName", "symbol", "reasonDescription", "instrument", "remarks", "orderPlatform"):
        assert from_frame(**{name: odd}) == from_frame()
    for name in ("tradingSymbol", "omsErrorDescription"):
        assert from_row(**{name: odd}) == from_row()


@pytest.mark.parametrize(
    "whose", [None, "", "1000000001", 1000000001, 1000000001.0, "01000000001", " 1000000001", [], "x"]
)
def test_whose_order_it_is_goes_by_the_number(whose):
    assert from_frame(clientId=whose) == from_frame()
    assert from_row(dhanClientId=whose) == from_row()


@pytest.mark.parametrize("whose", ["2", 1000000002])
def test_another_accounts_order_is_foreign_whatever_else_is_said_of_it(whose):
    assert from_frame(clientId=whose) == Foreign("frame", str(whose))
    assert from_row(dhanClientId=whose, orderStatus="?") == Foreign("order book row", str(whose))


def test_the_ids_of_what_cannot_be_read_are_told_where_they_can():
    row = from_row(exchangeSegment="NSE_COMM", correlationId="mine")
    assert (row.order_id, row.correlation_id) == ("112611230001", "mine")
    assert from_row(orderStatus="?", correlationId="NA").correlation_id == ""
    assert from_frame(status="?", correlationId=[], orderNo="a b").correlation_id is None
    assert from_frame(status="?", correlationId=[], orderNo="a b").order_id == ""


@pytest.mark.parametrize("flag", ["1", 1, True, "true"])
def test_after_market(flag):
    assert from_frame(offMktFlag=flag).after_market
    assert from_row(afterMarketOrder=flag).after_market


def test_both_spellings_of_what_was_filled():
    assert from_row(filled_qty=65).filled_quantity == 65


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("quantity", value)
        for value in [0, None, -1, 1.5, "1.5", "x", True, [1], {}, 10**9 + 1, 1e300, "1E+999999999", "NaN", "Infinity"]
    ]
    + [("price", value) for value in [-0.05, "sNaN", "-Infinity", 10**10, True, [], "1,000"]]
    + [("filledQty", value) for value in [131, -1, 0.5]]
    + [("orderStatus", value) for value in ["Parked", "", None, 7, "\ud800"]]
    + [("validity", "GTC"), ("orderType", "LIMITED"), ("securityId", None), ("securityId", "a b")]
    + [("orderId", value) for value in [None, "", "0", "a\nb", "x" * 65, 1.5, True, {}]]
    + [("triggerPrice", value) for value in [-1, "x", []]]
    + [("correlationId", "\ud800"), ("algoOrdNo", []), ("algoOrdNo", "a b")],
)
def test_what_cannot_be_is_unreadable(either, name, value):
    item = either(**{name: value})
    assert isinstance(item, Unreadable)
    assert item.what
    assert len(item.excerpt) <= 200
    assert item.excerpt.isascii()


def test_an_unknown_status_is_named(either):
    assert "PARKED" in either(orderStatus="Parked").what


@pytest.mark.parametrize(
    "changes", [{"exchange": "NYSE"}, {"segment": "X"}, {"product": "Q"}, {"txnType": "X"}, {"legNo": 4}]
)
def test_an_unknown_code_is_unreadable(changes):
    assert isinstance(from_frame(**changes), Unreadable)


@pytest.mark.parametrize("changes", [{"legName": "FOURTH_LEG"}, {"exchangeSegment": "NSE_COMM"}])
def test_a_row_that_is_not_ours_to_read(changes):
    assert isinstance(from_row(**changes), Unreadable)


@pytest.mark.parametrize("row", [None, 1, "x", [], [ROW], {}, {1: 2}])
def test_a_row_that_is_none(row):
    assert isinstance(read_row(row, CLIENT_ID, NOW), Unreadable)


@pytest.mark.parametrize(
    "frame",
    [
        "<html>",
        b"\x00\x00\x32\x03",
        b"\xff\xfe",
        "[]",
        '{"Data": {}}',
        '{"Type": "order_alert"}',
        '{"Type": "order_alert", "Data": []}',
        '{"Type": "order_alert", "Data": NaN}',
        '{"Type": "order_alert", "Data": ' + "9" * 5000 + "}",
        '{"Type": "order_alert", "Data": 1e99999999999999999999}',
        "[" * 100_000,
        '{"a":' * 100_000,
        "x" * (FRAME_LIMIT + 1),
        "\ud800",
    ],
)
def test_a_frame_that_cannot_be_read(frame):
    (item,) = read_frame(frame, CLIENT_ID, NOW)
    assert isinstance(item, Unreadable)
    assert len(item.excerpt) <= 200


@pytest.mark.parametrize("frame", ["", " \n", "2", '"pong"', "null", '{"Type":"something_new","Data":{}}', "{}", "1 2"])
def test_a_frame_that_says_nothing_of_orders(frame):
    assert read_frame(frame, CLIENT_ID, NOW) == []


def test_what_follows_an_unreadable_order_is_read():
    bad, good = ({"Type": "order_alert", "Data": FRAME | {"quantity": q}} for q in (0, 65))
    first, second = read_frame(f"42\n{json.dumps(bad)}\n{json.dumps(good)}", CLIENT_ID, NOW)
    assert isinstance(first, Unreadable)
    assert second.quantity == 65


def test_what_precedes_junk_is_read():
    first, second = read_frame(json.dumps({"type": "ORDER_ALERT", "data": FRAME}) + "}}}", CLIENT_ID, NOW)
    assert isinstance(first, Order)
    assert isinstance(second, Unreadable)


def test_the_last_of_duplicate_keys_counts():
    text = json.dumps({"Type": "order_alert", "Data": FRAME})
    (order,) = read_frame(text.replace('"quantity": 130', '"quantity": 130, "quantity": 65'), CLIENT_ID, NOW)
    assert order.quantity == 65


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@settings(deadline=None)
@given(st.text(st.characters()) | st.binary())
def test_no_text_or_bytes_raise(frame):
    read_frame(frame, CLIENT_ID, NOW)


@settings(deadline=None)
@given(JSON)
def test_no_json_raises(document):
    read_frame(json.dumps(document), CLIENT_ID, NOW)
    read_row(document, CLIENT_ID, NOW)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(FRAME)), JSON, max_size=3), st.booleans())
def test_no_field_of_a_frame_raises(changes, binary):
    text = json.dumps({"Type": "order_alert", "Data": FRAME | changes})
    for item in read_frame(text.encode() if binary else text, CLIENT_ID, NOW):
        if not isinstance(item, Order):
            continue
        assert 0 <= item.filled_quantity <= item.quantity
        assert item.price >= 0


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(ROW)), JSON, max_size=3))
def test_no_field_of_a_row_raises(changes):
    assert isinstance(read_row(ROW | changes, CLIENT_ID, NOW), Order | Unreadable | Foreign | None)


@pytest.mark.parametrize(
    ("exchange", "letter", "segment", "told", "multiplier"),
    [
        ("MCX", "M", "MCX_COMM", 100, Decimal(100)),
        ("NSE", "C", "NSE_CURRENCY", "1000", Decimal(1000)),
        ("MCX", "M", "MCX_COMM", 0, None),
        ("MCX", "M", "MCX_COMM", None, None),
        ("NSE", "D", "NSE_FNO", 65, None),
    ],
    ids=["commodity", "currency, as text", "zero", "not told", "an option on shares has none"],
)
def test_only_commodity_and_currency_have_a_multiplier(frames, book, exchange, letter, segment, told, multiplier):
    message = copy.deepcopy(frames["scenarios"][0]["steps"][3]["message"])
    message["Data"] |= {"exchange": exchange, "segment": letter, "multiplier": told}
    (frame,) = read_frame(json.dumps(message), CLIENT_ID, NOW)
    row = read_row(book["orders"][0] | {"exchangeSegment": segment, "multiplier": told}, CLIENT_ID, NOW)
    position = read_position(Fields(book["positions"][0] | {"exchangeSegment": segment, "multiplier": told}))
    assert (frame.multiplier, row.multiplier, position.multiplier) == (multiplier, multiplier, multiplier)
