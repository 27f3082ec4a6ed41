import json
import warnings
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade.core.market.calendar import InstrumentClass, MarketHoursUnusable, Phase, days
from copytrade.core.market.sessions import MarketHours, MarketState, Session, instrument_class, load_market_hours
from copytrade.core.model.orders import IST, Segment

UNDERLYING, OTHER = InstrumentClass.CASH_FNO_UNDERLYING, InstrumentClass.CASH_OTHER
INDEX, STOCK = InstrumentClass.INDEX_DERIVATIVES, InstrumentClass.STOCK_DERIVATIVES
CURRENCY, METAL, CROP = InstrumentClass.CURRENCY, InstrumentClass.MCX_NON_AGRI, InstrumentClass.MCX_AGRI
EQUITY = (UNDERLYING, OTHER, INDEX, STOCK)
MINUTE = timedelta(minutes=1)
OPEN, CLOSED, UNCOVERED = Session.OPEN, Session.CLOSED, Session.UNCOVERED

HOURS = load_market_hours()

# As the exchanges announced them: equity (cash and derivatives), currency, MCX morning, MCX evening.
HOLIDAYS = {
    "2026-01-01": "OOOC",
    "2026-01-15": "CCCO",
    "2026-01-26": "CCCC",
    "2026-02-19": "OCOO",
    "2026-03-03": "CCCO",
    "2026-03-19": "OCOO",
    "2026-03-26": "CCCO",
    "2026-03-31": "CCCO",
    "2026-04-01": "OCOO",
    "2026-04-03": "CCCC",
    "2026-04-14": "CCCO",
    "2026-05-01": "CCCO",
    "2026-05-28": "CCCO",
    "2026-06-26": "CCCO",
    "2026-08-26": "OCOO",
    "2026-09-14": "CCCO",
    "2026-10-02": "CCCC",
    "2026-10-20": "CCCO",
    "2026-11-10": "CCCO",
    "2026-11-24": "CCCO",
    "2026-12-25": "CCCC",
}
SPECIAL = {date(2026, 2, 1), date(2026, 11, 8)}
YEAR = list(days(date(2026, 1, 1), date(2026, 12, 31)))


def ist(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST)


def state(kind: InstrumentClass, text: str, expiry: str | None = None, hours: MarketHours = HOURS) -> MarketState:
    return hours.state(kind, ist(text), expiry=date.fromisoformat(expiry) if expiry else None)


def as_announced(kind: InstrumentClass, text: str, hours: MarketHours = HOURS) -> str:
    return "O" if state(kind, text, hours=hours).is_open else "C"


def override(tmp_path: Path, **content: object) -> Path:
    path = tmp_path / "market.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(("day", "row"), HOLIDAYS.items())
def test_every_holiday_closes_what_was_announced_and_no_more(day: str, row: str) -> None:
    assert {as_announced(kind, f"{day}T11:00") for kind in EQUITY} == {row[0]}
    assert as_announced(CURRENCY, f"{day}T11:00") == row[1]
    assert {as_announced(kind, f"{day}T11:00") for kind in (METAL, CROP)} == {row[2]}
    assert as_announced(METAL, f"{day}T18:00") == row[3]
    assert as_announced(CROP, f"{day}T18:00") == "C"


def test_every_other_weekday_is_an_ordinary_day_and_every_other_weekend_is_closed() -> None:
    ordinary = [day for day in YEAR if str(day) not in HOLIDAYS and day not in SPECIAL]
    assert len(ordinary) == 365 - 21 - 2
    for day in ordinary:
        expected = {"C"} if day.weekday() >= 5 else {"O"}
        assert {as_announced(kind, f"{day}T11:00") for kind in InstrumentClass} == expected, day
        assert {as_announced(METAL, f"{day}T18:00")} == expected, day


