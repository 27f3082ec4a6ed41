from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from copytrade.core.market.prices import marketable_limit, price_fault, protection_band, stop_limit, stop_width, to_tick
from copytrade.core.model.orders import OrderType, Segment, Side

BUY, SELL = Side.BUY, Side.SELL
LIMIT, STOP = OrderType.LIMIT, OrderType.STOP_LOSS
NSE, BSE = Segment.NSE_FNO, Segment.BSE_FNO
D = Decimal


@pytest.mark.parametrize(
    ("price", "tick", "side", "outward", "expected"),
    [
        ("100.03", "0.05", BUY, True, "100.05"),
        ("100.03", "0.05", SELL, True, "100.00"),
        ("100.03", "0.05", BUY, False, "100.00"),
        ("100.03", "0.05", SELL, False, "100.05"),
        ("100.05", "0.05", BUY, True, "100.05"),
        ("100.05", "0.05", SELL, True, "100.05"),
        ("88.2513", "0.0025", BUY, True, "88.2525"),
        ("88.2513", "0.0025", SELL, True, "88.2500"),
        ("22413", "5", BUY, True, "22415"),
        ("0.07", "0.10", SELL, True, "0.10"),
        ("0.05", "0.05", SELL, True, "0.05"),
        ("0.01", "0.05", BUY, False, "0.05"),
        ("0", "0.05", SELL, True, "0.05"),
        ("-3.01", "0.05", SELL, True, "0.05"),
        ("-3.01", "0.05", BUY, True, "0.05"),
    ],
)
def test_a_price_goes_to_the_tick_next_to_it(price: str, tick: str, side: Side, outward: bool, expected: str) -> None:
    assert to_tick(D(price), D(tick), side, outward=outward) == D(expected)


@pytest.mark.parametrize(
    ("side", "reference", "percent", "tick", "band", "expected"),
    [
        (BUY, "100", "5", "0.05", None, "105"),
        (SELL, "100", "5", "0.05", None, "95"),
        (BUY, "101.35", "5", "0.05", None, "106.45"),  # 106.4175
        (SELL, "101.35", "5", "0.05", None, "96.25"),  # 96.2825
        (BUY, "100", "0", "0.05", None, "100"),
        (BUY, "100.03", "0", "0.05", None, "100.05"),
        (BUY, "88.2500", "0.5", "0.0025", None, "88.6925"),  # 88.69125
        (SELL, "0.05", "5", "0.05", None, "0.05"),
        (BUY, "0.05", "5", "0.05", None, "0.10"),
        (SELL, "100", "150", "0.05", None, "0.05"),
        (BUY, "100", "50", "0.05", ("60", "140"), "140"),
        (SELL, "100", "50", "0.05", ("60", "140"), "60"),
        (BUY, "100", "40", "0.05", ("60", "140"), "140"),
        (BUY, "100", "50", "0.05", ("60.03", "139.99"), "139.95"),
        (SELL, "100", "50", "0.05", ("60.03", "139.99"), "60.05"),
        (SELL, "12", "99.9", "0.05", ("0", "32"), "0.05"),
        (BUY, "90", "1", "0.05", ("95", "105"), "95"),
        (SELL, "110", "1", "0.05", ("95", "105"), "105"),
        (BUY, "52", "1", "5", ("50.5", "53.5"), "50"),
        (SELL, "52", "1", "5", ("50.5", "53.5"), "55"),
        (BUY, "0.03", "1", "0.05", ("0.01", "0.04"), "0.05"),
    ],
)
def test_a_marketable_limit(
    side: Side, reference: str, percent: str, tick: str, band: tuple[str, str] | None, expected: str
) -> None:
    edges = band and (D(band[0]), D(band[1]))
    assert marketable_limit(side, D(reference), D(percent), D(tick), edges) == D(expected)


