"""What became of a command: it is in the database, so that it outlives the board."""

import json
from dataclasses import dataclass

from copytrade.app.commands.reload import NOT_TAKEN
from copytrade.reports.snapshot import open_to_read, rows_of
from copytrade.storage.audit_chain import BOARD


@dataclass(frozen=True, slots=True)
class Outcome:
    """A command's state, ``waiting``, ``done`` or ``refused``, and its answer, None while it waits."""

    id: str
    state: str
    answer: str | None


def outcome(database: str, name: str, at: float) -> Outcome:
    """Return what became of the command that was given ``at`` these epoch seconds, as the command line prints it.

    An answer that was there with the command is whole, one that a follower gave has its name put before it. Raises
    DatabaseUnusable.
    """
    with open_to_read(database) as connection:
        query = "SELECT follower, is_done, answer, answered_at FROM commands WHERE given_at = ? ORDER BY id"
        rows = rows_of(connection, query, at)
    if any(answer is None for _, _, answer, _ in rows):
        return Outcome(name, "waiting", None)
    lines = [_line(one, done, answer, is_own=then == at) for one, done, answer, then in rows]
    return Outcome(name, "done" if all(row[1] for row in rows) else "refused", "\n".join(lines))


def _line(follower: str, is_done: object, answer: str, *, is_own: bool) -> str:
    if is_own:
        return answer
    if follower:
        return f"{follower}: {answer}"
    return answer if is_done else f"{NOT_TAKEN}\n{answer}"


def given_at(database: str, name: str) -> float | None:
    """Return when a command was given by its id, in epoch seconds; None if it was not. Raises DatabaseUnusable."""
    query = "SELECT ts, response_data FROM audit_log WHERE account = ? AND response_data LIKE ? ORDER BY id"
    with open_to_read(database) as connection:
        for at, response in rows_of(connection, query, BOARD, f'%"{name}"%'):
            if json.loads(response).get("id") == name:
                return float(at)
    return None
