"""The audit trail: chained, append-only, without secrets."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import pytest

from copytrade.reports.queries import audit_verdict
from copytrade.reports.snapshot import open_to_read
from copytrade.storage.audit_chain import Verdict, told
from copytrade.storage.database import Database
from copytrade.storage.files.fallback_file import SideFile
from copytrade.storage.records import RequestMade
from tests.support.sql import opened

AT = datetime(2026, 11, 24, 9, 15, 1, 250_000, tzinfo=UTC)
TRIGGERS = ("audit_log_refuses_update", "audit_log_refuses_delete", "audit_log_refuses_replace")


def request(number: int) -> RequestMade:
    answer = f'{{"orderId":"F{number}","remark":"\u20b9 {number}"}}'
    status = None if number % 3 == 0 else 200
    return RequestMade("alice", "place", "POST /orders {}", answer, status, number, AT + timedelta(seconds=number))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A trail of ten rows, written by three commits of two openings."""
    path = tmp_path / "copy.db"
    database = Database(str(path))
    database.claim("paper", "1")
    database.write([request(number) for number in range(1, 7)])
    database.write([request(7)])
    database.close()
    write(path, 8, 9, 10)
    return path


def write(path: Path, *numbers: int) -> None:
    database = Database(str(path))
    database.write([request(number) for number in numbers])


def verdict(path: Path) -> Verdict:
    with open_to_read(str(path)) as connection:
        return audit_verdict(connection)


def tamper(path: Path, *statements: str) -> None:
    """Do what the triggers refuse, as somebody would who knows of them."""
    with opened(path) as connection:
        for name in TRIGGERS:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)


def test_what_was_written_is_intact_over_commits_and_openings(path: Path) -> None:
    found = verdict(path)
    assert (found.rows, found.unchained, found.fault) == (10, 0, "")
    assert told(found).splitlines() == [
        "audit_log: 10 rows, 2026-11-24 14:45:02 IST to 2026-11-24 14:45:11 IST, intact",
        f"Last hash: {found.head}",
    ]


def test_the_chain_can_be_followed_by_hand(path: Path) -> None:
    with opened(path) as connection:
        rows = connection.execute("SELECT * FROM audit_log ORDER BY id").fetchall()
    previous = ""
    for _, *content, found in rows:
        text = json.dumps(content, separators=(",", ":"))
        previous = hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()
        assert found == previous


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE audit_log SET response_data = '{}' WHERE id = 4", "row 4 is not what was written"),
        ("UPDATE audit_log SET status_code = 200 WHERE id = 3", "row 3 is not what was written"),
        ("UPDATE audit_log SET ts = ts + 0.001 WHERE id = 1", "row 1 is not what was written"),
        ("UPDATE audit_log SET hash = '' WHERE id = 1", "row 2 is not what was written"),
        ("UPDATE audit_log SET hash = '' WHERE id = 6", "row 6 is not what was written"),
        ("DELETE FROM audit_log WHERE id = 5", "row 6 does not follow the one before it: 1 before it is missing"),
        ("DELETE FROM audit_log WHERE id < 4", "row 4 does not follow the one before it: 3 before it are missing"),
        ("DELETE FROM audit_log WHERE id > 8", "row 8 is not the last that was written"),
        ("DELETE FROM audit_log", "every row is missing"),
        ("UPDATE audit_log SET hash = ''", "row 10 is not the last that was written"),
        (
            "INSERT INTO audit_log SELECT 11, 'x', account, '', '', 200, 1.0, ts, hash FROM audit_log LIMIT 1",
            "row 11 is not what was written",
        ),
    ],
)
def test_what_is_changed_removed_or_added_is_found(path: Path, statement: str, fault: str) -> None:
    tamper(path, statement)
    assert verdict(path).fault.startswith(fault)
    assert "broken: " in told(verdict(path))


def test_a_missing_end_is_still_missed_when_more_has_been_written(path: Path) -> None:
    tamper(path, "DELETE FROM audit_log WHERE id > 8")
    write(path, 11)
    assert verdict(path).fault.startswith("row 9 is not what was written, or rows before it were removed")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET response_data = ''",
        "DELETE FROM audit_log WHERE id = 10",
        "REPLACE INTO audit_log SELECT id, 'x', account, request_data, '', 200, 1.0, ts, hash FROM audit_log",
    ],
)
def test_sqlite_refuses_to_change_the_trail(path: Path, statement: str) -> None:
    with opened(path) as connection, pytest.raises(apsw.ConstraintError, match="append-only"):
        connection.execute(statement)
    assert not verdict(path).fault


def test_a_commit_that_fails_leaves_the_chain_as_it_was(path: Path) -> None:
    database = Database(str(path))
    with pytest.raises(Exception, match=r"bind|adapt|type"):
        database.write([request(11), RequestMade("alice", object(), "", "", 200, 1.0, AT)])  # type: ignore[arg-type]
    database.write([request(12)])
    database.close()
    assert (verdict(path).rows, verdict(path).fault) == (11, "")


def test_two_writers_continue_one_chain(path: Path) -> None:
    first, second = Database(str(path)), Database(str(path))
    for number, database in enumerate((first, second, first, second), 11):
        database.write([request(number)])
    first.close()
    second.close()
    assert (verdict(path).rows, verdict(path).fault) == (14, "")


def test_rows_of_an_earlier_version_are_counted_and_followed_by_the_chain(path: Path) -> None:
    tamper(path, "UPDATE audit_log SET hash = ''", "DELETE FROM config WHERE key = 'audit_head'")
    write(path, 11, 12)
    found = verdict(path)
    assert (found.rows, found.unchained, found.fault) == (2, 10, "")
    assert "The first 10 were written by an earlier version" in told(found)


JWT = "eyJhbGciOiJIUzUxMiJ9.eyJkaGFuQ2xpZW50SWQiOiIxIn0.c2lnbmF0dXJlLW9mLWNhbmFyeQ"


def test_secrets_do_not_reach_the_trail(path: Path) -> None:
    asked = 'POST /app/generateAccessToken?pin=135790&totp=975310 {"pin":"135790","totp":975310}'
    answer = f'{{"accessToken":"canary-token", "access_token" : "canary-token","error":"bad token {JWT}"}}'
    record = RequestMade("alice", "renew", asked, answer, 200, 1.0, AT)
    SideFile(path.parent / "unwritten").append([record])
    database = Database(str(path))
    database.write([record])
    database.close()
    with opened(path) as connection:
        ((asked, answer),) = connection.execute("SELECT request_data, response_data FROM audit_log WHERE id = 11")
    assert json.loads(answer)["error"] == "bad token ***"
    assert json.loads(asked[asked.index("{") :]) == {"pin": "***", "totp": "***"}
    everything = b"".join(file.read_bytes() for file in path.parent.iterdir())
    for secret in ("135790", "975310", "canary-token", "c2lnbmF0dXJlLW9mLWNhbmFyeQ"):
        assert secret.encode() not in everything
    assert not verdict(path).fault
