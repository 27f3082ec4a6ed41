"""The intent log: a write-ahead log of what is about to be sent, until it is in its tables."""

from collections.abc import Iterable, Sequence
from uuid import uuid4

import peewee

from copytrade.core.model.ledger import Allocation, Line
from copytrade.storage.records import ConfigSet, CopyChanged, LedgerChanged, Record, lines_of, record_of
from copytrade.storage.sql import Cursor

#: The kinds of intended records: a copy that is about to be sent, and the ledger entries it depends on.
Intended = CopyChanged | LedgerChanged[Line | Allocation]

#: The key in ``config`` of the owner of the table.
OWNER = "intents_owner"


class IntentsUnusable(Exception):
    """Another store owns the table, or it holds what this program cannot read."""


class Intents:
    """The intents table, owned by one store. Its first transaction takes ownership, the previous owner writes no more.

    So a store that hung and was replaced can neither add intents nor write when it wakes. What it had added before is
    neither lost nor written twice.
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
        """Whether this store owns the table."""
        return self._is_ours

    @property
    def are_settled(self) -> bool:
        """Whether this store owns the table, and everything in it has been written to the other tables."""
        return self._is_ours and not self._intended

    def add(self, connection: peewee.Database, intended: Sequence[Intended]) -> None:
        """Add records, durable at once: the statement is a transaction. Raises IntentsUnusable if not the owner."""
        cursor = connection.cursor()
        cursor.execute(self._add, (lines_of(intended).decode(), OWNER, self._token))
        if connection.rows_affected(cursor) != 1:
            raise IntentsUnusable("taken over by another store")
        self._intended += intended

    def take_out(self, cursor: Cursor) -> Iterable[Record]:
        """Empty the table; return the records, which must be written in the same transaction."""
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
        """Note that the transaction of ``take_out`` is committed: this store owns the table, and it is empty."""
        self._is_ours = True
        self._intended = []


def intended(cursor: Cursor) -> list[Record]:
    """Return what the table holds, oldest first. Raises IntentsUnusable for what this program cannot read."""
    cursor.execute("SELECT records FROM intents ORDER BY id", ())
    try:
        return [record_of(line) for (lines,) in cursor.fetchall() for line in lines.encode().splitlines()]
    except ValueError as error:
        raise IntentsUnusable(f"holds intents that this program cannot read: {error}") from error