@pytest.mark.parametrize(
    ("kind", "day", "start", "end"),
    [
        (UNDERLYING, "2026-07-31", "09:15", "15:30"),
        (UNDERLYING, "2026-08-03", "09:15", "15:15"),
        (UNDERLYING, "2026-12-04", "09:15", "15:15"),
        (UNDERLYING, "2026-12-07", "09:15", "15:30"),
        (UNDERLYING, "2026-12-31", "09:15", "15:30"),
        (OTHER, "2026-01-02", "09:15", "15:30"),
        (OTHER, "2026-07-31", "09:15", "15:30"),
        (OTHER, "2026-08-03", "09:15", "15:30"),
        (OTHER, "2026-12-07", "09:15", "15:30"),
        *((kind, "2026-07-31", "09:15", "15:30") for kind in (INDEX, STOCK)),
        *((kind, "2026-08-03", "09:15", "15:40") for kind in (INDEX, STOCK)),
        *((kind, "2026-12-04", "09:15", "15:40") for kind in (INDEX, STOCK)),
        *((kind, "2026-12-07", "09:15", "15:45") for kind in (INDEX, STOCK)),
        (CURRENCY, "2026-08-03", "09:00", "17:00"),
        (METAL, "2026-03-06", "09:00", "23:55"),
        (METAL, "2026-03-09", "09:00", "23:30"),
        (METAL, "2026-10-30", "09:00", "23:30"),
        (METAL, "2026-11-02", "09:00", "23:55"),
        (METAL, "2026-01-15", "17:00", "23:55"),
        (METAL, "2026-10-20", "17:00", "23:30"),
        (METAL, "2026-11-24", "17:00", "23:55"),
        (METAL, "2026-01-01", "09:00", "17:00"),
        (CROP, "2026-11-23", "09:00", "17:00"),
        *((kind, "2026-02-01", "09:15", "15:30") for kind in EQUITY),
        *((kind, "2026-02-01", "09:00", "17:00") for kind in (METAL, CROP)),
    ],
)
def test_open_from_the_first_minute_up_to_but_not_in_the_last(
    kind: InstrumentClass, day: str, start: str, end: str
) -> None:
    first, last = ist(f"{day}T{start}"), ist(f"{day}T{end}")
    around = [first - MINUTE, first, first + MINUTE, last - MINUTE, last, last + MINUTE]
    assert [HOURS.state(kind, at).session for at in around] == [CLOSED, OPEN, OPEN, OPEN, CLOSED, CLOSED]
    assert HOURS.state(kind, last - timedelta(microseconds=1)).is_open
    midnight = ist(f"{day}T00:00")
    minutes = sum(HOURS.state(kind, midnight + n * MINUTE).is_open for n in range(24 * 60))
    assert minutes * MINUTE == last - first


PREOPEN_OLD = "09:00 PREOPEN_ENTRY_ALL, 09:08 -, "
PREOPEN = "09:00 PREOPEN_ENTRY_ALL, 09:05 PREOPEN_ENTRY_LIMIT, 09:10 PREOPEN_MATCH, 09:12 PREOPEN_BUFFER, "
FUTURES_OLD = "09:00 FUTURES_PREOPEN_ENTRY_ALL, 09:08 -, "
FUTURES = "09:00 FUTURES_PREOPEN_ENTRY_ALL, 09:05 FUTURES_PREOPEN_ENTRY_LIMIT, 09:10 -, "
CAS = "15:15 CAS_REFERENCE, 15:20 CAS_ENTRY_ALL, 15:25 CAS_ENTRY_LIMIT, 15:30 CAS_MATCH, 15:35 -, "
CAS_NEW = "15:30 CAS_REFERENCE, 15:31 CAS_ENTRY_ALL, 15:36 CAS_ENTRY_LIMIT, 15:40 -, "
POST_OLD, POST = "15:40 POST_CLOSE, 16:00 -", "15:50 POST_CLOSE, 16:00 -"


