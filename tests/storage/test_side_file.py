"""What the database could not take is kept in a file beside it, whole or not at all."""

import os
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest

from copytrade.core.model.accounts import AccountType
from copytrade.core.model.ledger import Line, LineKey
from copytrade.core.model.orders import Product
from copytrade.storage.files.fallback_file import SideFile
from copytrade.storage.records import ConfigSet, CopyChanged, LedgerChanged, OrderChanged, RequestMade
from tests.core.asking import HALF, resting
from tests.core.orders import NOW, OPTION, an_order

RECORDS = [
    OrderChanged("leader", AccountType.LEADER, an_order()),
    CopyChanged(resting(order=an_order(id="7")), an_order(), NOW),
    LedgerChanged("alice", Line(LineKey(OPTION, Product.MARGIN), 260, 130, 130, Fraction(65, 2), 0, HALF, 65), NOW),
    RequestMade("alice", "place", "POST /orders", '{"orderId": "ü"}', None, 12.5, datetime(2026, 11, 24, tzinfo=UTC)),
    ConfigSet("last_leader_event_ts", "1795409101"),
]


def test_every_kind_of_record_comes_back_as_it_was(tmp_path: Path) -> None:
    file = SideFile(tmp_path / "copy.db.unwritten")
    assert file.read() == ([], 0)
    file.append(RECORDS[:2])
    file.append(RECORDS[2:])
    assert file.read() == (RECORDS, 0)
    assert file.path.stat().st_mode & 0o777 == 0o600
    file.clear()
    assert file.read() == ([], 0)
    file.clear()


def test_a_line_that_a_full_disk_cut_off_costs_no_later_one(tmp_path: Path) -> None:
    file = SideFile(tmp_path / "copy.db.unwritten")
    file.append(RECORDS[:2])
    file.path.write_bytes(file.path.read_bytes()[:-40])
    file.append(RECORDS[2:])
    assert file.read() == ([RECORDS[0], *RECORDS[2:]], 1)


def test_each_file_has_a_mark_of_its_own(tmp_path: Path) -> None:
    file = SideFile(tmp_path / "copy.db.unwritten")
    file.append(RECORDS)
    again = SideFile(file.path)
    again.read()
    assert file.mark.value
    assert again.mark == file.mark
    file.clear()
    file.append(RECORDS)
    assert file.mark != again.mark


def test_a_line_that_a_crash_cut_off_is_counted_and_costs_no_other(tmp_path: Path) -> None:
    file = SideFile(tmp_path / "copy.db.unwritten")
    file.append(RECORDS)
    whole = file.path.read_bytes()
    for cut in range(1, len(whole), 97):
        file.path.write_bytes(whole[:-cut])
        records, unreadable = file.read()
        assert records == RECORDS[: len(records)]
        assert unreadable <= 1
    file.path.write_bytes(b'\x00\xff\n{"Nobody": {}}\n[]\n' + whole)
    assert file.read() == (RECORDS, 3)


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000,
        b'{"ConfigSet":' + b"[" * 100_000,
        b'{"ConfigSet": {"key": ' + b'{"a":' * 100_000,
        b"\xff\xfe\x00\x01",
        b'{"ConfigSet": {"key": "a"}, "OrderChanged": {}}',
        b"null",
        b"17",
    ],
)
def test_a_line_of_nonsense_is_counted_and_costs_no_other(tmp_path: Path, line: bytes) -> None:
    file = SideFile(tmp_path / "copy.db.unwritten")
    file.append(RECORDS)
    file.path.write_bytes(line + b"\n" + file.path.read_bytes())
    assert file.read() == (RECORDS, 1)


def test_a_ratio_that_is_no_number_is_counted_and_costs_no_other(tmp_path: Path) -> None:
    file = SideFile(tmp_path / "copy.db.unwritten")
    file.append(RECORDS)
    file.path.write_bytes(file.path.read_bytes().replace(b'"65/2"', b'"65/0"'))
    records, unreadable = file.read()
    assert (len(records), unreadable) == (len(RECORDS) - 1, 1)


def test_what_is_no_file_counts_as_unreadable(tmp_path: Path) -> None:
    file = SideFile(tmp_path / "copy.db.unwritten")
    file.path.mkdir()
    assert file.read() == ([], 1)
    assert file.set_aside() == tmp_path / "copy.db.unwritten.unreadable"
    file.path.symlink_to(tmp_path / "nowhere")
    assert file.read() == ([], 1)
    assert file.set_aside() == tmp_path / "copy.db.unwritten.unreadable.2"
    os.mkfifo(file.path)
    assert file.read() == ([], 1)
    assert file.set_aside() == tmp_path / "copy.db.unwritten.unreadable.3"
    assert file.read() == ([], 0)
