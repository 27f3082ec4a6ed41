"""Commits records in groups, and keeps them while the database fails."""

import time
from collections.abc import Sequence

from loguru import logger

from actors.messages.store import Committed, IntentRecorded, RecordIntent, Write, Writer
from actors.runtime.address import Address, Health, Recipient
from actors.runtime.timers import Clock
from actors.store.messages import Flush, Linger, StoreInbox
from copytrade.common.logs import alert, fields, over
from copytrade.core.model.ledger import Part
from copytrade.storage.database import DATABASE_ERRORS, Database
from copytrade.storage.files.fallback_file import SideFile
from copytrade.storage.intent_log import Intended
from copytrade.storage.records import CommandAnswered, CopyChanged, LedgerChanged, Record, RequestMade

#: Seconds that records wait for company if nobody waits for them.
LINGER = 0.05

#: Seconds that an intent waits at most while its thread has other things to do: they may bring more intents.
GATHER = 0.005

#: Seconds before a failed commit is tried again.
RETRY_AFTER = 0.5


class GroupCommit:
    """A part of the store, in its thread.

    The first intent of a batch makes the store tell itself ``Flush``. Intents that arrive before it join the batch, so
    a burst costs one commit and a lone intent waits for nobody. What a writer told before its intent of its copies and
    its ledger is committed with it. Intents are made durable as they are; their rows, and all other records, linger a
    little, so that they do not delay the next intent and its order.

    While the database fails everything is kept, in memory and in the side file. The side file is durable too, but only
    exits leave because of it.
    """

    def __init__(
        self,
        address: Address[StoreInbox],
        epoch: int,
        health: Health,
        clock: Clock,
        database: Database,
        side: SideFile,
        publisher: Recipient[Committed] | None = None,
    ) -> None:
        """``publisher`` is told all that is committed."""
        self._publisher = publisher
        self._address = address
        self._epoch = epoch
        self._health = health
        self._clock = clock
        self._database = database
        self._side_file = side
        self._waiting: list[tuple[str, Record]] = []
        self._intents: list[RecordIntent] = []
        self._lingers = False
        #: How many of those that wait are in the side file, from the first on.
        self._aside = 0
        self._tries_again = False
        self._side_file_fails = False
        #: How many records have been committed, in how many transactions.
        self.committed = self.batches = 0

    @property
    def has_waiting(self) -> bool:
        """Whether records wait to be written."""
        return bool(self._waiting)

    def intend(self, intent: RecordIntent) -> None:
        """Commit an intent soon, with the records that it rests on."""
        if not self._intents:
            self._address.tell_when_idle(Flush(), GATHER)
        self._intents.append(intent)
        self._waiting += [(intent.writer.name, one) for one in (*intent.records, intent.record)]

    def write(self, records: Sequence[Record], writer: str) -> None:
        """Commit records in a while."""
        self._linger()
        self._waiting += [(writer, record) for record in records]

    def write_at_once(self, record: Record) -> None:
        """Commit a record of the store's own with the next message."""
        self._waiting.append((self._address.name, record))
        self._address.tell(Flush(everything=True))

    def flush(self, message: Flush) -> None:
        """Commit what the message says."""
        self._tries_again = self._tries_again and not message.again
        self.commit(everything=message.everything, again=message.again)

    def commit(self, *, everything: bool = True, again: bool = False) -> None:
        """Write all that waits, or make the waiting intents durable; a database that fails has to take it all.

        While it fails it is tried only ``again``; what comes meanwhile goes to the side file. A store that hung, and
        has been replaced, commits nothing.
        """
        self._lingers = self._lingers and not everything
        if not self._is_current:
            self._hand_over()
            return
        if self._health.state == "failing" and not again:
            self._put_aside()
            return
        try:
            if everything or self._health.state == "failing":
                self._write_everything()
            else:
                self._make_durable()
        except DATABASE_ERRORS as error:
            self.fails(error)

    def close(self) -> None:
        """Commit what is left, and say what cannot be."""
        self.commit(again=True)
        if not self._is_current:  # its successor has been told everything again
            return
        if len(self._waiting) > self._aside:
            alert("lost", "", "Records lost, the database still fails {}", fields(records=len(self._waiting)))
        elif self._waiting:
            kept = fields(records=len(self._waiting), file=self._side_file.path)
            logger.error("Database still failing, records kept for the next start {}", kept)

    def fails(self, reason: Exception) -> None:
        """Keep everything and try again soon; no entry's intent is confirmed meanwhile, so no entry leaves."""
        if not self._is_current:  # it may have failed for that reason
            return
        if self._health.state != "failing":
            self._health.state = "failing"
            waiting = fields(waiting=len(self._waiting), error=f"{type(reason).__name__}: {reason}")
            alert("database", "", "Database failing, entries stop {}", waiting, level="ERROR")
        self._put_aside()
        if not self._tries_again:
            self._tries_again = True
            self._clock.tell_later(RETRY_AFTER, self._address, Flush(everything=True, again=True))

    @property
    def _is_current(self) -> bool:
        return self._address.epoch == self._epoch

    def _hand_over(self) -> None:
        """Tell the successor what nobody else tells it again: requests and answers to commands.

        It has been told of all copies and orders again, and has read the side file.
        """
        waiting = self._waiting[self._aside :]
        left = [record for _, record in waiting if isinstance(record, (RequestMade, CommandAnswered))]
        self._waiting = []
        if left:
            self._address.tell(Write(tuple(left), Writer(self._address.name, self._address.epoch)))

    def _write_everything(self) -> None:
        self._database.see_that_it_is_there()
        if self._waiting or self._database.is_behind:
            mark = [self._side_file.mark] if self._aside else []
            self._database.write([*(record for _, record in self._waiting), *mark])
            if self._aside:
                self._side_file.clear()
                self._aside = 0
            self._confirm([record for _, record in self._waiting])
        if self._health.state == "failing":
            self._health.state = "live"
            over("database", "", "Database works again {}", fields(written=len(self._waiting)), level="WARNING")
            self._side_file_works()
        self._waiting = []

    def _make_durable(self) -> None:
        """Commit the waiting intents with what they rest on; their rows, and all else, are written in a while."""
        if not self._intents:
            return
        urgent = {intent.writer.name for intent in self._intents}
        intended: list[Intended] = []
        later: list[tuple[str, Record]] = []
        for one in self._waiting:
            writer, record = one
            if writer in urgent and isinstance(record, (CopyChanged, LedgerChanged)):
                intended.append(record)
            else:
                later.append(one)
        self._database.intend(intended)
        self._waiting = later
        self._confirm(intended)
        self._linger()

    def publish(self, *records: Record) -> None:
        """Tell the publisher of records that are in the database."""
        if self._publisher is not None and records:
            self._publisher.tell(Committed(records))

    def _confirm(self, committed: Sequence[Record]) -> None:
        """Tell followers that their intents are durable."""
        self.publish(*committed)
        intents, self._intents = self._intents, []
        for intent in intents:
            intent.reply_to.tell(IntentRecorded(intent.token, intent.writer.epoch))
        self.committed += len(committed)
        self.batches += 1

    def _linger(self) -> None:
        """Have everything written in a while."""
        if not self._lingers:
            self._lingers = True
            # Told when idle, because to wake the clock would take time from an order.
            self._address.tell_when_idle(Linger(time.monotonic() + LINGER), LINGER)

    def _side_file_works(self) -> None:
        if self._side_file_fails:
            self._side_file_fails = False
            over("side_file", "", "Exits go on, records can be kept {}", fields(file=self._side_file.path))

    def _put_aside(self) -> None:
        """Keep what waits in the side file; exits may leave then."""
        if len(self._waiting) == self._aside:
            return
        try:
            self._side_file.append([record for _, record in self._waiting[self._aside :]])
        except OSError as error:
            why = fields(file=self._side_file.path, error=error)
            alert("side_file", "", "Side file failing too, exits stop {}", why)
            self._side_file_fails = True
            return
        self._side_file_works()
        self._aside = len(self._waiting)
        for intent in self._intents:
            if intent.record.copy.part is not Part.ENTRY:
                intent.reply_to.tell(IntentRecorded(intent.token, intent.writer.epoch))
        self._intents = [intent for intent in self._intents if intent.record.copy.part is Part.ENTRY]
