"""The database: records in, copies and answers out. Used by one thread at a time."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol, assert_never

import peewee
from playhouse import db_url
from pydantic import TypeAdapter

from copytrade import tables
from copytrade.copies import Copy
from copytrade.instance import without_password
from copytrade.ledger import Allotment, Line
from copytrade.migrations import SCHEMA_VERSION, steps_from
from copytrade.orders import IST, Order, trade_date
from copytrade.records import ConfigSet, CopyChanged, LedgerChanged, OrderChanged, Record, RequestMade

#: Rows of these are renewed; the others only grow.
_RENEWED = (tables.Orders, tables.CopyMappings, tables.Ledger, tables.Allotments, tables.Config)

_COPY = TypeAdapter(Copy)
_ORDER = TypeAdapter(Order)
_LINE = TypeAdapter(Line)
_ALLOTMENT = TypeAdapter(Allotment)


class Cursor(Protocol):
    """What a query gives: DB-API rows."""

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""
        ...

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the rows that are left."""
        ...


class DatabaseUnusable(Exception):
    """The database cannot be used: the message says which, why and what to do."""


#: What a database that is locked, full or broken raises; while rows are fetched peewee does not wrap SQLite's errors.
DATABASE_ERRORS: tuple[type[Exception], ...] = (peewee.PeeweeException, sqlite3.Error, OSError, DatabaseUnusable)


@dataclass(frozen=True, slots=True)
class CopyRow:
    """A copy as the session's summary counts it. Prices in rupees a unit."""

    follower: str
    status: str
    reason: str | None
    latency_ms: float | None
    slippage: float | None
    quantity: int


