"""What was intended just before a crash is in ``intents`` alone until the next start. Every reader shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from msgspec.structs import replace

from copytrade.brokers.outcomes import Accepted, HttpExchange
from copytrade.core.decide.decisions import Place, Skip
from copytrade.core.decide.desired_order import desired_order
from copytrade.core.engine.copies import transitions
from copytrade.core.model.accounts import AccountType
from copytrade.core.model.copies import Copy
from copytrade.core.model.ledger import Allocation, Line, LineKey, Part, Ratio, Role
from copytrade.core.model.orders import Product, Side
from copytrade.core.model.reasons import Reason
from copytrade.reports.day.text import report
from copytrade.reports.drift import report as drift
from copytrade.reports.flatten_preview import held_and_resting
from copytrade.reports.order import explain
from copytrade.reports.queries import held_by, holds_shares, requests_since
from copytrade.reports.snapshot import open_to_read
from copytrade.storage.database import Database, DatabaseUnusable
from copytrade.storage.records import CopyChanged, LedgerChanged, OrderChanged
from tests.core.asking import NIFTY, TERMS
from tests.core.orders import NOW, OPTION, an_order
from tests.support.sql import opened

LEADER = an_order(id="L1", symbol="NIFTY 24 NOV 26000 CALL")
FRESH = Copy("L1", "alice", NOW.date(), NOW)
PLACE = Place(1, Part.ENTRY, desired_order(LEADER, 130, NIFTY, TERMS), "260 x 0.5000 = 130.00 -> 2 x 65")
HALF = Ratio(Fraction(1, 2), "fixed ratio 0.5")
SKIPPED = CopyChanged(transitions.skipped(FRESH, Skip(Reason.ZERO_LOTS, "too small")), LEADER, NOW)
PENDING = CopyChanged(transitions.placing(FRESH, PLACE, HALF, "fixed_ratio"), LEADER, NOW)
KEY = LineKey(OPTION, Product.MARGIN)
LINE = Line(KEY, leader_position=260, held=130, level=130)
ALLOCATION = Allocation("L1", NOW.date(), NOW, KEY, Side.BUY, Role.ENTRY, 260)


@dataclass
class Crashed:
    """A database whose store ended before it put what it had intended into the tables."""

    path: Path

    def holds(self, *written: CopyChanged | LedgerChanged[Line], intends: tuple[object, ...]) -> str:
        database = Database(str(self.path))
        database.claim("live", "1")
        database.take_over()
        database.write([OrderChanged("leader", AccountType.LEADER, LEADER), *written])
        database.intend(intends)  # type: ignore[arg-type]
        database.close()
        return str(self.path)


@pytest.fixture
def crashed(tmp_path: Path) -> Crashed:
    return Crashed(tmp_path / "copy.db")


def content(path: str) -> Mapping[str, list[object]]:
    with opened(path) as connection:
        tables = ("copy_mappings", "ledger", "allotments", "intents", "config", "sqlite_master")
        return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}


def test_explain_shows_a_copy_that_was_about_to_be_sent(crashed: Crashed) -> None:
    lines = explain(crashed.holds(intends=(PENDING,)), "L1").splitlines()
    assert lines[lines.index("alice") + 1] == "  copy      n 1, pending, 0 of 130 units"


def test_a_copy_sent_after_all_takes_the_place_of_why_it_was_not(crashed: Crashed) -> None:
    text = explain(crashed.holds(SKIPPED, intends=(PENDING,)), "L1")
    assert "n 1, pending" in text
    assert "n 0" not in text


def test_the_later_of_two_intents_counts(crashed: Crashed) -> None:
    later = CopyChanged(transitions.accepted(PENDING.copy, "F1", 12.5), LEADER, NOW)
    text = explain(crashed.holds(PENDING, intends=(PENDING, later)), "L1")
    assert text.count("n 1, ") == 1
    assert "n 1, placed" in text


def test_the_days_report_counts_it(crashed: Crashed) -> None:
    other = replace(PENDING, copy=replace(PENDING.copy, follower="bob"))
    lines = report(crashed.holds(other, intends=(PENDING,)), NOW.date()).splitlines()
    assert [line.split()[:5] for line in lines if line.startswith(("alice", "bob"))] == [
        ["alice", "0", "0", "1", "0"],
        ["bob", "0", "0", "1", "0"],
    ]


def test_a_day_of_which_nothing_else_is_known_has_copies(crashed: Crashed) -> None:
    text = report(crashed.holds(intends=(PENDING,)), NOW.date() - timedelta(days=1))
    assert "there are on 2026-11-23" in text


def test_drift_takes_lines_and_allocations_from_it(crashed: Crashed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "SETTLING", 0)
    intends = LedgerChanged("alice", LINE, NOW), LedgerChanged("alice", ALLOCATION, NOW), PENDING
    path = crashed.holds(LedgerChanged("alice", replace(LINE, held=65), NOW), intends=intends)
    read = Accepted({KEY: 195}, exchange=HttpExchange("GET", "/positions", "", 200, "", 1.0))
    found = drift.drift_report(path, "alice", lambda: read)
    assert "account 195, copied 130, leader 260" in found.text


def test_what_an_account_that_is_left_out_holds_is_known(crashed: Crashed) -> None:
    with open_to_read(crashed.holds(intends=(LedgerChanged("alice", LINE, NOW),))) as connection:
        assert held_by(connection, "alice") == [f"130 of {OPTION.security_id} MARGIN"]


def test_shares_that_are_held_are_known(crashed: Crashed) -> None:
    shares = replace(LINE, key=LineKey(OPTION._replace(segment="NSE_EQ"), Product.CNC))
    assert holds_shares(crashed.holds(intends=(LedgerChanged("alice", shares, NOW),)))


def test_the_budget_counts_a_request_that_may_have_left(crashed: Crashed) -> None:
    with open_to_read(crashed.holds(intends=(PENDING, PENDING, LedgerChanged("alice", LINE, NOW)))) as connection:
        assert requests_since(connection, NOW) == {"alice": 1}
        assert requests_since(connection, NOW + timedelta(seconds=1)) == {}


def test_flatten_shows_what_rests_and_is_held(crashed: Crashed) -> None:
    path = crashed.holds(intends=(PENDING, LedgerChanged("alice", LINE, NOW)))
    assert held_and_resting(path, ["alice", "bob"], NOW.date()) == [
        f"alice: 1 order rests, held: 130 of {OPTION.segment}:{OPTION.security_id} MARGIN",
        "bob: 0 orders rest, held: nothing",
    ]


def test_readers_change_nothing(crashed: Crashed) -> None:
    path = crashed.holds(SKIPPED, intends=(PENDING, LedgerChanged("alice", LINE, NOW)))
    before = content(path)
    explain(path, "L1")
    report(path, NOW.date())
    assert content(path) == before


def test_intents_that_cannot_be_read_are_said(crashed: Crashed) -> None:
    path = crashed.holds(intends=(PENDING,))
    with opened(path) as connection:
        connection.execute("UPDATE intents SET records = 'cut of'")
    with pytest.raises(DatabaseUnusable, match="holds intents that this program cannot read"):
        explain(path, "L1")