@pytest.mark.parametrize(
    ("kind", "day", "expiry", "phases"),
    [
        *((kind, "2026-07-31", None, PREOPEN_OLD + f"09:15 CONTINUOUS, 15:30 -, {POST_OLD}") for kind in EQUITY[:2]),
        *((kind, "2026-02-01", None, PREOPEN_OLD + f"09:15 CONTINUOUS, 15:30 -, {POST_OLD}") for kind in EQUITY[:2]),
        (UNDERLYING, "2026-08-03", None, PREOPEN_OLD + "09:15 CONTINUOUS, " + CAS + POST),
        (UNDERLYING, "2026-09-04", None, PREOPEN_OLD + "09:15 CONTINUOUS, " + CAS + POST),
        (UNDERLYING, "2026-09-07", None, PREOPEN + "09:15 CONTINUOUS, " + CAS + POST),
        (UNDERLYING, "2026-12-04", None, PREOPEN + "09:15 CONTINUOUS, " + CAS + POST),
        (UNDERLYING, "2026-12-07", None, PREOPEN + "09:15 CONTINUOUS, " + CAS_NEW + POST),
        (OTHER, "2026-08-03", None, PREOPEN_OLD + "09:15 CONTINUOUS, 15:30 -, " + POST),
        (OTHER, "2026-09-04", None, PREOPEN_OLD + "09:15 CONTINUOUS, 15:30 -, " + POST),
        (OTHER, "2026-09-07", None, PREOPEN + "09:15 CONTINUOUS, 15:30 -, " + POST),
        *((kind, "2026-07-31", None, FUTURES_OLD + "09:15 CONTINUOUS, 15:30 -") for kind in EQUITY[2:]),
        *((kind, "2026-02-01", None, FUTURES_OLD + "09:15 CONTINUOUS, 15:30 -") for kind in EQUITY[2:]),
        *((kind, "2026-08-03", None, FUTURES_OLD + "09:15 CONTINUOUS, 15:40 -") for kind in EQUITY[2:]),
        *((kind, "2026-09-04", None, FUTURES_OLD + "09:15 CONTINUOUS, 15:40 -") for kind in EQUITY[2:]),
        *((kind, "2026-09-07", None, FUTURES + "09:15 CONTINUOUS, 15:40 -") for kind in EQUITY[2:]),
        *((kind, "2026-12-07", None, FUTURES + "09:15 CONTINUOUS, 15:45 -") for kind in EQUITY[2:]),
        (INDEX, "2026-12-08", "2026-12-08", FUTURES + "09:15 CONTINUOUS, 15:30 -"),
        (STOCK, "2026-12-29", "2026-12-29", FUTURES + "09:15 CONTINUOUS, 15:45 -"),
        (CURRENCY, "2026-11-23", None, "09:00 CONTINUOUS, 17:00 -"),
        (METAL, "2026-11-24", None, "17:00 CONTINUOUS, 23:55 -"),
    ],
)
def test_the_phases_of_a_day_have_names_and_only_continuous_trading_is_open(
    kind: InstrumentClass, day: str, expiry: str | None, phases: str
) -> None:
    changes, before = [], None
    for n in range(24 * 60):
        clock = f"{n // 60:02}:{n % 60:02}"
        found = state(kind, f"{day}T{clock}", expiry)
        if found.phase is not before:
            changes.append(f"{clock} {found.phase or '-'}")
        if found.phase is not None and not found.is_open:
            assert found.reason.endswith(f"{found.phase} is not continuous trading")
        assert found.is_open == (found.phase is Phase.CONTINUOUS)
        before = found.phase
    assert ", ".join(changes) == phases


@pytest.mark.parametrize(
    ("kind", "at", "expiry", "session"),
    [
        (INDEX, "2026-12-08T15:29", "2026-12-08", OPEN),
        (INDEX, "2026-12-08T15:30", "2026-12-08", CLOSED),
        (INDEX, "2026-12-08T15:44", "2026-12-15", OPEN),
        (INDEX, "2026-12-08T15:44", None, OPEN),
        (STOCK, "2026-12-29T15:44", "2026-12-29", OPEN),
        (INDEX, "2026-12-01T15:39", "2026-12-01", OPEN),
        (INDEX, "2026-12-09T10:00", "2026-12-08", CLOSED),
        (METAL, "2026-12-09T10:00", "2026-12-08", CLOSED),
    ],
)
def test_an_expiring_index_contract_stops_earlier(
    kind: InstrumentClass, at: str, expiry: str | None, session: Session
) -> None:
    assert state(kind, at, expiry).session is session


