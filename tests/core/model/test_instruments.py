from decimal import Decimal

import pytest

from copytrade.core.model.instruments import MasterUnusable, read_master
from copytrade.core.model.orders import InstrumentKey, Segment
from tests.core.model.master_rows import HEAD, NIFTY
from tests.core.orders import OPTION


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


@pytest.mark.parametrize(
    ("row", "segment", "lot", "tick"),
    [
        (
            "MCX,M,486502,OPTFUT,0,CRUDEOIL-16Dec2026-5500-CE,1.0,,2026-12-16 23:30:00,5500,CE,10.0000",
            "MCX_COMM",
            1,
            "0.10",
        ),
        ("MCX,M,486503,FUTCOM,0,GOLD-05Feb2027-FUT,1.0,,2027-02-05 23:30:00,0,XX,100.0000", "MCX_COMM", 1, "1"),
        ("NSE,C,1401,FUTCUR,0,USDINR-29Dec2026-FUT,1.0,,2026-12-29,0,XX,0.2500", "NSE_CURRENCY", 1, "0.0025"),
        ("BSE,D,82000,OPTIDX,0,SENSEX-Dec2026-85000-CE,20.0,,2026-12-03,85000,CE,5.0000", "BSE_FNO", 20, "0.05"),
    ],
    ids=["crude oil", "gold", "a currency ticks in a quarter of a paisa", "an option at the BSE"],
)
def test_every_segment_is_read_in_its_own_lots_and_ticks(row: str, segment: str, lot: int, tick: str) -> None:
    instrument = read_master([HEAD, row])[InstrumentKey(Segment(segment), row.split(",")[2])]
    assert (instrument.lot_size, instrument.tick) == (lot, Decimal(tick))
    assert (instrument.multiplier is None) is Segment(segment).has_multiplier


@pytest.mark.parametrize("lines", [[], ["<html>"], [HEAD], ["a,b", "1,2"], [HEAD, "x" * 200_000]])
def test_what_is_no_master_is_refused(lines: list[str]) -> None:
    with pytest.raises(MasterUnusable):
        read_master(lines)
