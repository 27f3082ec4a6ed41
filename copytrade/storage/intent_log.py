"""What is about to be sent: durable in a row of its own until it is in its tables."""

from collections.abc import Iterable, Sequence
from uuid import uuid4

import peewee

from copytrade.core.model.ledger import Allocation, Line
from copytrade.storage.records import ConfigSet, CopyChanged, LedgerChanged, Record, lines_of, record_of
from copytrade.storage.sql import Cursor

#: What can be intended: a copy that is about to be sent, and what it rests on.
Intended = CopyChanged | LedgerChanged[Line | Allocation]

#: Whose the table is, in ``config``.
OWNER = "intents_owner"


class IntentsUnusable(Exception):
    """The table is another store's, or holds what this program cannot read."""


class Intents:
    """The table as one store has it: it becomes this one's with the first transaction, and whoever had it does no more.

    So one that hung and has been replaced can neither add to it nor write anything when it wakes, and nothing that it
    had added before is lost or written twice.
    """

    def __init__(self, connection: peewee.Database) -> None:
        mark = connection.param
        self._token = uuid4().hex
        self._is_ours = False
        self._intended: list[Intended] = []
        self._owned = f"SELECT 1 FROM config WHERE key = {mark} AND value = {mark}"  # noqa: S608 (our own words)
        self._add = f"INSERT INTO intents (records) SELECT {mark} WHERE EXISTS ({self._owned})"

    @property
    def is_ours(self) -> bool:
        """Whether it has become this store's."""
        return self._is_ours

    @property
    def are_settled(self) -> bool:
        """Whether it is this store's, and all that was added is in the other tables."""
        return self._is_ours and not self._intended

    def add(self, connection: peewee.Database, intended: Sequence[Intended]) -> None:
        """Add records, which are durable at once: the statement is a transaction by itself. Only once it is ours."""
        cursor = connection.cursor()
        cursor.execute(self._add, (lines_of(intended).decode(), OWNER, self._token))
        if connection.rows_affected(cursor) != 1:
            raise IntentsUnusable("taken over by another store")
        self._intended += intended

    def take_out(self, cursor: Cursor) -> Iterable[Record]:
        """Remove everything, and return what is to be written in the same transaction."""
        if self._is_ours:
            cursor.execute(self._owned, (OWNER, self._token))
            if not cursor.fetchall():
                raise IntentsUnusable("taken over by another store")
            records: list[Record] = [*self._intended]
        else:
            records = [*intended(cursor), ConfigSet(OWNER, self._token)]
        cursor.execute("DELETE FROM intents", ())
        return records

    def note_written(self) -> None:
        """Take note that what was taken out has been written, and that all is ours now."""
        self._is_ours = True
        self._intended = []


def intended(cursor: Cursor) -> list[Record]:
    """Return what the table holds, oldest first. Raises IntentsUnusable for what this program cannot read."""
    cursor.execute("SELECT records FROM intents ORDER BY id", ())
    try:
        return [record_of(line) for (lines,) in cursor.fetchall() for line in lines.encode().splitlines()]
    except ValueError as error:
        raise IntentsUnusable(f"holds intents that this program cannot read: {error}") from error