@pytest.mark.parametrize(
    ("kind", "at", "expiry", "reason", "opening"),
    [
        (OTHER, "2026-11-23T08:59", None, "opens at 09:15", "2026-11-23T09:15"),
        (OTHER, "2026-11-23T15:30", None, "closed at 15:30", "2026-11-25T09:15"),
        (UNDERLYING, "2026-11-23T15:20", None, "CAS_ENTRY_ALL is not continuous trading", "2026-11-25T09:15"),
        (OTHER, "2026-11-24T11:00", None, "Guru Nanak Jayanti", "2026-11-25T09:15"),
        (METAL, "2026-11-24T11:00", None, "Guru Nanak Jayanti, opens at 17:00", "2026-11-24T17:00"),
        (CROP, "2026-11-24T18:00", None, "Guru Nanak Jayanti", "2026-11-25T09:00"),
        (OTHER, "2026-08-26T16:30", None, "closed at 15:30", "2026-08-27T09:15"),
        (CURRENCY, "2026-02-01T11:00", None, "weekend", "2026-02-02T09:00"),
        (OTHER, "2026-01-31T11:00", None, "weekend", "2026-02-01T09:15"),
        (METAL, "2026-02-01T18:00", None, "Union Budget, closed at 17:00", "2026-02-02T09:00"),
        (OTHER, "2026-11-08T14:00", None, "Diwali Laxmi Pujan, Muhurat session of unknown hours", "2026-11-09T09:15"),
        (INDEX, "2026-11-23T15:40", "2026-11-23", "closed at 15:40", None),
        (INDEX, "2026-11-23T15:40", "2026-11-25", "closed at 15:40", "2026-11-25T09:15"),
        (INDEX, "2026-11-24T11:00", "2026-11-23", "the contract expired on 2026-11-23", None),
        (OTHER, "2026-12-31T16:30", None, "closed at 15:30", None),
        (INDEX, "2026-12-31T15:45", "2027-01-05", "closed at 15:45", None),
        (METAL, "2026-12-25T11:00", None, "Christmas", "2026-12-28T09:00"),
    ],
)
def test_a_closed_market_says_why_and_until_when(
    kind: InstrumentClass, at: str, expiry: str | None, reason: str, opening: str | None
) -> None:
    found = state(kind, at, expiry)
    assert (found.session, found.reason) == (CLOSED, reason)
    assert found.next_opening == (ist(opening) if opening else None)


@pytest.mark.parametrize("kind", InstrumentClass)
@pytest.mark.parametrize("clock", ["00:00", "14:00", "18:30"])
def test_muhurat_has_no_session_that_we_know(kind: InstrumentClass, clock: str) -> None:
    assert state(kind, f"2026-11-08T{clock}").session is CLOSED


def test_the_commodity_evening_follows_us_daylight_saving() -> None:
    new_york = ZoneInfo("America/New_York")
    for day in YEAR:
        if day.weekday() < 5 and HOLIDAYS.get(str(day), "O")[-1] == "O":
            summer = datetime.combine(day, time(12), new_york).dst() != timedelta(0)
            assert state(METAL, f"{day}T23:29").is_open, day
            assert state(METAL, f"{day}T23:30").is_open != summer, day