@pytest.mark.parametrize(
    ("side", "trigger", "percent", "tick", "segment", "kind", "expected"),
    [
        (BUY, "100", "5", "0.05", NSE, "OPTIDX", "105"),
        (SELL, "100", "5", "0.05", NSE, "OPTIDX", "95"),
        (BUY, "101.35", "5", "0.05", NSE, "OPTIDX", "106.45"),
        (SELL, "101.35", "5", "0.05", NSE, "OPTIDX", "96.25"),
        (BUY, "100", "0", "0.05", NSE, "OPTIDX", "100.05"),
        (SELL, "100", "0", "0.05", NSE, "OPTIDX", "99.95"),
        (BUY, "0.05", "5", "0.05", NSE, "OPTIDX", "0.10"),
        (SELL, "0.05", "5", "0.05", NSE, "OPTIDX", "0.05"),
        (SELL, "0.10", "5", "0.05", NSE, "OPTIDX", "0.05"),
        (SELL, "0.0025", "5", "0.0025", Segment.NSE_CURRENCY, "FUTCUR", "0.0025"),
        (BUY, "88.2500", "0.5", "0.0025", Segment.NSE_CURRENCY, "FUTCUR", "88.6925"),
        (SELL, "100", "250", "0.05", NSE, "OPTIDX", "0.05"),
        (BUY, "100", "30", "0.05", NSE, "OPTIDX", "130"),
        (BUY, "100", "30", "0.05", BSE, "OPTIDX", "120"),
        (SELL, "100", "30", "0.05", BSE, "OPTIDX", "80"),
        (SELL, "30", "50", "0.05", BSE, "OPTIDX", "20"),
        (SELL, "8", "300", "0.05", BSE, "OPTIDX", "0.05"),
        (BUY, "60.35", "50", "0.05", BSE, "OPTIDX", "72.40"),  # 72.42
        (SELL, "60.35", "50", "0.05", BSE, "OPTIDX", "48.30"),  # 48.28
        (BUY, "85000", "5", "0.05", BSE, "FUTIDX", "86700"),
        (SELL, "5000", "5", "0.05", BSE, "FUTIDX", "4800"),
        (BUY, "100", "30", "0.05", BSE, "OPTSTK", "130"),
        (BUY, "100", "5", "25", BSE, "OPTIDX", "100"),
    ],
)
def test_the_limit_of_a_stop(
    side: Side, trigger: str, percent: str, tick: str, segment: Segment, kind: str, expected: str
) -> None:
    assert stop_limit(side, D(trigger), D(percent), D(tick), segment, kind) == D(expected)


@pytest.mark.parametrize("segment", [NSE, BSE])
@pytest.mark.parametrize(
    ("kind", "reference", "lowest", "highest"),
    [
        ("OPTIDX", "100", "60", "140"),
        ("OPTSTK", "80", "48", "112"),
        ("OPTIDX", "50", "30", "70"),
        ("OPTIDX", "50.05", "30.03", "70.07"),
        ("OPTIDX", "49.95", "29.95", "69.95"),
        ("OPTSTK", "0.05", "0", "20.05"),
        ("FUTIDX", "26000", "25480", "26520"),
        ("FUTIDX", "10000", "9800", "10200"),
        ("FUTIDX", "8000", "7800", "8200"),
        ("FUTSTK", "1400", "1358", "1442"),
        ("FUTSTK", "50", "48.5", "51.5"),
        ("FUTSTK", "20", "18.5", "21.5"),
    ],
)
def test_limit_price_protection(segment: Segment, kind: str, reference: str, lowest: str, highest: str) -> None:
    assert protection_band(segment, kind, D(reference)) == (D(lowest), D(highest))


@pytest.mark.parametrize(
    ("segment", "kind"),
    [
        (Segment.NSE_EQ, "EQUITY"),
        (Segment.BSE_EQ, "EQUITY"),
        (Segment.NSE_CURRENCY, "OPTCUR"),
        (Segment.BSE_CURRENCY, "FUTCUR"),
        (Segment.MCX_COMM, "FUTCOM"),
        (Segment.MCX_COMM, "OPTFUT"),
        (Segment.MCX_COMM, "FUTIDX"),
        (NSE, ""),
    ],
)
def test_what_has_no_such_rule(segment: Segment, kind: str) -> None:
    assert protection_band(segment, kind, D(100)) is None
    assert stop_width(segment, kind, D(100)) is None
    assert price_fault(BUY, LIMIT, D(9000), D(0), D("0.05"), segment, kind, D(100)) is None


