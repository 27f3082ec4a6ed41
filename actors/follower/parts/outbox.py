"""One follower's records, until the store is told to write them."""

from collections.abc import Iterable

from msgspec.structs import replace

from actors.follower.messages import FollowerInbox
from actors.follower.parts.broker_clock import BrokerClock
from actors.messages.store import RecordIntent, StoreMessage, Write, Writer
from actors.runtime.address import Address, Recipient
from copytrade.core.engine.copies import dry_run as shadow
from copytrade.core.engine.engine import Changed, CopyEngine
from copytrade.core.model.copies import Copy, Stage
from copytrade.core.model.ledger import Allocation, Line
from copytrade.core.model.orders import IST, Order
from copytrade.core.model.reasons import Reason
from copytrade.reports.log_lines import order_log
from copytrade.storage.records import CopyChanged, LedgerChanged, Record


class Outbox:
    """A part of a follower, in its thread. In a dry run nothing is recorded of orders that were not sent."""

    def __init__(
        self,
        address: Address[FollowerInbox],
        writer: Writer,
        store: Recipient[StoreMessage],
        engine: CopyEngine,
        clock: BrokerClock,
        *,
        dry_run: bool,
    ) -> None:
        self._address = address
        self._writer = writer
        self._store = store
        self._engine = engine
        self._now = clock.now
        self._dry_run = dry_run
        self._unwritten: list[Record] = []

    def note(self, *changes: Changed | None) -> None:
        """Log changes of copies, and keep them to be written."""
        for changed in changes:
            if changed is not None and changed.after != changed.before:
                order_log.changed(changed)
                record = self._to_write(CopyChanged(changed.after, changed.leader, self._now()))
                if record is not None:
                    self._unwritten.append(record)

    def add(self, *records: Record) -> None:
        """Keep records to be written."""
        self._unwritten += records

    def cannot_read(self, order_id: str, what: str, leader: str) -> None:
        """Record that an order of a leader is not copied because it cannot be read."""
        if order_id in self._engine.orders:
            return  # it could be read earlier: its copies say what became of it
        now = self._now()
        day = now.astimezone(IST).date()
        copy = Copy(order_id, self._address.name, day, now, reason=Reason.UNREADABLE, error=what, leader=leader)
        order_log.unreadable(copy)
        self._unwritten.append(CopyChanged(copy, None, now))

    def intend(self, token: int, copy: Copy, leader: Order) -> None:
        """Have the store record a request that is about to be sent, with all that it rests on."""
        record = CopyChanged(copy, leader, self._now())
        self._store.tell(RecordIntent(record, self._take_unwritten(), token, self._writer, self._address))

    def write(self) -> None:
        """Have everything written that came of a message, unless an intent has taken it along."""
        if records := self._take_unwritten():
            self._store.tell(Write(records, self._writer))

    def write_everything(self) -> None:
        """Have all copies and the ledger written again: a store that died may have lost some."""
        held = self._ledger_records(self._engine.positions.ledger.everything())
        copies = [CopyChanged(copy, leader, self._now()) for copy, leader in self._engine.everything()]
        self._store.tell(Write((*held, *filter(None, map(self._to_write, copies))), self._writer))

    def _take_unwritten(self) -> tuple[Record, ...]:
        """Return unwritten records, the ledger first, because copies refer to it."""
        held = self._engine.positions.ledger.take_unwritten()
        if not held and not self._unwritten:
            return ()
        unwritten, self._unwritten = self._unwritten, []
        return (*self._ledger_records(held), *unwritten)

    def _ledger_records(self, entries: Iterable[Line | Allocation]) -> list[Record]:
        """Return records of the ledger; none in a dry run, where nothing of it happened."""
        now = self._now()
        return [] if self._dry_run else [LedgerChanged(self._address.name, one, now) for one in entries]

    def _to_write(self, changed: CopyChanged) -> CopyChanged | None:
        """Return what is written of a copy.

        In a dry run nothing is written of a copy that is open: the ledger counts its fills when it has ended.
        """
        copy = changed.copy
        if not self._dry_run:
            return changed
        if shadow.is_shadow(copy):
            return replace(changed, copy=shadow.recorded(copy))
        return changed if copy.stage is Stage.NONE else None