@pytest.mark.parametrize(
    ("at", "covered"),
    [
        ("2025-12-31T23:59", False),
        ("2026-01-01T00:00", True),
        ("2026-12-31T23:59", True),
        ("2027-01-01T00:00", False),
        ("2027-01-04T11:00", False),
        ("2020-06-01T11:00", False),
    ],
)
@pytest.mark.parametrize("kind", InstrumentClass)
def test_outside_the_covered_dates_nothing_is_claimed(kind: InstrumentClass, at: str, covered: bool) -> None:
    found = state(kind, at)
    assert (found.session is not UNCOVERED) == covered
    if not covered:
        assert (found.phase, found.next_opening) == (None, None)
        assert "2026-01-01 to 2026-12-31" in found.reason


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        HOURS.state(OTHER, datetime(2026, 11, 23, 11))  # noqa: DTZ001


ZONES = st.one_of(
    st.timezones(), st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))), st.just(IST)
)
MOMENTS = st.datetimes(datetime(2025, 12, 31, 18, 30), datetime(2026, 12, 31, 18, 29), timezones=st.just(UTC))  # noqa: DTZ001


@given(
    kind=st.sampled_from(InstrumentClass),
    at=MOMENTS,
    zone=ZONES,
    expiry=st.none() | st.dates(date(2025, 12, 1), date(2027, 2, 1)),
)
def test_every_covered_moment_has_one_answer_in_every_time_zone(
    kind: InstrumentClass, at: datetime, zone: timezone, expiry: date | None
) -> None:
    found = HOURS.state(kind, at, expiry=expiry)
    assert found == HOURS.state(kind, at.astimezone(zone), expiry=expiry)
    assert found.session is not UNCOVERED
    assert found.is_open == (found.phase is Phase.CONTINUOUS) == (found.reason == "")
    if found.next_opening is not None:
        assert found.next_opening > at
        assert not found.is_open
        assert HOURS.state(kind, found.next_opening, expiry=expiry).is_open
        assert not HOURS.state(kind, found.next_opening - MINUTE, expiry=expiry).is_open


@pytest.mark.parametrize(
    ("segment", "kind", "is_underlying", "expected"),
    [
        (Segment.NSE_EQ, "EQUITY", True, UNDERLYING),
        (Segment.BSE_EQ, "EQUITY", True, UNDERLYING),
        (Segment.NSE_EQ, "EQUITY", False, OTHER),
        (Segment.BSE_EQ, "EQUITY", False, OTHER),
        *((Segment.NSE_FNO, kind, True, INDEX) for kind in ("OPTIDX", "FUTIDX", "")),
        *((Segment.BSE_FNO, kind, False, STOCK) for kind in ("OPTSTK", "FUTSTK")),
        (Segment.NSE_CURRENCY, "FUTCUR", False, CURRENCY),
        (Segment.BSE_CURRENCY, "OPTCUR", False, CURRENCY),
        (Segment.MCX_COMM, "FUTCOM", False, METAL),
        (Segment.MCX_COMM, "OPTFUT", False, METAL),
    ],
)
def test_the_class_follows_from_segment_and_kind(
    segment: Segment, kind: str, is_underlying: bool, expected: InstrumentClass
) -> None:
    assert instrument_class(segment, kind, is_underlying=is_underlying) is expected


def test_the_caller_says_what_a_commodity_is_and_an_index_does_not_trade() -> None:
    assert instrument_class(Segment.MCX_COMM, "FUTCOM", is_underlying=False, is_agricultural=True) is CROP
    with pytest.raises(ValueError, match="does not trade"):
        instrument_class(Segment.INDEX, "INDEX", is_underlying=False)


EXTRA = {"date": "2026-12-03", "name": "Elections", "closed": ["EQUITY", "CURRENCY", "MCX_MORNING"]}
DRILL = {"date": "2026-12-05", "name": "Drill", "classes": [OTHER], "phases": ["CONTINUOUS 09:15-10:00"]}
EARLIER = {"from": "2026-12-01", "source": "a notice", "classes": [INDEX], "phases": ["CONTINUOUS 09:15-15:20"]}


def test_a_holiday_of_the_operators_is_added(tmp_path: Path) -> None:
    hours = load_market_hours(override(tmp_path, holidays=[EXTRA]))
    assert {as_announced(kind, "2026-12-03T11:00", hours) for kind in InstrumentClass} == {"C"}
    assert as_announced(METAL, "2026-12-03T17:00", hours) == "O"
    assert as_announced(OTHER, "2026-11-24T11:00", hours) == "C"
    assert as_announced(OTHER, "2026-12-04T11:00", hours) == "O"