class Database:
    """All tables behind one connection. Raises DatabaseUnusable from the constructor, peewee's errors afterwards."""

    def __init__(self, database: str, *, synchronous: str = "full") -> None:
        self._name = without_password(database)
        try:
            self._connection = _connect(database, synchronous)
            self._connection.connect()
            with self._connection.bind_ctx(tables.ALL):
                self._connection.create_tables(tables.ALL, safe=True)
        except (peewee.PeeweeException, OSError, RuntimeError) as error:
            raise DatabaseUnusable(
                f"{self._name}: cannot be opened as a database: {type(error).__name__}: {error}"
            ) from None
        self._statements: dict[type[peewee.Model], str] = {
            model: _upsert(self._connection, model) if model in _RENEWED else _insert(self._connection, model)
            for model in tables.ALL
        }
        self._forget_disposition = _delete_disposition(self._connection)

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
        except (peewee.PeeweeException, sqlite3.Error) as error:
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
                self._write(ConfigSet("schema_version", str(SCHEMA_VERSION)))

    def write(self, records: Iterable[Record]) -> None:
        """Write all records in one transaction: when this returns, all of them are durable, or none was written."""
        with self._connection.atomic("IMMEDIATE") if self._is_sqlite else self._connection.atomic():
            for record in records:
                self._write(record)

    def config(self, key: str) -> str | None:
        """Return a remembered value, or None."""
        row = self._execute("SELECT value FROM config WHERE key = ?", key).fetchone()
        return None if row is None else str(row[0])

    def is_enabled(self, follower: str) -> bool:
        """Whether neither copying as a whole nor this follower's is paused."""
        query = "SELECT value FROM config WHERE key IN (?, ?)"
        rows = self._execute(query, enabled_key(""), enabled_key(follower)).fetchall()
        return all(value == "true" for (value,) in rows)

    def copies(self, follower: str, since: date) -> list[Copy]:
        """Return a follower's copies of the trading days from ``since`` on, as they were last written."""
        query = "SELECT state FROM copy_mappings WHERE follower = ? AND trade_date >= ?"
        return [_COPY.validate_json(state) for (state,) in self._execute(query, follower, since.isoformat()).fetchall()]

    def lines(self, follower: str) -> list[Line]:
        """Return a follower's ledger as it was last written."""
        query = "SELECT state FROM ledger WHERE follower = ?"
        return [_LINE.validate_json(state) for (state,) in self._execute(query, follower).fetchall()]

    def allotments(self, follower: str, since: date) -> list[Allotment]:
        """Return how the leader orders of the trading days from ``since`` on were judged for a follower."""
        query = "SELECT state FROM allotments WHERE follower = ? AND trade_date >= ?"
        rows = self._execute(query, follower, since.isoformat()).fetchall()
        return [_ALLOTMENT.validate_json(state) for (state,) in rows]

    def copies_since(self, moment: datetime) -> list[CopyRow]:
        """Return every copy begun at or after ``moment``."""
        query = (
            "SELECT follower, status, reason, latency_ms, slippage, follower_filled"
            " FROM copy_mappings WHERE created_at >= ?"
        )
        return [CopyRow(*row) for row in self._execute(query, _time(moment)).fetchall()]

    def durability(self) -> tuple[str, str]:
        """Return SQLite's journal mode and synchronous setting as they are in force; empty for other databases."""
        if not self._is_sqlite:
            return "", ""
        (journal,) = self._execute("PRAGMA journal_mode").fetchone()
        (level,) = self._execute("PRAGMA synchronous").fetchone()
        return journal, ("off", "normal", "full", "extra")[level]

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

    def _write(self, record: Record) -> None:
        match record:
            case OrderChanged():
                self._write_order(record)
            case CopyChanged():
                if record.copy.n == 1:
                    self._connection.execute_sql(self._forget_disposition, _disposition_key(record.copy))
                self._connection.execute_sql(self._statements[tables.CopyMappings], _mapping(record))
            case LedgerChanged(follower, entry, at):
                if isinstance(entry, Line):
                    self._connection.execute_sql(self._statements[tables.Ledger], _line(follower, entry, at))
                else:
                    self._connection.execute_sql(self._statements[tables.Allotments], _allotment(follower, entry, at))
            case RequestMade():
                self._connection.execute_sql(
                    self._statements[tables.AuditLog],
                    (
                        record.action,
                        record.account,
                        record.request,
                        record.response,
                        record.status_code,
                        record.duration_ms,
                        record.at.timestamp(),
                    ),
                )
            case ConfigSet(key, value):
                self._connection.execute_sql(self._statements[tables.Config], (key, value))
            case _:
                assert_never(record)

    def _write_order(self, record: OrderChanged) -> None:
        order = record.order
        is_news = self._is_news(record)
        self._connection.execute_sql(
            self._statements[tables.Orders],
            (
                order.id,
                record.account,
                record.account_type,
                trade_date(order).isoformat(),
                order.correlation_id,
                order.status,
                order.side,
                order.product,
                order.order_type,
                order.validity,
                order.key.security_id,
                order.key.segment,
                order.symbol,
                order.quantity,
                order.filled_quantity,
                order.disclosed_quantity,
                float(order.price),
                float(order.trigger_price),
                float(order.average_price),
                order.reason,
                _time(order.created_at or order.observed_at),
                _time(order.updated_at or order.created_at or order.observed_at),
            ),
        )
        if not is_news:
            return
        event = _ORDER.dump_json(order, exclude_defaults=True).decode()
        self._connection.execute_sql(
            self._statements[tables.OrderEvents],
            (order.id, record.account, order.status.lower(), event, order.observed_at.timestamp()),
        )

    def _is_news(self, record: OrderChanged) -> bool:
        """Whether an order is not what it was: after a restart every order of the day is told of again."""
        order = record.order
        query = (
            "SELECT status, quantity, filled_quantity, price, trigger_price, average_price, order_type, validity,"
            " disclosed_quantity, reason FROM orders WHERE id = ? AND account = ? AND trade_date = ?"
        )
        row = self._execute(query, order.id, record.account, trade_date(order).isoformat()).fetchone()
        known: tuple[object, ...] = tuple(row) if row else ()
        return known != (
            order.status,
            order.quantity,
            order.filled_quantity,
            float(order.price),
            float(order.trigger_price),
            float(order.average_price),
            order.order_type,
            order.validity,
            order.disclosed_quantity,
            order.reason,
        )


