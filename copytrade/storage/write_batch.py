"""The records of one transaction, sorted by table and in the order in which they have to be written."""

from collections.abc import Iterable, Iterator

import peewee

from copytrade.core.model.ledger import Allocation, Line
from copytrade.storage import schema as tables
from copytrade.storage.audit_chain import AUDIT_HEAD, chained
from copytrade.storage.copies_table import CopyRow
from copytrade.storage.leader_names import LeaderNames
from copytrade.storage.records import (
    CommandAnswered,
    ConfigSet,
    CopyChanged,
    LedgerChanged,
    OrderChanged,
    Record,
    RequestMade,
)
from copytrade.storage.rows import Row, allocation_row, disposition_key, line_row, request_row

NAMELESS = LeaderNames()


class Batch:
    """Records by table; each row once, in its latest state."""

    def __init__(self, records: Iterable[Record], whose: LeaderNames = NAMELESS) -> None:
        """``whose`` says what the leaders of the records are called."""
        self._whose = whose
        self.orders: list[OrderChanged] = []
        #: Keys of the rows (``n`` 0) to remove, because an order was sent after all.
        self.sent: list[Row] = []
        #: Answers to commands.
        self.answers: list[Row] = []
        self._copies: dict[Row, CopyChanged] = {}
        self._ledger: dict[Row, Row] = {}
        self._allocations: dict[Row, Row] = {}
        self._requests: list[Row] = []
        self._config: dict[str, Row] = {}
        for record in records:
            self._take(record)

    def _take(self, record: Record) -> None:
        match record:
            case CopyChanged(copy):
                key = disposition_key(copy)
                if copy.n == 1:
                    self.sent.append(key)
                    self._copies.pop((*key, 0), None)
                self._copies[*key, copy.n] = record
            case LedgerChanged(follower, Line() as line, at):
                leader = self._whose.stored(line.key.leader)
                self._ledger[follower, leader, line.key.account] = line_row(follower, leader, line, at)
            case LedgerChanged(follower, Allocation() as allocation, at):
                leader = self._whose.stored(allocation.line.leader)
                self._allocations[allocation.leader_order_id, follower, allocation.trade_date] = allocation_row(
                    follower, leader, allocation, at
                )
            case OrderChanged():
                self.orders.append(record)
            case RequestMade():
                self._requests.append(request_row(record))
            case ConfigSet(key=name, value=value):
                self._config[name] = (name, value)
            case CommandAnswered(number, is_done, answer, at):
                self.answers.append((int(is_done), answer, at.timestamp(), number))

    def rounds(self) -> Iterator[list[OrderChanged]]:
        """Return the changes of orders in rounds, each order once per round: an event depends on the one before."""
        rest = self.orders
        while rest:
            once: dict[tuple[str, str], OrderChanged] = {}
            again = []
            for record in rest:
                key = record.account, record.order.id
                if key in once:
                    again.append(record)
                else:
                    once[key] = record
            yield list(once.values())
            rest = again

    @property
    def has_requests(self) -> bool:
        """Whether there are rows for the audit trail."""
        return bool(self._requests)

    def chain(self, previous: str) -> None:
        """Chain the requests to ``previous``, the hash written last.

        Read it in the same transaction, not from memory: a replaced store may have committed in between.
        """
        self._requests = chained(previous, self._requests)
        self._config[AUDIT_HEAD] = (AUDIT_HEAD, self._requests[-1][-1])

    def rows(self) -> Iterator[tuple[type[peewee.Model], list[Row]]]:
        """Return the rows of each table that has any."""
        if self._ledger:
            yield tables.Ledger, list(self._ledger.values())
        if self._allocations:
            yield tables.Allocations, list(self._allocations.values())
        if self._copies:
            yield tables.CopyMappings, [CopyRow.of(record, self._whose).stored() for record in self._copies.values()]
        if self._requests:
            yield tables.AuditLog, self._requests
        if self._config:
            yield tables.Config, list(self._config.values())