def test_a_holiday_restated_is_the_operators_alone(tmp_path: Path) -> None:
    ordinary = {"date": "2026-12-25", "name": "ordinary after all", "closed": []}
    no_budget = {"date": "2026-02-01", "name": "no Budget", "closed": []}
    hours = load_market_hours(override(tmp_path, holidays=[ordinary, no_budget]))
    assert {as_announced(kind, "2026-12-25T11:00", hours) for kind in InstrumentClass} == {"O"}
    assert state(OTHER, "2026-02-01T11:00", hours=hours).reason == "weekend"


def test_a_special_session_of_the_operators_is_for_its_classes_only(tmp_path: Path) -> None:
    muhurat = {
        "date": "2026-11-08",
        "name": "Muhurat",
        "classes": [OTHER],
        "phases": ["CONTINUOUS 13:45-14:45", "CONTINUOUS 18:00-18:30"],
    }
    hours = load_market_hours(override(tmp_path, special=[muhurat, DRILL]))
    at = [f"2026-11-08T{clock}" for clock in ("13:44", "13:45", "14:44", "14:45", "18:00", "18:30")]
    assert [as_announced(OTHER, text, hours) for text in at] == list("COOCOC")
    assert state(OTHER, "2026-11-08T15:00", hours=hours).reason == "Muhurat, between two sessions"
    assert state(UNDERLYING, "2026-11-08T14:00", hours=hours).session is CLOSED
    assert [as_announced(kind, "2026-12-05T09:30", hours) for kind in (OTHER, UNDERLYING)] == ["O", "C"]
    assert state(OTHER, "2026-12-04T16:30", hours=hours).next_opening == ist("2026-12-05T09:15")


def test_changed_hours_of_the_operators_win(tmp_path: Path) -> None:
    hours = load_market_hours(override(tmp_path, regular=[EARLIER]))
    assert [as_announced(INDEX, f"2026-12-08T{clock}", hours) for clock in ("15:19", "15:20")] == ["O", "C"]
    assert as_announced(INDEX, "2026-11-30T15:39", hours) == "O"
    assert as_announced(STOCK, "2026-12-08T15:44", hours) == "O"


def test_a_row_may_be_for_one_day_and_a_holiday_for_the_last_one(tmp_path: Path) -> None:
    one_day = EARLIER | {"from": "2026-12-08", "to": "2026-12-08"}
    hours = load_market_hours(override(tmp_path, regular=[one_day], holidays=[EXTRA | {"date": "2026-12-31"}]))
    at_close = [as_announced(INDEX, f"2026-12-{day}T15:20", hours) for day in ("07", "08", "09")]
    assert at_close == ["O", "C", "O"]
    assert as_announced(OTHER, "2026-12-31T11:00", hours) == "C"


def test_an_operator_can_extend_the_covered_dates_but_must_say_every_hour(tmp_path: Path) -> None:
    covers = ["2026-01-01", "2027-12-31"]
    with pytest.raises(MarketHoursUnusable, match="no regular session of MCX_NON_AGRI on 2027-03-15"):
        load_market_hours(override(tmp_path, covers=covers))
    evening = {
        "from": "2027-03-15",
        "classes": [METAL],
        "phases": ["CONTINUOUS 09:00-23:30"],
        "source": "a circular",
    }
    told = override(tmp_path, covers=covers, as_of="2026-12-20", source="operator", regular=[evening])
    hours = load_market_hours(told)
    assert (hours.timetable.as_of, hours.timetable.source) == (date(2026, 12, 20), "operator")
    assert as_announced(OTHER, "2027-01-04T11:00", hours) == "O"
    assert state(OTHER, "2026-12-31T16:30", hours=hours).next_opening == ist("2027-01-01T09:15")
    assert state(OTHER, "2028-01-03T11:00", hours=hours).session is UNCOVERED


