"""SQL that writes many rows at once, built from the models of the tables."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Protocol

import peewee

from copytrade.storage.rows import Row

#: Maximum rows per statement. Fewer rows use statements of half the size and so on, so few statements are prepared.
ROWS_AT_MOST = 64


class Cursor(Protocol):
    """A database cursor, as far as apsw and the DB-API drivers agree."""

    def execute(self, statement: str, parameters: Row, /) -> Any:
        """Run a statement."""
        ...

    def executemany(self, statement: str, rows: Sequence[Row], /) -> Any:
        """Run a statement for each of some rows."""
        ...

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""
        ...

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the rows that are left."""
        ...


class Insert:
    """The statement that inserts rows of a table; with ``renews`` it updates existing rows, but not ``created_at``."""

    def __init__(self, connection: peewee.Database, model: type[peewee.Model], *, renews: bool) -> None:
        columns = [field.column_name for field in model._meta.sorted_fields if not isinstance(field, peewee.AutoField)]
        self._head = f"INSERT INTO {model._meta.table_name} ({', '.join(columns)}) VALUES "
        self._row = f"({', '.join([connection.param] * len(columns))})"
        self._tail = _renewal(model, columns) if renews else ""
        self._known: dict[int, str] = {}

    def of(self, rows: Sequence[Row]) -> Iterator[tuple[str, Row]]:
        """Return statements with their parameters that write the rows, in order."""
        size, begin = ROWS_AT_MOST, 0
        while begin < len(rows):
            while size > len(rows) - begin:
                size //= 2
            yield self._statement(size), tuple(chain.from_iterable(rows[begin : begin + size]))
            begin += size

    def _statement(self, rows: int) -> str:
        if rows not in self._known:
            self._known[rows] = self._head + ", ".join([self._row] * rows) + self._tail
        return self._known[rows]


def _renewal(model: type[peewee.Model], columns: Sequence[str]) -> str:
    keys = keys_of(model)
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns if column not in (*keys, "created_at"))
    return f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"


def keys_of(model: type[peewee.Model]) -> list[str]:
    """Return the columns of a table's primary key."""
    return [field.column_name for field in model._meta.get_primary_keys()]


#: Columns that make an order event new. After a restart the broker reports all of today's orders again.
NEWS = (
    "status",
    "quantity",
    "filled_quantity",
    "price",
    "trigger_price",
    "average_price",
    "order_type",
    "validity",
    "disclosed_quantity",
    "reason",
)


#: A leader's orders of his last two days for which a follower has no row, each as its last event has it.
UNDECIDED = (
    "SELECT (SELECT event_data FROM order_events WHERE order_id = orders.id AND account = orders.account"
    " ORDER BY id DESC LIMIT 1) FROM orders WHERE account = ?"
    " AND trade_date IN (SELECT DISTINCT trade_date FROM orders WHERE account = ? ORDER BY trade_date DESC LIMIT 2)"
    " AND NOT EXISTS (SELECT 1 FROM copy_mappings WHERE leader_order_id = orders.id AND follower = ?"
    " AND copy_mappings.trade_date = orders.trade_date)"
)


def news_of_order(connection: peewee.Database) -> str:
    """Return the statement that adds an event of an order, unless nothing is new.

    Its parameters are the event's row, the order's key in ``orders``, and the values of :data:`NEWS`.
    """
    mark = connection.param
    known = " AND ".join(f"{column} = {mark}" for column in ("id", "account", "trade_date", *NEWS))
    return (
        "INSERT INTO order_events (order_id, account, event_type, event_data, event_ts)"
        f" SELECT {', '.join([mark] * 5)} WHERE NOT EXISTS (SELECT 1 FROM orders WHERE {known})"
    )


def deletion_of_dispositions(connection: peewee.Database) -> str:
    """Return the statement that removes the row of an order not sent (``n`` 0), once one is sent."""
    mark = connection.param
    return (
        f"DELETE FROM copy_mappings WHERE leader_order_id = {mark} AND follower = {mark}"
        f" AND trade_date = {mark} AND n = 0"
    )


def answer_to_command(connection: peewee.Database) -> str:
    """Return the statement that answers a command that has no answer yet."""
    mark = connection.param
    return (
        f"UPDATE commands SET is_done = {mark}, answer = {mark}, answered_at = {mark}"
        f" WHERE id = {mark} AND answer IS NULL"
    )
