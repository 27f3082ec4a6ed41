"""What became of a command: it is in the database, so that it outlives the board."""

import json
from dataclasses import dataclass

import peewee

from copytrade.reports.snapshot import open_to_read, rows_of

#: The account under which the audit trail has what was asked for through the board.
AUDITED_AS = "board"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A command's state, ``waiting``, ``done`` or ``refused``, and its answer, None while it waits."""

    id: str
    state: str
    answer: str | None


def find(database: str, name: str) -> Outcome | None:
    """Return what became of the command of this id, None if there is none; the answer is as the command line prints it.

    An answer that was there with the command is whole, one that a follower gave has its name put before it. Raises
    DatabaseUnusable.
    """
    with open_to_read(database) as connection:
        at = _given_at(connection, name)
        if at is None:
            return None
        query = "SELECT follower, is_done, answer, answered_at FROM commands WHERE given_at = ? ORDER BY id"
        rows = rows_of(connection, query, at)
    if any(answer is None for _, _, answer, _ in rows):
        return Outcome(name, "waiting", None)
    lines = [answer if answered_at == at else f"{follower}: {answer}" for follower, _, answer, answered_at in rows]
    return Outcome(name, "done" if all(row[1] for row in rows) else "refused", "\n".join(lines))


def _given_at(connection: peewee.Database, name: str) -> float | None:
    """Return when the command of this id was given, in epoch seconds."""
    query = "SELECT ts, response_data FROM audit_log WHERE account = ? AND response_data LIKE ? ORDER BY id"
    for at, response in rows_of(connection, query, AUDITED_AS, f'%"{name}"%'):
        if json.loads(response).get("id") == name:
            return float(at)
    return None
