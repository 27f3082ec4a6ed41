"""The day's report as a page, as a table for a spreadsheet and as JSON, from a database that the store wrote."""

import csv
import io
import json
import stat
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from copytrade.core.engine.copies import transitions
from copytrade.core.model.accounts import AccountType
from copytrade.core.model.ledger import Line, LineKey, Ratio
from copytrade.core.model.orders import Order, Product, Status
from copytrade.core.model.reasons import Reason
from copytrade.reports.day.copies import CopyFigures, spreadsheet
from copytrade.reports.day.evening import evening_line
from copytrade.reports.day.figures import DayFigures, day_figures
from copytrade.reports.day.file import page_file, write_text
from copytrade.reports.day.kept import GAPS_KEPT, KeptDay, Stretch, renewed
from copytrade.reports.day.page import charts
from copytrade.reports.day.page.document import day_page, page_of
from copytrade.reports.day.page.style import POLICY
from copytrade.reports.status import status_of
from copytrade.settings import Limits
from copytrade.storage.database import Database
from copytrade.storage.files.status_file import ActorStatus, CopierStatus
from copytrade.storage.records import CopyChanged, LedgerChanged, OrderChanged, Record, RequestMade
from tests.core.orders import NOW, OPTION
from tests.reports.test_report import BOUGHT, DAY, SOLD, a_copy, a_day, ended, skipped

#: What a broker might say to whom it wants to harm: markup, an end of the style, a formula, what hides or reverses.
HOSTILE = "</style><script>alert(1)</script>\"' onload=x \x1b[2J\x9b\u202eevil\n$x^2$"


