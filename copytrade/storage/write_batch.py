"""What is written in one transaction: records by table, and in the order in which they have to be written."""

from collections.abc import Iterable, Iterator

import peewee

from copytrade.core.model.ledger import Allocation, Line
from copytrade.storage import schema as tables
from copytrade.storage.audit_chain import AUDIT_HEAD, chained
from copytrade.storage.copy_row import CopyRow
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


class Batch:
    """Records by table, each row once and as it was last."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.orders: list[OrderChanged] = []
        #: Of what has been sent after all: the keys of the rows that said why it was not.
        self.sent: list[Row] = []
        #: What came of commands.
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
                self._ledger[follower, line.key] = line_row(follower, line, at)
            case LedgerChanged(follower, Allocation() as allocation, at):
                self._allocations[allocation.leader_order_id, follower, allocation.trade_date] = allocation_row(
                    follower, allocation, at
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
        """Return what is told of orders, each order once a round: what is news depends on what was told before."""
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
        """Whether there is anything for the audit trail."""
        return bool(self._requests)

    def chain(self, previous: str) -> None:
        """Chain the requests to the hash written last; to be read in the transaction that writes them.

        A commit of an actor that was replaced meanwhile may have come in between, so it is not kept in memory.
        """
        self._requests = chained(previous, self._requests)
        self._config[AUDIT_HEAD] = (AUDIT_HEAD, self._requests[-1][-1])

    def rows(self) -> Iterator[tuple[type[peewee.Model], list[Row]]]:
        """Return what is to be written to each table to which anything is."""
        if self._ledger:
            yield tables.Ledger, list(self._ledger.values())
        if self._allocations:
            yield tables.Allocations, list(self._allocations.values())
        if self._copies:
            yield tables.CopyMappings, [CopyRow.of(record).stored() for record in self._copies.values()]
        if self._requests:
            yield tables.AuditLog, self._requests
        if self._config:
            yield tables.Config, list(self._config.values())