def test_an_empty_override_changes_nothing(tmp_path: Path) -> None:
    assert load_market_hours(override(tmp_path)).timetable == HOURS.timetable


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "Invalid JSON"),
        ("{'a': 1}", "Invalid JSON"),
        ("\xff", "Invalid JSON"),
        ("[]", "object"),
        ({"holiday": []}, "holiday: Extra inputs"),
        ({"holidays": [EXTRA | {"closed": ["SHARES"]}]}, r"holidays\.0\.closed\.0: .*EQUITY"),
        ({"holidays": [EXTRA | {"date": "2026-13-01"}]}, r"holidays\.0\.date"),
        ({"holidays": [EXTRA | {"date": 1764700000}]}, r"holidays\.0\.date"),
        ({"holidays": [EXTRA, EXTRA]}, "more than one row for 2026-12-03"),
        ({"holidays": [EXTRA | {"date": "2062-12-03"}]}, r"2062-12-03 \(Elections\) is not in covers"),
        ({"special": [DRILL | {"date": "2025-12-06"}]}, r"2025-12-06 \(Drill\) is not in covers"),
        ({"special": [DRILL, DRILL]}, "more than one row for 2026-12-05 CASH_OTHER"),
        ({"special": [DRILL | {"classes": []}]}, r"special\.0\.classes"),
        ({"special": [DRILL | {"classes": ["CASH"]}]}, r"special\.0\.classes\.0"),
        ({"special": [DRILL | {"phases": ["CONTINOUS 09:15-10:00"]}]}, r"special\.0\.phases\.0: .*CONTINOUS"),
        ({"special": [DRILL | {"phases": ["CONTINUOUS 9:15-10:00"]}]}, "a phase is written like"),
        ({"special": [DRILL | {"phases": ["CONTINUOUS 09:15-25:00"]}]}, "hour must be in"),
        ({"special": [DRILL | {"phases": ["CONTINUOUS 10:00-10:00"]}]}, "ends before it begins"),
        ({"special": [DRILL | {"phases": ["CONTINUOUS 09:15-10:00", "CAS_MATCH 09:59-10:10"]}]}, "before CONTINUOUS"),
        ({"regular": [EARLIER | {"to": "2026-11-30"}]}, r"regular\.0: .*first date is after the last"),
        ({"regular": [{"from": "2026-12-01"}]}, r"regular\.0\.phases: Field required"),
        ({"covers": ["2026-12-31", "2026-01-01"]}, "covers: .*first date is after the last"),
        ({"covers": ["2025-12-01", "2026-12-31"]}, "no regular session of .* on 2025-12-01"),
    ],
)
def test_a_bad_override_is_refused_with_what_and_where(tmp_path: Path, content: object, fault: str) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(content.encode("latin-1") if isinstance(content, str) else json.dumps(content).encode())
    with pytest.raises(MarketHoursUnusable, match=fault) as refusal:
        load_market_hours(path)
    assert str(path) in str(refusal.value)


def test_an_override_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MarketHoursUnusable, match=r"nowhere\.json: No such file"):
        load_market_hours(tmp_path / "nowhere.json")


def test_the_full_closures_are_those_of_an_independent_calendar() -> None:
    try:
        import exchange_calendars  # type: ignore[import-not-found,unused-ignore] # noqa: PLC0415
    except ImportError:
        reason = "NOT CROSS-CHECKED: the closures of 2026 against XBOM, for want of the package exchange_calendars"
        warnings.warn(reason, stacklevel=1)
        pytest.skip(reason)
    sessions = {
        at.date() for at in exchange_calendars.get_calendar("XBOM").sessions_in_range("2026-01-01", "2026-12-31")
    }
    weekdays = {day for day in YEAR if day.weekday() < 5}
    for kind in EQUITY:
        assert {day for day in weekdays if state(kind, f"{day}T11:00").is_open} == sessions
    assert len(weekdays - sessions) == 16
