from decimal import Decimal

import pytest

from copytrade.instruments import MasterUnusable, read_master
from copytrade.orders import InstrumentKey, Segment
from tests.core.orders import OPTION

HEAD = (
    "SEM_EXM_EXCH_ID,SEM_SEGMENT,SEM_SMST_SECURITY_ID,SEM_INSTRUMENT_NAME,SEM_EXPIRY_CODE,SEM_TRADING_SYMBOL,"
    "SEM_LOT_UNITS,SEM_CUSTOM_SYMBOL,SEM_EXPIRY_DATE,SEM_STRIKE_PRICE,SEM_OPTION_TYPE,SEM_TICK_SIZE"
)
NIFTY = "NSE,D,45678,OPTIDX,0,NIFTY-Dec2026-26000-CE,65.0,NIFTY 01 DEC 26000 CALL,2026-12-01,26000,CE,5.0000"


def test_lot_and_tick_are_keyed_by_segment_and_security_id() -> None:
    twin = "BSE,E,45678,EQUITY,0,SOMETHING,1.0,Something,,,XX,1.0"
    instruments = read_master([HEAD, NIFTY, twin])
    option = instruments[OPTION]
    assert (option.kind, option.underlying, option.lot_size, option.tick) == ("OPTIDX", "NIFTY", 65, Decimal("0.05"))
    assert instruments[InstrumentKey(Segment.BSE_EQ, "45678")].lot_size == 1


@pytest.mark.parametrize(
    "row", ["", "NSE,D", NIFTY.replace("65.0", ""), NIFTY.replace("65.0", "NaN"), NIFTY.replace("5.0000", "-1")]
)
def test_a_row_without_lot_or_tick_is_left_out_not_guessed(row: str) -> None:
    other = NIFTY.replace("45678", "45679")
    assert len(read_master([HEAD, row, other])) == 1


@pytest.mark.parametrize("lines", [[], ["<html>"], [HEAD], ["a,b", "1,2"], [HEAD, "x" * 200_000]])
def test_what_is_no_master_is_refused(lines: list[str]) -> None:
    with pytest.raises(MasterUnusable):
        read_master(lines)
