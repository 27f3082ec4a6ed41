"""The database: writes records, reads copies, ledger, commands and answers. Used by one thread at a time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime
from itertools import chain
from pathlib import Path

import apsw
import peewee

from copytrade.core.model.commands import Answer, Command, enabled_key, pause_note_key, pause_text, untaken
from copytrade.core.model.copies import Copy
from copytrade.core.model.ledger import Allocation, Line
from copytrade.core.model.orders import Order
from copytrade.storage import postgres, sqlite
from copytrade.storage import schema as tables
from copytrade.storage.audit_chain import AUDIT_HEAD, BOARD
from copytrade.storage.files import write_ahead_log
from copytrade.storage.files.lock_file import without_password
from copytrade.storage.files.open_files import OpenFiles
from copytrade.storage.intent_log import OWNER, Intended, Intents, IntentsUnusable
from copytrade.storage.leader_names import CLIENT_IDS, NAMES, ONLY, LeaderNames, is_shared, leader_key, names_of
from copytrade.storage.migrations import SCHEMA_VERSION, steps_from
from copytrade.storage.records import ConfigSet, Record
from copytrade.storage.rows import Row, news_row, order_row, read_allocation, read_copy, read_line, read_order
from copytrade.storage.sql import UNDECIDED, Cursor, Insert, answer_to_command, deletion_of_dispositions, news_of_order
from copytrade.storage.write_batch import Batch

#: Tables whose rows are updated; the others are append-only.
_RENEWED = (tables.Orders, tables.CopyMappings, tables.Ledger, tables.Allocations, tables.Config)


class DatabaseUnusable(Exception):
    """The database cannot be used: the message says which, why and what to do."""


#: Errors of a database that is locked, full or broken. peewee does not wrap SQLite's errors while rows are fetched.
_OF_OURS = (DatabaseUnusable, IntentsUnusable, postgres.TakenByAnother)
DATABASE_ERRORS: tuple[type[Exception], ...] = (peewee.PeeweeException, apsw.Error, OSError, *_OF_OURS)


#: Errors of records that no database can store, whatever its state.
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

    def __init__(self, database: str, *, synchronous: str = "full", exists: bool = False) -> None:
        """Open a database, and create what is missing; nothing is created where it has to exist already."""
        self._name = without_password(database)
        if exists and (file := sqlite.file_of(database)) is not None and not Path(file).is_file():
            raise DatabaseUnusable(f"{self._name}: there is no such database: no copier has run with it")
        try:
            self._connection = _connect(database, synchronous)
            self._connection.connect()
            if not exists:
                self._create_tables()
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
        self._hold = None if self._is_sqlite else postgres.ServerHold(self._connection)
        self._whose: LeaderNames | None = None

    def _create_tables(self) -> None:
        for model in tables.ALL:  # models are bound to no database: one process may have two
            peewee.SchemaManager(model, self._connection).create_all(safe=True)
        if self._is_sqlite:
            for trigger in tables.APPEND_ONLY:
                self._connection.execute_sql(trigger)

    def recognise(self, mode: str, leader_client_id: str) -> None:
        """Check that this database belongs to this mode and leader. Nothing is changed. Raises DatabaseUnusable."""
        try:
            known = {key: self.config(key) for key in ("mode", "leader_client_id")}
        except (peewee.PeeweeException, apsw.Error) as error:
            raise DatabaseUnusable(f"{self._name}: is no copier's database: {error}") from None
        self._see_that_it_is_ours(known, mode, leader_client_id)
        if None in known.values():
            raise DatabaseUnusable(f"{self._name}: is no copier's database: it does not say whose it is")

    def _see_that_it_is_ours(self, known: Mapping[str, str | None], mode: str, leader_client_id: str) -> None:
        for key, ours in (("mode", mode), ("leader_client_id", leader_client_id)):
            theirs = known[key]
            if theirs is not None and not is_shared(theirs, ours):
                raise DatabaseUnusable(
                    f"{self._name}: belongs to {key} {theirs}, the settings say {ours}: use another [store] database"
                )

    def claim(self, mode: str, leader_client_id: str) -> None:
        """Check that this database is sound and belongs to this mode and leader; migrate one of an earlier version.

        A new database is marked with them. Raises DatabaseUnusable for one that is damaged, of a later version, or of
        another mode or leader: paper and live never mix.
        """
        self._check()
        known = {key: self.config(key) for key in ("mode", "leader_client_id")}
        self._see_that_it_is_ours(known, mode, leader_client_id)
        self._migrate()
        self.write(
            ConfigSet(key, value)
            for key, value in (
                ("schema_version", str(SCHEMA_VERSION)),
                ("mode", mode),
                ("leader_client_id", known[CLIENT_IDS] or leader_client_id),
            )
        )

    def rewrite(self, statements: Iterable[tuple[str, Row]], records: Iterable[Record]) -> None:
        """Run statements with ``?`` for each parameter, and write records, in one transaction."""
        with self._transaction():
            for statement, parameters in statements:
                self._execute(statement, *parameters)
            self._write(Batch(records))
        self._whose = None

    @property
    def whose(self) -> LeaderNames:
        """What leaders are called in the tables."""
        if self._whose is None:
            only = self.config(leader_key(self.config(ONLY) or ""))
            self._whose = names_of(self.config(NAMES), only)
        return self._whose

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
        """Become the store's connection. Its first transaction writes the intents that an earlier store left behind.

        After that transaction the earlier store cannot write: it raises IntentsUnusable. Before each commit the
        connection checks that the files of the database are still there.
        """
        if self._hold is not None:
            self._hold.take()
        self._intents = Intents(self._connection)
        if isinstance(self._connection, peewee.SqliteDatabase):
            self.config(OWNER)  # a first read makes SQLite create its log
            self._files = OpenFiles(self._connection.database)

    def see_that_it_is_there(self) -> None:
        """Raise DatabaseUnusable if the files of the database were deleted, moved or replaced since the take-over.

        A commit would be lost then. Files that were only moved may be put back.
        """
        if self._hold is not None:
            self._hold.see()
        if self._files is not None and (missing := self._files.missing()):
            raise DatabaseUnusable(
                f"{missing}: was deleted, moved or replaced while in use: put it back, or stop and start again"
            )

    @property
    def is_behind(self) -> bool:
        """Whether the intent log may hold records that are not in their tables yet."""
        return self._intents is not None and not self._intents.are_settled

    def intend(self, records: Sequence[Intended]) -> None:
        """Make records durable at once in the intent log; the next ``write``, or the next store, puts them into tables.

        The log is one page to write; a table and its index are two each. A record that changes before the next
        ``write`` gets its row once. Before the first ``write`` after a take-over this is a ``write`` itself.
        """
        if self._intents is None or not self._intents.is_ours:
            self.write(records)
            return
        self.see_that_it_is_there()
        with peewee.__exception_wrapper__:  # type: ignore[attr-defined]
            self._intents.add(self._connection, records)

    def write(self, records: Iterable[Record]) -> None:
        """Write all records in one transaction: when this returns, all of them are durable, or none was written.

        Records are grouped into few statements. Each statement lets other threads run, so many statements would delay
        those that wait for the commit.
        """
        if self._intents is None:
            with self._transaction():
                self._write(Batch(records, self.whose))
            return
        self.see_that_it_is_there()
        left = records if self._hold is None else self._hold.not_committed(records)
        with self._transaction(), peewee.__exception_wrapper__:  # type: ignore[attr-defined]
            intended = self._intents.take_out(self._connection.cursor())
            self._write(Batch(chain(intended, left), self.whose))
            if self._hold is not None:
                self._hold.mark()
        self._intents.note_written()
        if self._hold is not None:
            self._hold.is_committed()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if isinstance(self._connection, peewee.SqliteDatabase):
            self._connection.begin("IMMEDIATE")  # a transaction that reads first may fail to get the lock
        else:
            self._connection.begin()
        try:
            yield
            self._connection.commit()
        except BaseException:
            with suppress(*DATABASE_ERRORS):  # SQLite itself rolls back on a full disk
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
        """Return a value of ``config``, or None."""
        row = self._execute("SELECT value FROM config WHERE key = ?", key).fetchone()
        return None if row is None else str(row[0])

    def configured(self, prefix: str) -> dict[str, str]:
        """Return the values of ``config`` whose keys have a prefix, by the rest of the key."""
        rows = self._execute("SELECT key, value FROM config WHERE substr(key, 1, ?) = ?", len(prefix), prefix)
        return {str(key).removeprefix(prefix): str(value) for key, value in rows.fetchall()}

    def paused(self) -> list[str]:
        """Return the followers that are paused, "" first if everybody is."""
        query = "SELECT key FROM config WHERE key LIKE ? AND value <> 'true' ORDER BY key"
        keys = [key for (key,) in self._execute(query, enabled_key("") + "%").fetchall()]
        return [key.removeprefix(enabled_key("")).removeprefix(".") for key in keys]

    def pauses(self, followers: Iterable[str]) -> dict[str, str]:
        """Return, for each follower, of whom its pause is, since when and how it ends; "" if it is not paused."""
        texts = {one: pause_text(one, self.config(pause_note_key(one)) or "") for one in self.paused()}
        texts |= untaken(self.configured(""))
        return {one: texts.get("") or texts.get(one) or "" for one in followers}

    def give_command(self, name: str, follower: str, at: datetime) -> int:
        """Store a command for a follower; return its number."""
        with self._connection.atomic():
            given = tables.Commands.insert(name=name, follower=follower, given_at=at.timestamp())
            return int(given.execute(self._connection))

    def give_commands(
        self,
        commands: Iterable[tuple[str, str]],
        at: datetime,
        records: Iterable[Record],
        *,
        answer: str | None = None,
        is_done: bool = True,
    ) -> list[int]:
        """Store commands (name and follower) and records in one transaction; return the commands' numbers.

        With an ``answer`` nobody else has to answer them.
        """
        given: dict[str, object] = {"given_at": at.timestamp()}
        if answer is not None:
            given |= {"is_done": is_done, "answer": answer, "answered_at": at.timestamp()}
        with self._transaction():
            self._write(Batch(records, self.whose))
            inserts = [tables.Commands.insert(name=name, follower=follower, **given) for name, follower in commands]
            return [int(insert.execute(self._connection)) for insert in inserts]

    def note_command(self, name: str, follower: str, answer: str, at: datetime) -> None:
        """Store a command that has been carried out already, with its answer."""
        with self._connection.atomic():
            given = {"name": name, "follower": follower, "given_at": at.timestamp()}
            done = {"is_done": 1, "answer": answer, "answered_at": at.timestamp()}
            tables.Commands.insert(**given, **done).execute(self._connection)

    def commands(self) -> list[Command]:
        """Return the unanswered commands, oldest first."""
        query = "SELECT id, name, follower, given_at FROM commands WHERE answer IS NULL ORDER BY id"
        return [Command(*row) for row in self._execute(query).fetchall()]

    def answer(self, number: int) -> Answer | None:
        """Return the answer to a command, None while there is none."""
        query = "SELECT follower, is_done, answer FROM commands WHERE id = ? AND answer IS NOT NULL"
        row = self._execute(query, number).fetchone()
        return Answer(row[0], bool(row[1]), row[2]) if row else None

    def copies(self, follower: str, since: date) -> list[Copy]:
        """Return a follower's copies of the trading days from ``since`` on."""
        query = "SELECT state, leader FROM copy_mappings WHERE follower = ? AND trade_date >= ?"
        rows = self._execute(query, follower, since.isoformat()).fetchall()
        return [read_copy(state, self.whose.known(leader)) for state, leader in rows]

    def lines(self, follower: str) -> list[Line]:
        """Return a follower's ledger."""
        query = "SELECT state, leader FROM ledger WHERE follower = ?"
        rows = self._execute(query, follower).fetchall()
        return [read_line(state, self.whose.known(leader)) for state, leader in rows]

    def holds_of(self, leader: str) -> bool:
        """Return whether anything is held by copying under a leader's name."""
        query = "SELECT 1 FROM ledger WHERE leader = ? AND held <> 0"
        return self._execute(query, leader).fetchone() is not None

    def allocations(self, follower: str, since: date) -> list[Allocation]:
        """Return a follower's allocations of the trading days from ``since`` on."""
        query = "SELECT state, leader FROM allotments WHERE follower = ? AND trade_date >= ?"
        rows = self._execute(query, follower, since.isoformat()).fetchall()
        return [read_allocation(state, self.whose.known(leader)) for state, leader in rows]

    def undecided(self, follower: str, leader: str, since: datetime) -> list[Order]:
        """Return a leader's orders of his last two days, placed from ``since`` on, of which a follower has no row."""
        name = self.whose.stored(leader)
        rows = self._execute(UNDECIDED, name, name, follower).fetchall()
        orders = [read_order(state, leader) for (state,) in rows]
        return [order for order in orders if (order.created_at or order.observed_at) >= since and not order.is_ours]

    def requests_since(self, moment: datetime) -> list[tuple[str, float]]:
        """Return the account and the answer's time (epoch seconds) of each request to the broker since ``moment``."""
        query = "SELECT account, ts FROM audit_log WHERE ts >= ? AND account <> ?"
        return [(account, ts) for account, ts in self._execute(query, moment.timestamp(), BOARD).fetchall()]

    def durability(self) -> tuple[str, str]:
        """Return SQLite's journal mode and synchronous level in force; two empty texts for other databases."""
        if not self._is_sqlite:
            return "", ""
        (outbox,) = self._execute("PRAGMA journal_mode").fetchone()
        (level,) = self._execute("PRAGMA synchronous").fetchone()
        return outbox, ("off", "normal", "full", "extra")[level]

    def make_room(self) -> None:
        """Extend SQLite's write-ahead log, which makes commits faster. Raises OSError."""
        if self._is_sqlite:
            write_ahead_log.extend(Path(self._connection.database))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _execute(self, query: str, *parameters: object) -> Cursor:
        """Run a query with ``?`` for each parameter."""
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
    return postgres.connection_to(database)