@pytest.mark.parametrize(
    ("segment", "kind", "trigger", "expected"),
    [
        (BSE, "FUTIDX", "85000", "1700"),
        (BSE, "FUTIDX", "10000", "200"),
        (BSE, "FUTIDX", "9999", "200"),
        (BSE, "OPTIDX", "100", "20"),
        (BSE, "OPTIDX", "50", "10"),
        (BSE, "OPTIDX", "0.05", "10"),
        (BSE, "OPTSTK", "100", None),
        (BSE, "FUTSTK", "100", None),
        (NSE, "OPTIDX", "100", None),
        (NSE, "FUTIDX", "26000", None),
    ],
)
def test_how_far_a_stop_limit_may_be(segment: Segment, kind: str, trigger: str, expected: str | None) -> None:
    assert stop_width(segment, kind, D(trigger)) == (expected and D(expected))


@pytest.mark.parametrize(
    ("side", "order_type", "price", "trigger", "segment", "kind", "reference", "fault"),
    [
        (BUY, LIMIT, "100.03", "0", NSE, "OPTIDX", None, "limit 100.03 is not a multiple of the tick 0.05"),
        (BUY, LIMIT, "100.05", "0", NSE, "OPTIDX", None, None),
        (BUY, LIMIT, "0.05", "0", NSE, "OPTIDX", None, None),
        (BUY, LIMIT, "0", "0", NSE, "OPTIDX", None, "limit 0 is below one tick, 0.05"),
        (BUY, LIMIT, "100.05", "3.33", NSE, "OPTIDX", None, None),
        (BUY, LIMIT, "140", "0", NSE, "OPTIDX", "100", None),
        (BUY, LIMIT, "140.05", "0", NSE, "OPTIDX", None, None),
        (
            BUY,
            LIMIT,
            "140.05",
            "0",
            NSE,
            "OPTIDX",
            "100",
            "limit 140.05 is above 140, the most to buy for at a price of 100",
        ),
        (BUY, LIMIT, "1", "0", NSE, "OPTIDX", "100", None),
        (SELL, LIMIT, "60", "0", NSE, "OPTIDX", "100", None),
        (
            SELL,
            LIMIT,
            "59.95",
            "0",
            NSE,
            "OPTIDX",
            "100",
            "limit 59.95 is below 60, the least to sell for at a price of 100",
        ),
        (SELL, LIMIT, "900", "0", NSE, "OPTIDX", "100", None),
        (SELL, LIMIT, "0.05", "0", NSE, "OPTIDX", "0.05", None),
        (
            BUY,
            LIMIT,
            "26521",
            "0",
            NSE,
            "FUTIDX",
            "26000",
            "limit 26521 is above 26520, the most to buy for at a price of 26000",
        ),
        (BUY, STOP, "105", "100.01", NSE, "OPTIDX", None, "trigger 100.01 is not a multiple of the tick 0.05"),
        (BUY, STOP, "105.01", "100", NSE, "OPTIDX", None, "limit 105.01 is not a multiple of the tick 0.05"),
        (BUY, STOP, "105", "0", NSE, "OPTIDX", None, "trigger 0 is below one tick, 0.05"),
        (BUY, STOP, "100", "100", NSE, "OPTIDX", None, None),
        (BUY, STOP, "99.95", "100", NSE, "OPTIDX", None, "limit 99.95 is below the trigger 100 of a buy stop"),
        (SELL, STOP, "100", "100", NSE, "OPTIDX", None, None),
        (SELL, STOP, "100.05", "100", NSE, "OPTIDX", None, "limit 100.05 is above the trigger 100 of a sell stop"),
        (BUY, STOP, "900", "100", NSE, "OPTIDX", "100", None),
        (BUY, STOP, "120", "100", BSE, "OPTIDX", None, None),
        (
            BUY,
            STOP,
            "120.05",
            "100",
            BSE,
            "OPTIDX",
            None,
            "limit 120.05 is 20.05 from the trigger 100, the exchange allows 20",
        ),
        (
            SELL,
            STOP,
            "79.95",
            "100",
            BSE,
            "OPTIDX",
            None,
            "limit 79.95 is 20.05 from the trigger 100, the exchange allows 20",
        ),
        (SELL, STOP, "83300", "85000", BSE, "FUTIDX", None, None),
        (
            SELL,
            STOP,
            "83299",
            "85000",
            BSE,
            "FUTIDX",
            None,
            "limit 83299 is 1701 from the trigger 85000, the exchange allows 1700",
        ),
        (BUY, OrderType.MARKET, "0.01", "0", NSE, "OPTIDX", "100", None),
        (SELL, OrderType.STOP_LOSS_MARKET, "0", "3.33", BSE, "OPTIDX", "100", None),
    ],
)
def test_the_first_fault_is_told_with_its_figures(
    side: Side,
    order_type: OrderType,
    price: str,
    trigger: str,
    segment: Segment,
    kind: str,
    reference: str | None,
    fault: str | None,
) -> None:
    market = None if reference is None else D(reference)
    assert price_fault(side, order_type, D(price), D(trigger), D("0.05"), segment, kind, market) == fault


