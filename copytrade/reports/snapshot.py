"""A database as it is at one moment, for reading only, with the write-ahead log of intents applied.

A copier may run meanwhile. After a crash and until the next start, its last intents are in the table ``intents`` alone.
So temporary views shadow the tables that intents change: a query of ``copy_mappings`` reads the table with the intents
applied. The views belong to the connection and end with it. Nothing in the database is changed or created.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import apsw
import peewee
from playhouse import db_url

from copytrade.storage import sqlite
from copytrade.storage.database import DatabaseUnusable
from copytrade.storage.intent_log import IntentsUnusable, intended
from copytrade.storage.leader_names import NAMES, ONLY, LeaderNames, leader_key, names_of
from copytrade.storage.migrations import SCHEMA_VERSION
from copytrade.storage.rows import Row
from copytrade.storage.schema import ALL, Config, CopyMappings
from copytrade.storage.sql import keys_of
from copytrade.storage.write_batch import Batch


@contextmanager
def open_to_read(database: str) -> Iterator[peewee.Database]:
    """Open a file or a database URL for reading, in one transaction: everything is read as of one moment.

    Raises DatabaseUnusable if there is none, it is not a copier's, or reading fails.
    """
    try:
        connection = _connect(database)
        with connection.connection_context(), connection.atomic():
            _recognise(connection, shown(database))
            for model, rows in Batch(intended(connection.cursor()), leader_names(connection)).rows():
                _apply(connection, model, rows)
            yield connection
    except (peewee.PeeweeException, apsw.Error, OSError, RuntimeError, ValueError, IntentsUnusable) as error:
        raise DatabaseUnusable(f"{shown(database)}: cannot be read as a copier's database: {error}") from None


def rows_of(connection: peewee.Database, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Run a query with ``?`` for each parameter; return its rows."""
    rows: list[tuple[Any, ...]] = connection.execute_sql(query.replace("?", connection.param), parameters).fetchall()
    return rows


def leader_names(connection: peewee.Database) -> LeaderNames:
    """Return what leaders are called in the tables."""
    keep = "SELECT key, value FROM config WHERE key IN (?, ?)"
    kept = {str(key): str(value) for key, value in rows_of(connection, keep, NAMES, ONLY)}
    only = rows_of(connection, "SELECT value FROM config WHERE key = ?", leader_key(kept.get(ONLY, "")))
    return names_of(kept.get(NAMES), only[0][0] if only else None)


def shown(database: str) -> str:
    """Return a path or URL without its password."""
    return re.sub(r"://.*@", "://", database)


def _connect(database: str) -> peewee.Database:
    file = sqlite.file_of(database)
    if file is not None:
        return sqlite.connected_to_read(file)
    connection: peewee.Database = db_url.connect(database, unquote_password=True, autoconnect=False)
    return connection


def _recognise(connection: peewee.Database, database: str) -> None:
    missing = {model._meta.table_name for model in ALL} - set(connection.get_tables())
    if Config._meta.table_name not in missing:
        for (version,) in rows_of(connection, "SELECT value FROM config WHERE key = ?", "schema_version"):
            if version != str(SCHEMA_VERSION):
                raise DatabaseUnusable(
                    f"{database}: has tables of version {version}, this program reads version {SCHEMA_VERSION}"
                )
    if missing:
        raise DatabaseUnusable(f"{database}: is no copier's database: it has no table {', '.join(sorted(missing))}")


def _apply(connection: peewee.Database, model: type[peewee.Model], rows: Sequence[Row]) -> None:
    """Shadow a table with a temporary view of the same name: these rows, and those that they do not replace.

    In the view ``main`` names SQLite's table; elsewhere the table's bare name is resolved before the view exists.
    """
    table, columns = model._meta.table_name, ", ".join(field.column_name for field in model._meta.sorted_fields)
    written = f"main.{table}" if isinstance(connection, peewee.SqliteDatabase) else table
    same = [f"newer.{key} = written.{key}" for key in keys_of(model)]
    if model is CopyMappings:  # as deletion_of_dispositions: an order that is sent replaces why it was not
        same[-1] = f"({same[-1]} OR (newer.n = 1 AND written.n = 0))"
    connection.execute_sql(f"CREATE TEMPORARY TABLE intended_{table} AS SELECT {columns} FROM {written} WHERE 1 = 0")
    places = ", ".join([connection.param] * len(rows[0]))
    connection.cursor().executemany(f"INSERT INTO intended_{table} VALUES ({places})", rows)
    connection.execute_sql(
        f"CREATE TEMPORARY VIEW {table} AS SELECT {columns} FROM intended_{table}"
        f" UNION ALL SELECT {columns} FROM {written} AS written WHERE NOT EXISTS"
        f" (SELECT 1 FROM intended_{table} AS newer WHERE {' AND '.join(same)})"
    )
