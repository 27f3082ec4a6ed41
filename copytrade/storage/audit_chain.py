"""The audit trail's chain: each row of ``audit_log`` carries a hash of its content and of the hash before it.

Changing, removing or adding a row makes every later hash wrong.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from copytrade.core.model.orders import IST
from copytrade.storage.rows import Row

#: The key in ``config`` of the hash written last. The next row is chained to it, so that rows removed from the end are
#: noticed as well.
AUDIT_HEAD = "audit_head"

#: The account under which the trail has what an operator asked for through the board. The broker knows no such account.
BOARD = "board"


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A row as read: its id, its hash ("" if an earlier version wrote none) and the values that are hashed.

    ``content`` is the row of ``audit_log`` in the order of its columns; the last is the time in epoch seconds.
    """

    id: int
    content: Row
    hash: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a verification: how many rows are unchanged, and what is wrong with the first that is not.

    ``unchained`` rows were written by a version without hashes and cannot be verified. ``began`` and ``ended`` are the
    times of the first and the last row in epoch seconds, None without rows.
    """

    rows: int
    unchained: int
    began: float | None
    ended: float | None
    head: str
    fault: str = ""


def row_hash(previous: str, content: Row) -> str:
    """Return SHA-256 in hex of the hash before, a line feed, and the row's values as a JSON array in ASCII."""
    return hashlib.sha256(f"{previous}\n{json.dumps(content, separators=(',', ':'))}".encode()).hexdigest()


def chained(previous: str, rows: Iterable[Row]) -> list[Row]:
    """Return the rows with their hashes, the first chained to ``previous``."""
    found = []
    for row in rows:
        previous = row_hash(previous, row)
        found.append((*row, previous))
    return found


def verify(rows: Iterable[AuditRow], head: str | None) -> Verdict:
    """Follow the chain from the first row that has a hash to ``head``, the hash written last."""
    intact = unchained = 0
    began: float | None = None
    ended: float | None = None
    previous, fault = "", ""
    last: AuditRow | None = None
    for row in rows:
        if not row.hash and not intact:
            unchained += 1
        elif row.hash == row_hash(previous, row.content):
            intact, previous = intact + 1, row.hash
        else:
            fault = f"row {row.id} {_why_broken(row, last)}"
            break
        ended = _time(row.content)
        began = ended if began is None else began
        last = row
    if not fault and (head or "") != previous:
        fault = f"row {last.id} is not the last that was written" if last else "every row is missing"
    return Verdict(intact, unchained, began, ended, previous, fault)


def told(verdict: Verdict) -> str:
    """Return a verdict as one or two lines for the operator."""
    rows = verdict.rows + verdict.unchained
    span = f", {_moment(verdict.began)} to {_moment(verdict.ended)}" if verdict.began and verdict.ended else ""
    state = f"broken: {verdict.fault}" if verdict.fault else "intact"
    lines = [
        f"audit_log: {rows} row{'' if rows == 1 else 's'}{' before the fault' if verdict.fault else ''}{span}, {state}"
    ]
    if verdict.unchained:
        lines.append(f"The first {verdict.unchained} were written by an earlier version, without hashes.")
    if verdict.head and not verdict.fault:
        lines.append(f"Last hash: {verdict.head}")
    return "\n".join(lines)


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, IST):%Y-%m-%d %H:%M:%S} IST"


def _why_broken(row: AuditRow, last: AuditRow | None) -> str:
    missing = row.id - 1 - (last.id if last else 0)
    if missing > 0:
        return f"does not follow the one before it: {missing} before it {'is' if missing == 1 else 'are'} missing"
    return "is not what was written, or rows before it were removed"


def _time(content: Sequence[object]) -> float:
    at = content[-1]
    return at if isinstance(at, float) else 0.0