class Page(HTMLParser):
    """The elements of a page, and the rows of each of its tables by caption."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.text = ""
        self._rows: list[list[str]] = []
        self._within = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._within = tag
        if tag == "caption":
            self._rows = []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._within == "caption":
            self.tables[data] = self._rows
        elif self._within in ("td", "th"):
            self._rows[-1][-1] += data


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "copy_trading.db"


def own(order_id: str, n: int, units: int, follower: str = "alice", leader: Order = BOUGHT) -> OrderChanged:
    """A fill of a copy, as a feed tells it."""
    order = replace(leader, id=order_id, filled_quantity=units, correlation_id=f"ct-{leader.id}-{n}")
    return OrderChanged(follower, AccountType.FOLLOWER, order)


def at(**later: float) -> datetime:
    return NOW + timedelta(**later)


def requests(*milliseconds: int) -> list[Record]:
    return [
        RequestMade("alice", "place", "POST /orders {}", "{}", 200, 5.0, at(milliseconds=each)) for each in milliseconds
    ]


def a_status() -> CopierStatus:
    result = {"rupees": -1234.5, "realised": -1000.0, "unrealised": -234.5, "at": at(hours=5).isoformat()}
    gaps = [[NOW.isoformat(), at(seconds=2.5).isoformat()], [at(hours=1).isoformat(), None]]
    return CopierStatus(
        at(hours=5),
        NOW,
        1,
        "live",
        "leader",
        ["alice", "bob"],
        [
            ActorStatus("feed-leader", "live", 0, 0, 0.0, {}, {"gaps": gaps}),
            ActorStatus("alice", "live", 0, 0, 0.0, {}, {"day_result": result}),
            ActorStatus("bob", "live", 0, 0, 0.0, {}, {"day_result": None}),
        ],
    )


def kept() -> KeptDay:
    return renewed(KeptDay(), a_status())


@pytest.fixture
def database(path: Path) -> str:
    """A day of four followers."""
    line = Line(
        LineKey(OPTION, Product.MARGIN), leader_position=130, held=60, level=60, ratio=Ratio(Fraction(1, 2), "")
    )
    store = Database(str(path))
    store.write([*a_day(), own("F-alice-L1", 1, 65)])
    store.write(
        [
            own("F-alice-L1", 1, 130),
            own("F-alice-L2", 1, 65, leader=SOLD),
            replace(own("by-hand", 1, 999), order=replace(own("by-hand", 1, 999).order, correlation_id="")),
            *requests(0, 400, 900, 1500, 70_000),
            LedgerChanged("alice", line, NOW),
            kept().record(DAY),
        ]
    )
    store.close()
    return str(path)


def figures(database: str) -> DayFigures:
    return day_figures(database, DAY, Limits(per_second=10))


def test_every_figure_of_a_day_is_in_the_page_as_a_table(database: str) -> None:
    page = Page(day_page(database, DAY, Limits(per_second=10)))
    tables = {caption: rows[1:] for caption, rows in page.tables.items()}
    assert tables["Copies of the day"][:2] == [
        ["everybody", "4", "2", "1", "1", "2", "3", "0", "45,500.00", "48,711.00"],
        ["alice", "2", "2", "0", "0", "0", "0", "0", "45,500.00", "22,737.00"],
    ]
    assert tables["Result of the day, of the whole account"] == [
        ["alice", "-1,234.50", "-1,000.00", "-234.50", "15:15:01"]
    ]
    (held,) = (rows for caption, rows in tables.items() if caption.startswith("Held by copying at"))
    assert held == [["alice", "NIFTY 24 NOV 26000 CALL", "MARGIN", "130", "0.5000", "65.00", "60", "-5.00"]]
    assert ["skipped", "zero_lots", "2"] in [row[:3] for row in tables["All followers"]]
    assert ["carol", "failed", "broker_refused", "1"] in tables["Each follower"]
    assert tables["Slippage by follower"][:2] == [
        ["alice", "+39.00", "+0.2000", "+17.1"],
        ["bob", "-26.00", "-0.1000", "-10.0"],
    ]
    half = tables["Half of the copies took no more milliseconds than"]
    assert half[1] == ["alice", "2", "1", "0.5", "0.0", "1.2", "8.3", "10.0", "31.0"]
    courses = {tuple(row[2:4]): row[6:] for row in tables["Change of the position over the day"]}
    assert courses == {("leader", "2"): ["0", "260", "130"], ("alice", "3"): ["0", "130", "65"]}, "none by hand"
    assert tables["Order requests in the busiest window"] == [
        ["alice", "a second", "3", "10", "30.0 %", "10:15:01"],
        ["alice", "a minute", "4", "250", "1.6 %", "10:15:02"],
        ["alice", "an hour", "5", "1,000", "0.5 %", "10:16:11"],
        ["alice", "the day", "5", "7,000", "0.1 %", "10:16:11"],
    ]
    assert tables["When a feed may have missed something"] == [
        ["leader", "23 Nov 10:15:01", "23 Nov 10:15:03", "2.5"],
        ["leader", "23 Nov 11:15:01", "-", "-"],
    ]
    assert tables["When the copier ran"] == [["1", "23 Nov 10:15:01", "23 Nov 15:15:01", "18,000.0"]]
    assert len(tables["Copies, by follower and time"]) == 9
    assert "The result of the day was never read of bob, carol, dave." in page.text


def test_the_page_needs_nothing_else_and_its_policy_forbids_all_but_its_own_style(database: str) -> None:
    made = day_page(database, DAY)
    page = Page(made)
    tags = [tag for tag, _ in page.elements]
    assert tags.count("svg") == 5, "result, outcomes, slippage, delays, one line"
    assert not {"script", "link", "img", "iframe", "object", "form"} & {*tags}
    assert tags.count("style") == 1
    policies = [
        given["content"] for tag, given in page.elements if given.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policies == [POLICY]
    assert POLICY.startswith("default-src 'none'")
    drawn = made.partition("<main>")[2]
    assert ("currentColor" in drawn, "#000000" in drawn) == (True, False), "charts have the colour of the page's text"
    names = [name for _, given in page.elements for name in given]
    assert "style" not in names
    assert not [name for name in names if name.startswith("on") or name in ("src", "srcset")]
    assert "Back to the board" not in page.text
    assert "Back to the board" in Page(day_page(database, DAY, board="/")).text
    links = [given["href"] for _, given in page.elements if "href" in given]
    ids = [given["id"] for _, given in page.elements if "id" in given]
    assert {link.removeprefix("#") for link in filter(None, links)} <= {*ids}
    assert len(ids) == len({*ids})
    assert "http" not in made.replace("http-equiv", "")


def test_without_matplotlib_the_tables_are_alone_and_the_page_says_so(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = Page(day_page(database, DAY))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = Page(day_page(database, DAY))
    assert "svg" not in [tag for tag, _ in page.elements]
    assert "they need matplotlib (the extra [report])" in page.text
    without_time = {caption: rows for caption, rows in page.tables.items() if not caption.startswith("Held")}
    assert without_time == {caption: drawn.tables[caption] for caption in without_time}


def hostile_records() -> Iterator[Record]:
    leader = replace(BOUGHT, symbol=HOSTILE)
    yield OrderChanged("leader", AccountType.LEADER, leader)
    yield own("F-alice-L1", 1, 65, leader=leader)
    copy = transitions.place_refused(
        replace(a_copy(leader, "alice", 130), order_id=HOSTILE), f"=cmd|' /C calc'!A0 {HOSTILE}"
    )
    yield CopyChanged(copy, leader, NOW)
    yield skipped(replace(SOLD, id=HOSTILE), HOSTILE, Reason.ZERO_LOTS)
    ok = ended(a_copy(SOLD, "=evil", 65, 20.25), SOLD, Status.TRADED, 65, "149.60")
    yield CopyChanged(ok, SOLD, NOW)


def test_what_the_broker_says_is_text_in_every_shape(path: Path) -> None:
    store = Database(str(path))
    store.write(list(hostile_records()))
    store.close()
    made = day_page(str(path), DAY)
    page = Page(made)
    tags = [tag for tag, _ in page.elements]
    assert (tags.count("script"), tags.count("style"), "svg" in tags) == (0, 1, True)
    assert not [name for _, given in page.elements for name in given if name.startswith("on")]
    assert all(character.isprintable() or character == "\n" for character in made)
    assert r"\x1b[2J\x9b\u202eevil | $x^2$" in page.text
    rows = list(csv.reader(io.StringIO(spreadsheet(figures(str(path)).copies).removeprefix("\ufeff"), newline="")))
    cells = [cell for row in rows[1:] for cell in row]
    assert not [cell for cell in cells if cell.lstrip()[:1] in ("=", "+", "@", "\t") or not cell.isprintable()]
    assert any(cell.startswith("'=evil") for cell in cells)
    assert "broker_refused" in cells


def test_the_spreadsheet_has_a_row_a_copy_with_numbers_that_are_numbers(database: str) -> None:
    text = spreadsheet(figures(database).copies)
    assert text.startswith("\ufeffat,follower,leader_order,")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert len(rows) == 9
    (bob,) = (row for row in rows if row["follower"] == "bob" and row["status"] == "cancelled")
    assert (bob["at"], bob["leader_order"], bob["filled"]) == ("2026-11-23 10:15:01.000", "L1", "260")
    assert (float(bob["slippage_rupees"]), float(bob["leader_price"])) == (-26.0, 100.0)
    assert bob["fill_ms"] == ""


@pytest.mark.parametrize("start", ["=1", "+1", "-1", "@SUM", " =1", "\uff1d1"])
def test_a_text_that_a_spreadsheet_would_compute_is_made_harmless(database: str, start: str) -> None:
    copy = msgspec.structs.replace(figures(database).copies[0], error=start, slippage_rupees=-1.5)
    (row,) = csv.DictReader(io.StringIO(spreadsheet([copy]).removeprefix("\ufeff"), newline=""))
    assert (row["error"], row["slippage_rupees"]) == (f"'{start}", "-1.5")


def test_json_has_numbers_under_stable_names_and_is_read_back_as_it_was(database: str) -> None:
    found = figures(database)
    text = msgspec.json.encode(found)
    assert msgspec.json.decode(text, type=DayFigures) == found
    plain = json.loads(text)
    assert {*plain} == {
        *("date", "made_at", "leader_orders", "totals", "followers", "holdings", "lines", "runs", "gaps"),
        *("gaps_left_out", "not_kept", "copies"),
    }
    alice = plain["followers"][0]
    assert alice["result"]["rupees"] == -1234.5
    assert alice["copies"]["slippage"]["rupees"] == 39.0
    assert {"part": "fill", "copies": 1, "p50_ms": 31.0, "p99_ms": 31.0} in alice["copies"]["delays"]
    fields = [name for name in CopyFigures.__struct_fields__ if name != "leader"]  # there is only one
    assert [*plain["copies"][0]] == fields
    assert not [value for copy in plain["copies"] for value in copy.values() if isinstance(value, dict | list)]


def test_what_is_not_kept_is_said(path: Path) -> None:
    store = Database(str(path))
    tomorrow = replace(BOUGHT, id="L9", created_at=at(days=1), observed_at=at(days=1))
    line = Line(LineKey(OPTION, Product.MARGIN), leader_position=130, held=60, level=65)
    store.write([*a_day(), OrderChanged("leader", AccountType.LEADER, tomorrow), LedgerChanged("alice", line, NOW)])
    store.close()
    found = figures(str(path))
    assert (found.holdings, found.runs, len(found.not_kept)) == ([], [], 2)
    page = Page(page_of(found))
    for sentence in found.not_kept:
        assert sentence in page.text
    empty = day_page(str(path), DAY - timedelta(days=1))
    assert "Nothing was copied, and nothing was skipped." in Page(empty).text


def test_what_is_kept_is_renewed_and_bounded() -> None:
    first = kept()
    again = renewed(first, msgspec.structs.replace(a_status(), at=at(hours=5, minutes=1)))
    assert again == msgspec.structs.replace(first, runs=[Stretch(NOW, at(hours=5, minutes=1))])
    restarted = renewed(first, msgspec.structs.replace(a_status(), since=at(hours=4), actors=[]))
    assert (len(restarted.runs), restarted.results, restarted.gaps) == (2, first.results, first.gaps)
    many = [[at(minutes=n).isoformat(), at(minutes=n, seconds=1).isoformat()] for n in range(GAPS_KEPT + 5)]
    of_a_yesterday = [[at(days=-1).isoformat(), at(days=-1, seconds=1).isoformat()]]
    feed = ActorStatus("feed-alice", "live", 0, 0, 0.0, {}, {"gaps": [*of_a_yesterday, *many]})
    bounded = renewed(KeptDay(), msgspec.structs.replace(a_status(), actors=[feed]))
    assert (len(bounded.gaps["alice"]), bounded.gaps_left_out) == (GAPS_KEPT, {"alice": 5})
    old = {"rupees": 1.0, "realised": None, "unrealised": None, "at": at(days=-1).isoformat()}
    alice = ActorStatus("alice", "live", 0, 0, 0.0, {}, {"day_result": old})
    assert renewed(KeptDay(), msgspec.structs.replace(a_status(), actors=[alice])).results == {}


def test_more_followers_than_can_be_drawn_are_in_the_tables(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts, "BARS", 1)
    page = Page(day_page(database, DAY))
    assert "(1 of 2 followers; the table has all)" in page.text
    assert len(page.tables["Slippage by follower"]) == 3


def test_a_file_is_its_owners_alone_and_takes_the_place_of_another(tmp_path: Path) -> None:
    file = page_file(str(tmp_path / "copy_trading.db"), DAY)
    assert file == tmp_path / "copy_trading-2026-11-23.html"
    assert page_file(str(tmp_path / "copies"), DAY) == tmp_path / "copies-2026-11-23.html"
    file.write_text("old")
    file.chmod(0o644)
    write_text(file, "new\r\n")
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"new\r\n", 0o600)
    assert list(tmp_path.iterdir()) == [file]
    with pytest.raises(OSError, match="No such file"):
        write_text(tmp_path / "missing" / "file", "")


def test_the_evening_has_a_line_a_follower_with_result_and_drift(database: str) -> None:
    result = {"rupees": -1234.5, "realised": None, "unrealised": None, "at": at(hours=5).isoformat()}
    details = {
        "day_result": result,
        "positions_read": at(hours=5).isoformat(),
        "apart": [[OPTION.segment, OPTION.security_id, Product.MARGIN, 10]],
    }
    yesterdays = {"day_result": {**result, "at": at(days=-1).isoformat()}}
    actors = [
        ActorStatus("alice", "live", 0, 0, 0.0, {}, details),
        ActorStatus("bob", "live", 0, 0, 0.0, {}, yesterdays),
    ]
    status = msgspec.structs.replace(a_status(), actors=actors)
    followers = status_of(status, database, ["alice", "bob", "carol"], {}).followers
    assert tuple(evening_line(one, status.at) for one in followers) == (
        "alice: result Rs -1,234.50, differs: NIFTY 24 NOV 26000 CALL MARGIN +60 (unexplained)",
        "bob: result not known, live, positions not read",
        "carol: result not known, not running, positions not read",
    )
