"""Lots and multipliers that the broker tells differently in different places."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from copytrade.core.market.contracts import Contracts
from copytrade.core.model.instruments import Instrument, master_rows, read_master
from copytrade.core.model.orders import InstrumentKey, Order, Segment, Status
from tests.core.orders import OPTION, an_order

NIFTY = Instrument("OPTIDX", "NIFTY-Dec2026-26000-CE", "NIFTY", 75, Decimal("0.05"))
CRUDE = InstrumentKey(Segment.MCX_COMM, "486502")
SHARE = InstrumentKey(Segment.NSE_EQ, "2885")
HEAD = (
    "SEM_EXM_EXCH_ID,SEM_SEGMENT,SEM_SMST_SECURITY_ID,SEM_INSTRUMENT_NAME,SEM_TRADING_SYMBOL,SEM_LOT_UNITS,"
    "SEM_EXPIRY_DATE,SEM_TICK_SIZE"
)
ROWS = [
    "MCX,M,486502,OPTFUT,CRUDEOIL-16Dec2026-5500-CE,1.0,2026-12-16 23:30:00,10.0000",
    "NSE,E,2885,EQUITY,RELIANCE,1.0,,10.0000",
]


def knowing(lots: int = 75) -> Contracts:
    contracts = Contracts()
    contracts.know_master({**read_master([HEAD, *ROWS]), OPTION: replace(NIFTY, lot_size=lots)})
    return contracts


def lot_of(contracts: Contracts, **order: Any) -> int:
    told = an_order(**order)
    contracts.see(told)
    found = contracts.of(told)
    assert found is not None
    return found.lot_size


def multiplier_of(contracts: Contracts, **order: Any) -> Decimal | None:
    told = an_order(key=CRUDE, lot_size=None, quantity=10, **order)
    contracts.see(told)
    found = contracts.of(told)
    assert found is not None
    return found.multiplier


def test_an_orders_own_lot_counts_where_its_broker_took_it_and_is_told_once() -> None:
    contracts = knowing()
    assert [lot_of(contracts, id=number, quantity=130) for number in ("1", "2")] == [65, 65]
    (difference,) = contracts.take_differences()
    assert (difference.key, difference.what) == (OPTION, "lot")
    assert "65" in difference.how
    assert "75" in difference.how


@pytest.mark.parametrize(
    ("order", "lot"),
    [
        ({"quantity": 130, "lot_size": None}, 75),
        ({"quantity": 150, "lot_size": None}, 75),
        ({"quantity": 150, "lot_size": 65}, 75),
        ({"quantity": 130, "status": Status.TRANSIT}, 75),
        ({"quantity": 130, "status": Status.REJECTED}, 75),
        ({"key": SHARE, "quantity": 7, "lot_size": None}, 1),
        ({"key": SHARE, "quantity": 7, "lot_size": 1}, 1),
    ],
    ids=["odd, no lot told", "no lot told", "does not fit", "not taken yet", "not taken", "shares", "shares, lot told"],
)
def test_the_masters_lot_counts_where_no_other_fits(order: dict[str, Any], lot: int) -> None:
    assert lot_of(knowing(), **order) == lot


def test_a_row_without_a_lot_is_sized_by_what_frames_have_told_until_another_days_master() -> None:
    contracts = knowing()
    lot_of(contracts, id="1", quantity=130)
    assert lot_of(contracts, id="2", quantity=130, lot_size=None) == 65
    contracts.know_master({OPTION: replace(NIFTY, lot_size=30)})
    assert lot_of(contracts, id="3", quantity=60, lot_size=None) == 30


def test_a_quantity_that_is_no_whole_lots_of_any_known_lot_is_told_once() -> None:
    contracts = knowing()
    for number in ("1", "2"):
        lot_of(contracts, id=number, quantity=130, lot_size=None)
    assert ["130 units are no whole lots" in one.how for one in contracts.take_differences()] == [True]


def test_a_commodity_has_the_multiplier_that_frames_or_positions_tell_and_none_before() -> None:
    contracts = knowing()
    assert multiplier_of(contracts) is None
    contracts.know_multipliers({CRUDE: Decimal(100)})
    assert multiplier_of(contracts) == 100
    assert contracts.take_differences() == []
    assert multiplier_of(contracts, multiplier=Decimal(100)) == 100
    assert contracts.take_differences() == []


def test_of_multipliers_that_differ_limits_reckon_with_the_largest_and_it_is_told_once() -> None:
    contracts = knowing()
    for told in (100, 10, 100):
        assert multiplier_of(contracts, multiplier=Decimal(told)) == 100
    (difference,) = contracts.take_differences()
    assert (difference.what, "10 and 100" in difference.how) == ("multiplier", True)


def test_options_and_shares_have_no_multiplier_whatever_is_told() -> None:
    contracts = knowing(65)
    for key in (OPTION, SHARE):
        order = an_order(key=key, multiplier=Decimal(1000))
        contracts.see(order)
        assert (found := contracts.of(order)) is not None
        assert found.multiplier == 1


def test_a_contract_that_only_a_frame_describes_has_what_the_frame_tells() -> None:
    contracts = Contracts()
    order: Order = an_order(key=CRUDE, lot_size=1, tick_size=Decimal(1), instrument="OPTFUT", quantity=3)
    assert (found := contracts.of(order)) is not None
    assert found.multiplier is None
    told = replace(order, multiplier=Decimal(100))
    contracts.see(told)
    assert (found := contracts.of(told)) is not None
    assert (found.lot_size, found.multiplier) == (1, 100)


@pytest.mark.parametrize(
    ("text", "multiplier"), [("100.0", 100), ("", None), ("0", None), ("-5", None), ("NaN", None), ("x", None)]
)
def test_an_operators_own_master_may_tell_multipliers(text: str, multiplier: int | None) -> None:
    crude, share = ROWS
    master = read_master([f"{HEAD},SEM_MULTIPLIER", f"{crude},{text}", f"{share},7"])
    assert (master[CRUDE].multiplier, master[SHARE].multiplier) == (multiplier, 1)
    again = read_master([",".join(map(str, row)) for row in master_rows(master)])
    assert dict(again) == dict(master)