def test_figures_are_plain_however_the_tick_was_written() -> None:
    tick = D("5.0000") / 100
    assert price_fault(BUY, LIMIT, D("1E+2"), D(0), tick, NSE, "OPTIDX", None) is None
    fault = price_fault(BUY, LIMIT, D("100.030"), D(0), tick, NSE, "OPTIDX", None)
    assert fault == "limit 100.03 is not a multiple of the tick 0.05"


TICKS = st.sampled_from([D(text) for text in ("0.0025", "0.01", "0.05", "0.10", "0.20", "0.50", "1", "5")])
SIDES = st.sampled_from(Side)
PERCENTS = st.decimals(0, 120, places=2)
PRICES = st.decimals("0.0001", 150_000, places=4)
CONTRACTS = st.one_of(
    st.tuples(st.sampled_from([NSE, BSE]), st.sampled_from(["OPTIDX", "OPTSTK", "FUTIDX", "FUTSTK"])),
    st.sampled_from([(Segment.NSE_EQ, "EQUITY"), (Segment.NSE_CURRENCY, "FUTCUR"), (Segment.MCX_COMM, "OPTFUT")]),
)


@given(price=st.decimals(-100, 150_000, places=6), tick=TICKS, side=SIDES)
def test_rounding_is_to_a_multiple_less_than_a_tick_away(price: Decimal, tick: Decimal, side: Side) -> None:
    outward, inward = (to_tick(price, tick, side, outward=way) for way in (True, False))
    for found in (outward, inward):
        assert found % tick == 0
        assert found >= tick
    if price >= tick:
        assert 0 <= (outward - price) * side.sign < tick
        assert 0 <= (price - inward) * side.sign < tick


@given(reference=PRICES, percent=PERCENTS, tick=TICKS, side=SIDES, contract=CONTRACTS)
def test_a_marketable_limit_trades_or_is_at_the_edge_and_breaks_no_rule(
    reference: Decimal, percent: Decimal, tick: Decimal, side: Side, contract: tuple[Segment, str]
) -> None:
    assume(reference >= tick)
    band = protection_band(*contract, reference)
    limit = marketable_limit(side, reference, percent, tick, band)
    assert limit % tick == 0
    assert limit >= tick
    at_edge = band is not None and limit == to_tick(band[1] if side is BUY else band[0], tick, side, outward=False)
    assert (limit - reference) * side.sign >= 0 or at_edge or limit == tick
    assert price_fault(side, LIMIT, limit, D(0), tick, *contract, reference) is None


@given(reference=PRICES, percent=PERCENTS, tick=TICKS, side=SIDES, below=PRICES, above=PRICES)
def test_a_marketable_limit_stays_in_any_band_that_holds_a_tick(
    reference: Decimal, percent: Decimal, tick: Decimal, side: Side, below: Decimal, above: Decimal
) -> None:
    band = reference - below, reference + above
    assume(to_tick(band[0], tick, SELL, outward=False) <= band[1])
    assert band[0] <= marketable_limit(side, reference, percent, tick, band) <= band[1]


@given(steps=st.integers(1, 3_000_000), percent=PERCENTS, tick=TICKS, side=SIDES, contract=CONTRACTS)
def test_a_stop_limit_is_beyond_its_trigger_and_breaks_no_rule(
    steps: int, percent: Decimal, tick: Decimal, side: Side, contract: tuple[Segment, str]
) -> None:
    trigger = steps * tick
    limit = stop_limit(side, trigger, percent, tick, *contract)
    assert limit % tick == 0
    beyond = (limit - trigger) * side.sign
    assert beyond >= tick or (side is SELL and limit == trigger == tick)
    width = stop_width(*contract, trigger)
    assert width is None or beyond <= width
    assert price_fault(side, STOP, limit, trigger, tick, *contract, None) is None
