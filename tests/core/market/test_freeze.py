import json
from datetime import date, timedelta
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from copytrade.core.market.freeze import FreezeTableUnusable, load_freeze_table, parse_freeze_table

TABLE = load_freeze_table()
TODAY = date(2026, 11, 23)
KNOWN = sorted({row.underlying for row in TABLE.rows})

ROW: dict[str, object] = {"underlying": "NIFTY", "since": "2026-05-01", "quantity": 1800, "source": "a circular"}


def content(*rows: dict[str, object], **changes: object) -> bytes:
    return json.dumps({"as_of": "2026-08-22", "source": "circulars", "rows": rows} | changes).encode()


@pytest.mark.parametrize(
    ("underlying", "quantity", "lot_size", "largest"),
    [
        ("NIFTY", 1800, 65, 1755),
        ("BANKNIFTY", 600, 30, 600),
        ("FINNIFTY", 1800, 60, 1800),
        ("MIDCPNIFTY", 2800, 120, 2760),
        ("NIFTYNXT50", 600, 25, 600),
        ("SENSEX", 1000, 20, 1000),
        ("BANKEX", 900, 30, 900),
    ],
)
def test_what_one_order_may_have_late_in_2026(underlying: str, quantity: int, lot_size: int, largest: int) -> None:
    assert TABLE.quantity(underlying, TODAY) == quantity
    assert TABLE.slice_of(underlying, lot_size, TODAY) == largest


@pytest.mark.parametrize(
    ("on", "quantity"),
    [
        ("2026-04-30", None),
        ("2026-05-01", 900),
        ("2026-08-02", 900),
        ("2026-08-03", 600),
        ("2030-01-01", 600),
    ],
)
def test_a_quantity_holds_from_its_date_until_the_next_row(on: str, quantity: int | None) -> None:
    assert TABLE.quantity("BANKNIFTY", date.fromisoformat(on)) == quantity


def test_rows_may_be_in_any_order() -> None:
    later, earlier = ROW | {"since": "2026-08-03", "quantity": 1200}, ROW
    table = parse_freeze_table(content(later, earlier), "a test")
    assert table.quantity("NIFTY", TODAY) == 1200
    assert table.quantity("NIFTY", date(2026, 8, 2)) == 1800


@pytest.mark.parametrize("underlying", ["RELIANCE", "NIFTYBEES", "nifty", ""])
def test_where_nothing_is_known_nothing_is_sliced(underlying: str) -> None:
    assert TABLE.quantity(underlying, TODAY) is None
    assert TABLE.slice_of(underlying, 65, TODAY) is None


def test_a_quantity_below_one_lot_is_wrong_and_one_lot_is_sent() -> None:
    table = load_freeze_table({"NIFTY": 64})
    assert table.quantity("NIFTY", TODAY) == 64
    assert table.slice_of("NIFTY", 65, TODAY) == 65


def test_the_operators_quantities_win_on_every_date() -> None:
    table = load_freeze_table({"NIFTY": 1200, "reliance": 40000})
    for on in (date(2020, 1, 1), TODAY, date(2030, 1, 1)):
        assert table.quantity("NIFTY", on) == 1200
        assert table.slice_of("NIFTY", 65, on) == 1170
        assert table.quantity("RELIANCE", on) == 40000
    assert table.quantity("BANKNIFTY", TODAY) == 600


def test_nothing_about_a_table_can_be_changed() -> None:
    told = {"NIFTY": 1200}
    table = load_freeze_table(told)
    told["NIFTY"] = 1
    assert table.quantity("NIFTY", TODAY) == 1200
    with pytest.raises(AttributeError):
        table.rows = ()  # type: ignore[misc]
    with pytest.raises(TypeError):
        table.overrides["NIFTY"] = 1  # type: ignore[index]
    with pytest.raises(ValidationError):
        table.rows[0].quantity = 1


def test_every_shipped_row_names_its_source_and_was_known_when_it_was_written_down() -> None:
    assert TABLE.source
    for row in TABLE.rows:
        assert row.source
        assert row.since <= TABLE.as_of


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        (b"", "Invalid JSON"),
        (b"[]", "object"),
        (content(ROW, as_of=None), "as_of"),
        (content(ROW, source=3), "source"),
        (content(ROW, more=1), "more: Extra inputs"),
        (content(ROW | {"quantity": 0}), r"rows\.0\.quantity: .*greater than or equal to 1"),
        (content(ROW | {"quantity": "1800"}), r"rows\.0\.quantity"),
        (content(ROW | {"quantity": 1800.5}), r"rows\.0\.quantity"),
        (content(ROW, ROW | {"since": "2026-13-01"}), r"rows\.1\.since"),
        (content(ROW | {"underlying": "nifty"}), r"rows\.0\.underlying"),
        (content(ROW | {"underlying": ""}), r"rows\.0\.underlying"),
        (content(ROW | {"lots": 27}), r"rows\.0\.lots: Extra inputs"),
        (content({"underlying": "NIFTY"}), r"rows\.0\.since: Field required"),
        (content(ROW, ROW), "rows: more than one for NIFTY 2026-05-01"),
    ],
)
def test_malformed_data_is_refused_with_what_and_where(told: bytes, fault: str) -> None:
    with pytest.raises(FreezeTableUnusable, match=fault) as refusal:
        parse_freeze_table(told, "freeze.json")
    assert "freeze.json" in str(refusal.value)


def test_data_that_was_not_installed_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "files", lambda package: tmp_path)
    with pytest.raises(FreezeTableUnusable, match=r"freeze\.json: No such file"):
        load_freeze_table()


@given(
    underlying=st.sampled_from(KNOWN),
    lot_size=st.integers(1, 5000),
    day=st.integers(0, 2000),
    override=st.none() | st.integers(1, 100_000),
)
def test_a_slice_is_the_most_whole_lots_within_the_quantity(
    underlying: str, lot_size: int, day: int, override: int | None
) -> None:
    table = load_freeze_table({} if override is None else {underlying: override})
    on = date(2026, 5, 1) + timedelta(days=day)
    quantity, largest = table.quantity(underlying, on), table.slice_of(underlying, lot_size, on)
    assert quantity is not None
    assert largest is not None
    assert largest % lot_size == 0
    assert largest >= lot_size
    assert largest <= quantity or largest == lot_size
    assert largest + lot_size > quantity