def enabled_key(follower: str) -> str:
    """Return the key in ``config`` that pauses a follower, or everybody for an empty name."""
    return f"copy_enabled.{follower}" if follower else "copy_enabled"


def _connect(database: str, synchronous: str) -> peewee.Database:
    if "://" in database:
        connection: peewee.Database = db_url.connect(database, unquote_password=True, autoconnect=False)
        return connection
    Path(database).touch(mode=0o600)
    return peewee.SqliteDatabase(
        database,
        autoconnect=False,
        pragmas={"journal_mode": "wal", "synchronous": synchronous, "foreign_keys": 1, "busy_timeout": 1000},
    )


def _columns(model: type[peewee.Model]) -> list[str]:
    return [field.column_name for field in model._meta.sorted_fields if not isinstance(field, peewee.AutoField)]


def _insert(connection: peewee.Database, model: type[peewee.Model]) -> str:
    columns = _columns(model)
    values = ", ".join([connection.param] * len(columns))
    return f"INSERT INTO {model._meta.table_name} ({', '.join(columns)}) VALUES ({values})"


def _upsert(connection: peewee.Database, model: type[peewee.Model]) -> str:
    """Build the statement that inserts a row or renews it, keeping ``created_at`` as it was first written."""
    primary = model._meta.primary_key
    keys = list(primary.field_names) if isinstance(primary, peewee.CompositeKey) else ["key"]
    renewed = [column for column in _columns(model) if column not in (*keys, "created_at")]
    changes = ", ".join(f"{column} = excluded.{column}" for column in renewed)
    return f"{_insert(connection, model)} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"


def _delete_disposition(connection: peewee.Database) -> str:
    """Build the statement that removes the row of an order not sent, once one is sent after all."""
    mark = connection.param
    return (
        f"DELETE FROM copy_mappings WHERE leader_order_id = {mark} AND follower = {mark}"
        f" AND trade_date = {mark} AND n = 0"
    )


def _disposition_key(copy: Copy) -> tuple[str, str, str]:
    return copy.leader_order_id, copy.follower, copy.trade_date.isoformat()


def _line(follower: str, line: Line, at: datetime) -> tuple[object, ...]:
    return (
        follower,
        line.key.key.segment,
        line.key.key.security_id,
        line.key.product,
        line.leader_position,
        line.held,
        line.level,
        float(line.ratio.value) if line.ratio else None,
        _LINE.dump_json(line).decode(),
        _time(at),
        _time(at),
    )


def _allotment(follower: str, allotment: Allotment, at: datetime) -> tuple[object, ...]:
    return (
        allotment.leader_order_id,
        follower,
        allotment.trade_date.isoformat(),
        allotment.role,
        allotment.base,
        allotment.wanted,
        _ALLOTMENT.dump_json(allotment).decode(),
        _time(at),
        _time(at),
    )


def _mapping(record: CopyChanged) -> tuple[object, ...]:
    copy, leader = record.copy, record.leader
    slippage = copy.slippage(copy.side(leader))
    return (
        copy.leader_order_id,
        copy.follower,
        copy.trade_date.isoformat(),
        copy.n,
        copy.part,
        copy.order_id,
        copy.correlation_id,
        leader.quantity,
        copy.wish.quantity if copy.wish else 0,
        copy.filled_quantity,
        copy.strategy,
        float(copy.ratio.value) if copy.ratio else None,
        copy.arithmetic,
        copy.status,
        copy.reason,
        copy.error,
        _rupees(copy.leader_price or leader.price),
        _rupees(copy.follower_price or (copy.wish.price if copy.wish else None)),
        float(slippage) if slippage is not None else None,
        float(slippage * copy.filled_quantity) if slippage is not None else None,
        float(slippage / copy.leader_price * 10_000) if slippage is not None else None,
        copy.latency_ms,
        copy.fill_ms,
        copy.modifications,
        _COPY.dump_json(copy).decode(),
        _time(copy.created_at),
        _time(record.at),
    )


def _rupees(price: Decimal | None) -> float | None:
    return float(price) if price else None


def _time(moment: datetime) -> str:
    return moment.astimezone(IST).isoformat(sep=" ", timespec="milliseconds")
