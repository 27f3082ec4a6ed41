"""A PostgreSQL server as the database: one store at a time, and what became of a commit whose answer was lost.

The lock is an advisory one of the store's own connection. It ends with the connection, so a store that has lost it
writes nothing, and no entry leaves, until it has connected again and has the lock again.
"""

import os
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from uuid import uuid4

import peewee
from playhouse import db_url

from copytrade.storage.records import Record

#: The advisory lock of a database's store.
_LOCK = 0x636F7079

#: How this process shows itself to the server.
_PROCESS = f"copytrade {socket.gethostname()} {os.getpid()} {uuid4().hex[:8]}"

#: The key in ``config`` of the last commit.
_LAST_COMMIT = "last_commit"

#: Seconds within which a connection of an earlier store of this process ends.
_ENDS_WITHIN = 2.0

#: How connections are made: a server that is gone is noticed after some seconds, and a statement never hangs.
_OPTIONS = {
    "application_name": _PROCESS[:63],
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "options": "-c statement_timeout=10000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=60000",
}

_HOLDER = (
    "SELECT pid, application_name FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = %s AND objsubid = 1"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class TakenByAnother(Exception):
    """Another process has the database; the message says which."""


def is_server(database: str) -> bool:
    """Whether a database is one of a PostgreSQL server."""
    return database.startswith(("postgres://", "postgresql://"))


def connection_to(database: str) -> peewee.Database:
    """Return a connection to a server's database, not connected yet. Raises RuntimeError if the driver is missing."""
    if is_server(database):
        try:
            import psycopg  # noqa: F401, PLC0415 (an optional package)
        except ImportError:
            raise RuntimeError("it needs the package psycopg: pip install 'copytrade[postgres]'") from None
    options = _OPTIONS if is_server(database) else {}
    found: peewee.Database = db_url.connect(
        database, unquote_password=True, autoconnect=False, thread_safe=False, **options
    )
    return found


def holder_of(database: str) -> str:
    """Return which process copies with a server's database, "" if none does. Raises peewee's errors."""
    connection = connection_to(database)
    with connection.connection_context():
        row = connection.execute_sql(_HOLDER, (_LOCK,)).fetchone()
    return "" if row is None else str(row[1])


class ServerHold:
    """A store's hold on a server's database."""

    def __init__(self, connection: peewee.Database) -> None:
        self._connection = connection
        self._mark = ""
        self._marked: tuple[Record, ...] = ()

    def take(self) -> None:
        """Take the lock, from an earlier store of this process too. Raises TakenByAnother."""
        ends = time.monotonic() + _ENDS_WITHIN
        while not self._is_taken():
            row = self._connection.execute_sql(_HOLDER, (_LOCK,)).fetchone()
            if row is not None and row[1] != _OPTIONS["application_name"]:
                raise TakenByAnother(f"another process copies with this database: {row[1]}")
            if time.monotonic() > ends:
                raise TakenByAnother("an earlier connection to this database does not end")
            if row is not None:
                self._connection.execute_sql("SELECT pg_terminate_backend(%s)", (row[0],))
            time.sleep(_ENDS_WITHIN / 40)

    def see(self) -> None:
        """Connect again if the connection was lost, and take the lock again. Raises TakenByAnother."""
        if not self._connection.is_closed() and not self._connection.connection().closed:
            return
        with suppress(peewee.PeeweeException):
            self._connection.close()
        self._connection.connect()
        self.take()

    def not_committed(self, records: Iterable[Record]) -> list[Record]:
        """Return the records of a batch without those of the last one, if that was committed and nobody said so."""
        left = list(records)
        if self._mark:
            query = "SELECT 1 FROM config WHERE key = %s AND value = %s"
            if self._connection.execute_sql(query, (_LAST_COMMIT, self._mark)).fetchone():
                known = {id(record) for record in self._marked}
                left = [record for record in left if id(record) not in known]
        self._mark, self._marked = uuid4().hex, tuple(left)
        return left

    def mark(self) -> None:
        """Write down which batch this transaction commits."""
        self._connection.execute_sql(
            "INSERT INTO config (key, value) VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (_LAST_COMMIT, self._mark),
        )

    def is_committed(self) -> None:
        """Note that the server has said so."""
        self._mark, self._marked = "", ()

    def _is_taken(self) -> bool:
        (taken,) = self._connection.execute_sql("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
        return bool(taken)
