"""The database: records in, copies and answers out. Used by one thread at a time."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime
from itertools import chain
from pathlib import Path

import apsw
import peewee
from playhouse import db_url

from copytrade.core.model.commands import Answer, Command, enabled_key
from copytrade.core.model.copies import Copy
from copytrade.core.model.ledger import Allocation, Line
from copytrade.storage import schema as tables
from copytrade.storage import sqlite
from copytrade.storage.audit_chain import AUDIT_HEAD
from copytrade.storage.files.lock_file import without_password
from copytrade.storage.files.open_files import OpenFiles
from copytrade.storage.intent_log import OWNER, Intended, Intents, IntentsUnusable
from copytrade.storage.migrations import SCHEMA_VERSION, steps_from
from copytrade.storage.records import ConfigSet, Record
from copytrade.storage.rows import (
    Row,
    news_row,
    order_row,
    read_allocation,
    read_copy,
    read_line,
)
from copytrade.storage.sql import Cursor, Insert, answer_to_command, deletion_of_dispositions, news_of_order
from copytrade.storage.write_batch import Batch

#: Rows of these are renewed; the others only grow.
_RENEWED = (tables.Orders, tables.CopyMappings, tables.Ledger, tables.Allocations, tables.Config)


#: Bytes of SQLite's write-ahead log: it begins anew after a thousand pages of 4 KB, and a header each.
LOG_SIZE = 1100 * 4128

#: Bytes that are written to it at once: one piece of all would stay with the thread that had it, start for start.
PIECE = 65_536


class DatabaseUnusable(Exception):
    """The database cannot be used: the message says which, why and what to do."""


#: What a database that is locked, full or broken raises; while rows are fetched peewee does not wrap SQLite's errors.
DATABASE_ERRORS: tuple[type[Exception], ...] = (
    peewee.PeeweeException,
    apsw.Error,
    OSError,
    DatabaseUnusable,
    IntentsUnusable,
)


#: What it raises over records that no database can take, whatever its state.
UNWRITABLE: tuple[type[Exception], ...] = (
    peewee.IntegrityError,
    peewee.DataError,
    peewee.InterfaceError,
    peewee.ProgrammingError,
    ValueError,
    TypeError,
    ArithmeticError,
)


class Database:
    """All tables behind one connection. Raises DatabaseUnusable from the constructor, peewee's errors afterwards."""

    def __init__(self, database: str, *, synchronous: str = "full") -> None:
        self._name = without_password(database)
        try:
            self._connection = _connect(database, synchronous)
            self._connection.connect()
            for model in tables.ALL:  # bound to no database: there may be two in one process
                peewee.SchemaManager(model, self._connection).create_all(safe=True)
            if self._is_sqlite:
                for trigger in tables.APPEND_ONLY:
                    self._connection.execute_sql(trigger)
        except (peewee.PeeweeException, apsw.Error, OSError, RuntimeError) as error:
            raise DatabaseUnusable(
                f"{self._name}: cannot be opened as a database: {type(error).__name__}: {error}"
            ) from None
        self._inserts: dict[type[peewee.Model], Insert] = {}
        for model in tables.ALL:
            self._inserts[model] = Insert(self._connection, model, renews=model in _RENEWED)
        self._note_event = news_of_order(self._connection)
        self._forget_disposition = deletion_of_dispositions(self._connection)
        self._answer_command = answer_to_command(self._connection)
        self._intents: Intents | None = None
        self._files: OpenFiles | None = None

    def claim(self, mode: str, leader_client_id: str) -> None:
        """Make sure that this database is sound, of this version, and of this mode and leader.

        A new one is marked as theirs, one of an earlier version is brought here. Raises DatabaseUnusable for a damaged
        one, one of a later version, and one of another mode or leader: paper and live never mix.
        """
        self._check()
        for key, ours in (("mode", mode), ("leader_client_id", leader_client_id)):
            theirs = self.config(key)
            if theirs is not None and theirs != ours:
                raise DatabaseUnusable(
                    f"{self._name}: belongs to {key} {theirs}, the settings say {ours}: use another [store] database"
                )
        self._migrate()
        self.write(
            ConfigSet(key, value)
            for key, value in (
                ("schema_version", str(SCHEMA_VERSION)),
                ("mode", mode),
                ("leader_client_id", leader_client_id),
            )
        )

    def _check(self) -> None:
        if not self._is_sqlite:
            return
        try:
            (found,) = self._execute("PRAGMA quick_check(1)").fetchone()
        except (peewee.PeeweeException, apsw.Error) as error:
            found = str(error)
        if found != "ok":
            raise DatabaseUnusable(
                f"{self._name}: is damaged ({found.splitlines()[-1]}): move it away,"
                " and a new one is made up from the broker's books"
            )

    def _migrate(self) -> None:
        version = self.config("schema_version") or str(SCHEMA_VERSION)
        steps = steps_from(version)
        if steps is None:
            raise DatabaseUnusable(
                f"{self._name}: is of schema version {version}, this program knows up to {SCHEMA_VERSION}: use a later"
                " program, or another [store] database"
            )
        if steps:
            with self._connection.atomic():
                for statement in steps:
                    self._connection.execute_sql(statement)
                self._write(Batch([ConfigSet("schema_version", str(SCHEMA_VERSION))]))

    def take_over(self) -> None:
        """Be the store's connection: its first transaction writes what an earlier one intended and did not write.

        From then on the earlier one can write nothing here: it raises IntentsUnusable. And from then on it is seen
        before each commit that the files are still there.
        """
        self._intents = Intents(self._connection)
        if isinstance(self._connection, peewee.SqliteDatabase):
            self.config(OWNER)  # SQLite makes its log when it is first needed
            self._files = OpenFiles(self._connection.database)

    def see_that_it_is_there(self) -> None:
        """Raise DatabaseUnusable if the files of the database have been deleted, moved or replaced since the take-over.

        What is committed then would be lost. They may come back, if they were only moved.
        """
        if self._files is not None and (missing := self._files.missing()):
            raise DatabaseUnusable(
                f"{missing}: was deleted, moved or replaced while in use: put it back, or stop and start again"
            )

    @property
    def is_behind(self) -> bool:
        """Whether something may be intended that is not in its table yet."""
        return self._intents is not None and not self._intents.are_settled

    def intend(self, records: Sequence[Intended]) -> None:
        """Make records durable at once; the next ``write`` puts them into their tables, or that of who takes over.

        That is one page to be written, where each table and its index are two, and most are written once, as what they
        are by then, and not twice. Before the first ``write`` of one that has taken over it is a ``write`` itself.
        """
        if self._intents is None or not self._intents.is_ours:
            self.write(records)
            return
        self.see_that_it_is_there()
        with peewee.__exception_wrapper__:  # type: ignore[attr-defined]
            self._intents.add(self._connection, records)

    def write(self, records: Iterable[Record]) -> None:
        """Write all records in one transaction: when this returns, all of them are durable, or none was written.

        They are grouped into few statements: each lets other threads run, and the more of them there are, the longer
        whoever waits for the commit may wait for its turn.
        """
        if self._intents is None:
            with self._transaction():
                self._write(Batch(records))
            return
        self.see_that_it_is_there()
        with self._transaction(), peewee.__exception_wrapper__:  # type: ignore[attr-defined]
            intended = self._intents.take_out(self._connection.cursor())
            self._write(Batch(chain(intended, records)))
        self._intents.note_written()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if isinstance(self._connection, peewee.SqliteDatabase):
            self._connection.begin("IMMEDIATE")  # at once, or not at all: who reads first may find that he is too late
        else:
            self._connection.begin()
        try:
            yield
            self._connection.commit()
        except BaseException:
            with suppress(*DATABASE_ERRORS):  # SQLite has taken back by itself what a full disk ended
                self._connection.rollback()
            raise

    def _write(self, batch: Batch) -> None:
        cursor = self._connection.cursor()
        with peewee.__exception_wrapper__:  # type: ignore[attr-defined]
            for orders in batch.rounds():
                cursor.executemany(self._note_event, [news_row(order) for order in orders])
                self._insert(cursor, tables.Orders, [order_row(order) for order in orders])
            cursor.executemany(self._forget_disposition, batch.sent)
            cursor.executemany(self._answer_command, batch.answers)
            if batch.has_requests:
                batch.chain(self.config(AUDIT_HEAD) or "")
            for model, rows in batch.rows():
                self._insert(cursor, model, rows)

    def config(self, key: str) -> str | None:
        """Return a remembered value, or None."""
        row = self._execute("SELECT value FROM config WHERE key = ?", key).fetchone()
        return None if row is None else str(row[0])

    def is_enabled(self, follower: str) -> bool:
        """Whether neither copying as a whole nor this follower's is paused."""
        return self.are_enabled([follower])[follower]

    def are_enabled(self, followers: Iterable[str]) -> dict[str, bool]:
        """Return the same of several followers."""
        query = "SELECT key FROM config WHERE key LIKE ? AND value <> 'true'"
        paused = {key for (key,) in self._execute(query, enabled_key("") + "%").fetchall()}
        return {one: not paused & {enabled_key(""), enabled_key(one)} for one in followers}

    def give_command(self, name: str, follower: str, at: datetime) -> int:
        """Write down what a follower is told to do; return the command's number."""
        with self._connection.atomic():
            given = tables.Commands.insert(name=name, follower=follower, given_at=at.timestamp())
            return int(given.execute(self._connection))

    def commands(self) -> list[Command]:
        """Return the commands that have no answer, in the order in which they were given."""
        query = "SELECT id, name, follower, given_at FROM commands WHERE answer IS NULL ORDER BY id"
        return [Command(*row) for row in self._execute(query).fetchall()]

    def answer(self, number: int) -> Answer | None:
        """Return what came of a command, None before it is known."""
        query = "SELECT follower, is_done, answer FROM commands WHERE id = ? AND answer IS NOT NULL"
        row = self._execute(query, number).fetchone()
        return Answer(row[0], bool(row[1]), row[2]) if row else None

    def copies(self, follower: str, since: date) -> list[Copy]:
        """Return a follower's copies of the trading days from ``since`` on, as they were last written."""
        query = "SELECT state FROM copy_mappings WHERE follower = ? AND trade_date >= ?"
        return [read_copy(state) for (state,) in self._execute(query, follower, since.isoformat()).fetchall()]

    def lines(self, follower: str) -> list[Line]:
        """Return a follower's ledger as it was last written."""
        query = "SELECT state FROM ledger WHERE follower = ?"
        return [read_line(state) for (state,) in self._execute(query, follower).fetchall()]

    def allocations(self, follower: str, since: date) -> list[Allocation]:
        """Return how the leader orders of the trading days from ``since`` on were judged for a follower."""
        query = "SELECT state FROM allotments WHERE follower = ? AND trade_date >= ?"
        rows = self._execute(query, follower, since.isoformat()).fetchall()
        return [read_allocation(state) for (state,) in rows]

    def requests_since(self, moment: datetime) -> list[tuple[str, float]]:
        """Return the account of each request to the broker since, and when it was answered in epoch seconds."""
        query = "SELECT account, ts FROM audit_log WHERE ts >= ?"
        return [(account, ts) for account, ts in self._execute(query, moment.timestamp()).fetchall()]

    def durability(self) -> tuple[str, str]:
        """Return SQLite's journal mode and synchronous setting as they are in force; empty for other databases."""
        if not self._is_sqlite:
            return "", ""
        (outbox,) = self._execute("PRAGMA journal_mode").fetchone()
        (level,) = self._execute("PRAGMA synchronous").fetchone()
        return outbox, ("off", "normal", "full", "extra")[level]

    def make_room(self) -> None:
        """Give SQLite's log the size that it grows to before it is used again from its beginning.

        A commit that writes over what is there is durable sooner than one that makes a file longer: that has to wait
        for the file system's own books as well. What is beyond the log's last entry means nothing to SQLite.
        """
        if not self._is_sqlite:
            return
        with Path(f"{Path(self._connection.database).resolve()}-wal").open("ab") as log:
            while (missing := LOG_SIZE - log.tell()) > 0:
                log.write(bytes(min(missing, PIECE)))
            log.flush()
            os.fsync(log.fileno())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _execute(self, query: str, *parameters: object) -> Cursor:
        """Run a query whose places are marked as SQLite marks them."""
        cursor: Cursor = self._connection.execute_sql(query.replace("?", self._connection.param), parameters)
        return cursor

    @property
    def _is_sqlite(self) -> bool:
        return isinstance(self._connection, peewee.SqliteDatabase)

    def _insert(self, cursor: Cursor, model: type[peewee.Model], rows: list[Row]) -> None:
        for statement, parameters in self._inserts[model].of(rows):
            cursor.execute(statement, parameters)


def _connect(database: str, synchronous: str) -> peewee.Database:
    file = sqlite.file_of(database)
    if file is not None:
        return sqlite.connected_to_write(file, synchronous)
    connection: peewee.Database = db_url.connect(database, unquote_password=True, autoconnect=False, thread_safe=False)
    return connection
