"""The only owner of the database."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence, Sized
from datetime import UTC, datetime, timedelta

from loguru import logger

from actors.messages.permits import RequestsLoaded
from actors.messages.store import (
    CommandGiven,
    CopiesLoaded,
    EntriesSwitched,
    FollowSwitches,
    IntentRecorded,
    LoadCopies,
    LoadRequests,
    RecordIntent,
    Write,
    Writer,
)
from actors.runtime.actor import GuardedActor, Incarnation
from actors.runtime.address import Recipient
from actors.runtime.timers import Clock
from actors.store.messages import Flush, Linger, LookForSwitches, StoreInbox
from copytrade.common import wall_clock
from copytrade.common.logs import alert, fields
from copytrade.core.decide.risk_limits import Breach
from copytrade.core.engine.retention import LOOK_BACK
from copytrade.core.model.commands import Command, breach_key
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import IST
from copytrade.storage.database import DATABASE_ERRORS, UNWRITABLE, Database, DatabaseUnusable
from copytrade.storage.files.fallback_file import SideFile
from copytrade.storage.intent_log import Intended
from copytrade.storage.records import CommandAnswered, ConfigSet, CopyChanged, LedgerChanged, Record, RequestMade

#: Seconds that what nobody waits for may wait for company.
LINGER = 0.05

#: Seconds that an intent waits at most while its thread has other things to do: they may bring more intents.
GATHER = 0.005

#: Seconds before a failed commit is tried again.
RETRY_AFTER = 0.5

#: Seconds between looks whether an operator has paused anybody.
SWITCHES_EVERY = 1.0

#: Seconds after which a command that nobody was there to take is not carried out any more.
COMMAND_LIFE = 60.0

#: Since when leader orders are copied: the first start with this database, in epoch seconds.
COPYING_SINCE = "copying_since"


class Store(GuardedActor[StoreInbox]):
    """Commits what it is told, in groups.

    The first intent of a batch tells the store itself ``Flush``; whatever intents were already waiting join the batch,
    so a burst costs one commit and a lone intent waits for nobody. What a writer told before its intent of its copies
    and its ledger is committed with it. These are made durable as they are; their rows, and everything else, linger a
    little, so that they do not stand between the next intent and its order.

    While the database fails everything is kept, in memory and in the side file; what the side file holds is durable
    too, but only exits leave on its word.
    """

    def __init__(
        self,
        life: Incarnation[StoreInbox],
        clock: Clock,
        open_database: Callable[[], Database],
        side_file: SideFile,
        first_from: Callable[[], datetime],
    ) -> None:
        super().__init__(life)
        self._clock = clock
        self._open_database = open_database
        self._waiting: list[tuple[str, Record]] = []
        self._lingers = False
        self._side_file = side_file
        self._first_from = first_from
        self._aside = 0
        self._latest: dict[str, int] = {}
        self._followers: dict[str, Recipient[CopiesLoaded | EntriesSwitched | CommandGiven]] = {}
        self._enabled: dict[str, bool] = {}
        #: Commands that have been told, each to the incarnation that its follower has now.
        self._told: dict[int, str] = {}
        self._intents: list[RecordIntent] = []
        self._tries_again = False
        self._committed = 0
        self._batches = 0

    def set_up(self) -> None:
        """Open the database in this thread, and remember since when we copy."""
        self._database = self._open_database()
        self._database.take_over()
        self._take_side_file()
        if (since := self._database.config(COPYING_SINCE)) is None:
            since = str(int(self._first_from().timestamp()))
            self._database.write([ConfigSet(COPYING_SINCE, since), ConfigSet("copy_enabled", "true")])
        self._make_room()
        self._clock.tell_later(SWITCHES_EVERY, self.address, LookForSwitches(self.epoch))
        self._copying_since = datetime.fromtimestamp(int(since), UTC)

    def receive(self, message: StoreInbox) -> None:
        """Take records in; commit; answer."""
        if isinstance(message, RecordIntent | Write | LoadCopies | FollowSwitches) and self._is_stale(message.writer):
            return
        match message:
            case RecordIntent(record, records, _, writer):
                if not self._intents:
                    self.address.tell_when_idle(Flush(), GATHER)
                self._intents.append(message)
                self._waiting += [(writer.name, one) for one in (*records, record)]
            case Write(records, writer):
                self._linger()
                self._waiting += [(writer.name, record) for record in records]
            case Linger(at):
                self._clock.tell_later(at - time.monotonic(), self.address, Flush(everything=True))
            case Flush(everything, again):
                self._tries_again = self._tries_again and not again
                self._commit(everything=everything, again=again)
            case LookForSwitches(epoch) if epoch == self.epoch:
                self._look_for_switches()
                self._clock.tell_later(SWITCHES_EVERY, self.address, message)
            case LoadCopies():
                self._commit()
                self._load(message)
            case FollowSwitches(follower, _, reply_to):
                self._followers[follower] = reply_to
                self._enabled.pop(follower, None)
            case LoadRequests():
                self._commit()
                self._load_requests(message)
            case _:
                pass

    def tear_down(self) -> None:
        """Commit what is left, and let go of the database."""
        if hasattr(self, "_database"):
            self._commit(again=True)
            if self.is_current:  # else its successor has been told everything again
                self._say_what_is_left()
            self._database.close()

    def _say_what_is_left(self) -> None:
        if len(self._waiting) > self._aside:
            lost = fields(records=len(self._waiting))
            alert("lost", "", "Records lost with the database failing {}", lost)
        elif self._waiting:
            kept = fields(records=len(self._waiting), file=self._side_file.path)
            logger.error("Database still failing, records kept for the next start {}", kept)

    def _load(self, request: LoadCopies) -> None:
        """Tell a follower what it had done, once all of that is in the database."""
        since = wall_clock.now().astimezone(IST).date() - LOOK_BACK
        try:
            if self._waiting or self._database.is_behind:
                raise DatabaseUnusable("not everything is written yet")
            loaded = CopiesLoaded(
                self._database.copies(request.follower, since),
                self._database.lines(request.follower),
                self._database.allocations(request.follower, since),
                self._copying_since,
                self._database.is_enabled(request.follower),
                self._breach_of(request.follower),
            )
        except DATABASE_ERRORS as error:
            why = fields(follower=request.follower, error=f"{type(error).__name__}: {error}")
            logger.error("Copies cannot be loaded, again in {}s {}", RETRY_AFTER, why)
            self._clock.tell_later(RETRY_AFTER, self.address, request)
            return
        self._followers[request.follower] = request.reply_to
        self._told = {number: follower for number, follower in self._told.items() if follower != request.follower}
        self._enabled[request.follower] = loaded.enabled
        request.reply_to.tell(loaded)

    def _breach_of(self, follower: str) -> Breach | None:
        text = self._database.config(breach_key(follower))
        return Breach.read(text) if text else None

    def _load_requests(self, request: LoadRequests) -> None:
        """Tell the rate limiter when the requests of the last day were answered."""
        answered: dict[str, list[float]] = defaultdict(list)
        try:
            for account, ts in self._database.requests_since(wall_clock.now() - timedelta(days=1)):
                answered[account].append(wall_clock.monotonic_of(datetime.fromtimestamp(ts, UTC)))
        except DATABASE_ERRORS as error:
            why = fields(error=f"{type(error).__name__}: {error}")
            logger.error("Requests cannot be loaded, again in {}s {}", RETRY_AFTER, why)
            self._clock.tell_later(RETRY_AFTER, self.address, request)
            return
        request.reply_to.tell(RequestsLoaded(answered))

    def _look_for_switches(self) -> None:
        """Tell each follower that has been paused or resumed since the last look, if the database is still there."""
        try:
            self._database.see_that_it_is_there()
        except DATABASE_ERRORS as error:
            self._fails(f"{type(error).__name__}: {error}")
            return
        try:
            now = self._database.are_enabled(self._followers)
            commands = self._database.commands()
        except DATABASE_ERRORS:
            return  # the next commit says what is wrong
        for follower, enabled in now.items():
            if enabled is not self._enabled.get(follower):
                self._followers[follower].tell(EntriesSwitched(enabled))
        self._enabled = now
        for command in commands:
            self._tell(command)

    def _tell(self, command: Command) -> None:
        """Tell a follower what an operator wants, once an incarnation; what is old is not done any more."""
        follower = self._followers.get(command.follower)
        if command.number in self._told:
            return
        if wall_clock.now().timestamp() - command.given_at > COMMAND_LIFE:
            answer = CommandAnswered(command.number, is_done=False, answer="nobody was there", at=wall_clock.now())
            self._waiting.append((self.address.name, answer))
            self._told[command.number] = command.follower
            self.address.tell(Flush(everything=True))
        elif follower is not None:
            self._told[command.number] = command.follower
            follower.tell(CommandGiven(command.number, command.name))

    def _make_room(self) -> None:
        try:
            self._database.make_room()
        except OSError as error:
            logger.warning("No room for the database's log, commits are slower {}", fields(error=error))

    def _take_side_file(self) -> None:
        """Write down what an earlier incarnation, or an earlier run, could not."""
        records, unreadable = self._side_file.read()
        mark = self._side_file.mark
        if mark.value and self._database.config(mark.key) == mark.value:
            records = []  # they were written, and then the program was killed
        elif records:
            unreadable += self._write_from_side_file(records)
        if unreadable:
            self._set_aside(unreadable)
        else:
            self._side_file.clear()

    def _write_from_side_file(self, records: Sequence[Record]) -> int:
        """Write records, and return of how many nothing can be made: all, if one of them fits no table."""
        try:
            self._database.write([*records, self._side_file.mark])
        except UNWRITABLE as error:
            logger.error("Records from the side file cannot be written {}", fields(error=type(error).__name__))
            return len(records)
        logger.warning("Records from the side file written {}", fields(records=len(records)))
        return 0

    def _set_aside(self, unreadable: int) -> None:
        """Keep a side file that holds what cannot be read under another name, and tell somebody."""
        try:
            aside = self._side_file.set_aside()
        except OSError as error:
            why = fields(file=self._side_file.path, error=error)
            alert("side_file", "", "Side file cannot be read, nor set aside {}", why)
        else:
            found = fields(unreadable=unreadable, file=aside)
            alert("side_file", "", "Side file had lines that cannot be read, set aside {}", found)

    def _is_stale(self, writer: Writer) -> bool:
        """Whether a later incarnation of the writer has been heard of: one that hung may write no more."""
        latest = self._latest.get(writer.name, 0)
        self._latest[writer.name] = max(latest, writer.epoch)
        if writer.epoch < latest:
            logger.warning("Write of a replaced actor refused {}", fields(actor=writer.name, epoch=writer.epoch))
        return writer.epoch < latest

    def _commit(self, *, everything: bool = True, again: bool = False) -> None:
        """Write all that waits, or make the waiting intents durable; a database that fails has to take it all.

        It is tried again in its time alone: what comes meanwhile goes to the side file. One that hung, and has been
        replaced, commits nothing.
        """
        self._lingers = self._lingers and not everything
        if not self.is_current:
            self._hand_over()
            return
        if self.health.state == "failing" and not again:
            self._put_aside()
            return
        try:
            if everything or self.health.state == "failing":
                self._write_everything()
            else:
                self._make_durable()
        except DATABASE_ERRORS as error:
            self._fails(f"{type(error).__name__}: {error}")

    def _hand_over(self) -> None:
        """Tell the successor what nobody tells it again; of copies and orders it has been told all of it, and more.

        What is in the side file it has read there.
        """
        waiting = self._waiting[self._aside :]
        left = [record for _, record in waiting if isinstance(record, (RequestMade, CommandAnswered))]
        self._waiting = []
        if left:
            self.address.tell(Write(tuple(left), Writer(self.address.name, self.address.epoch)))

    def _write_everything(self) -> None:
        self._database.see_that_it_is_there()
        if self._waiting or self._database.is_behind:
            mark = [self._side_file.mark] if self._aside else []
            self._database.write([*(record for _, record in self._waiting), *mark])
            if self._aside:
                self._side_file.clear()
                self._aside = 0
            self._confirm(self._waiting)
        self._recovers()
        self._waiting = []

    def _make_durable(self) -> None:
        """See to what the waiting intents rest on, and no more: its rows, and all else, are written in a while."""
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

    def _confirm(self, committed: Sized) -> None:
        """Tell those that wait for it that their intents are durable."""
        intents, self._intents = self._intents, []
        for intent in intents:
            intent.reply_to.tell(IntentRecorded(intent.token, intent.writer.epoch))
        self._committed += len(committed)
        self._batches += 1

    def _linger(self) -> None:
        """Have everything written in a while."""
        if not self._lingers:
            self._lingers = True
            # To wake the clock takes time that an order has not.
            self.address.tell_when_idle(Linger(time.monotonic() + LINGER), LINGER)

    def figures(self) -> str:
        """Return how many records have been committed, in how many transactions."""
        return fields(records=self._committed, commits=self._batches)

    def _fails(self, error: str) -> None:
        """Keep everything and try again soon; no entry's intent is confirmed meanwhile, so none leaves."""
        if not self.is_current:  # as may well be why it failed
            return
        if self.health.state != "failing":
            self.health.state = "failing"
            waiting = fields(waiting=len(self._waiting), error=error)
            alert("database", "", "Database failing, entries stop {}", waiting, level="ERROR")
        self._put_aside()
        if not self._tries_again:
            self._tries_again = True
            self._clock.tell_later(RETRY_AFTER, self.address, Flush(everything=True, again=True))

    def _put_aside(self) -> None:
        """Keep what waits in the side file; exits may leave then."""
        if len(self._waiting) == self._aside:
            return
        try:
            self._side_file.append([record for _, record in self._waiting[self._aside :]])
        except OSError as error:
            why = fields(file=self._side_file.path, error=error)
            alert("side_file", "", "Side file failing too, exits stop {}", why)
            return
        self._aside = len(self._waiting)
        for intent in self._intents:
            if intent.record.copy.part is not Part.ENTRY:
                intent.reply_to.tell(IntentRecorded(intent.token, intent.writer.epoch))
        self._intents = [intent for intent in self._intents if intent.record.copy.part is Part.ENTRY]

    def _recovers(self) -> None:
        if self.health.state == "failing":
            self.health.state = "live"
            logger.warning("Database works again {}", fields(written=len(self._waiting)))
