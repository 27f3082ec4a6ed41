"""The only owner of the database."""

import time
from collections import defaultdict
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

from loguru import logger

from actors.messages.permits import RequestsLoaded
from actors.messages.store import (
    Committed,
    CopiesLoaded,
    FollowSwitches,
    LoadCopies,
    LoadRequests,
    LoadState,
    RecordIntent,
    StateLoaded,
    Write,
    Writer,
)
from actors.runtime.actor import GuardedActor, Incarnation
from actors.runtime.address import Recipient
from actors.runtime.timers import Clock
from actors.store.group_commit import RETRY_AFTER, GroupCommit
from actors.store.messages import Flush, Linger, LookForSwitches, StoreInbox
from actors.store.operator_commands import OperatorCommands, Session, switches_of
from actors.store.side_file import write_from_side_file
from copytrade.common import wall_clock
from copytrade.common.logs import alert, fields, over
from copytrade.common.measures import Figure
from copytrade.core.decide.risk_limits import Breach
from copytrade.core.engine.retention import LOOK_BACK
from copytrade.core.model.commands import RUNNING, breach_key, since_key
from copytrade.core.model.ledger import Allocation, Line
from copytrade.core.model.orders import IST
from copytrade.storage.database import DATABASE_ERRORS, Database, DatabaseUnusable
from copytrade.storage.files.fallback_file import SideFile
from copytrade.storage.records import ConfigSet, CopyChanged, LedgerChanged, Record

#: Seconds between looks at what an operator has switched or wants.
SWITCHES_EVERY = 1.0

#: Since when leader orders are copied: the first start with this database, in epoch seconds.
COPYING_SINCE = "copying_since"


class Store(GuardedActor[StoreInbox]):
    """Commits what it is told, loads what was written, and tells followers what an operator wants."""

    def __init__(
        self,
        life: Incarnation[StoreInbox],
        clock: Clock,
        open_database: Callable[[], Database],
        side_file: SideFile,
        first_from: Callable[[], datetime],
        retry: Callable[[str], object] = lambda _name: None,
        session: Session | None = None,
        running: Collection[str] | None = None,
        publisher: Recipient[Committed] | None = None,
    ) -> None:
        """``publisher`` is told all that is committed, where other nodes may have to go on with it.

        ``session`` takes the commands that are for no follower; ``running`` are the followers, if they are known.

        ``retry`` gives a quarantined follower another chance.
        """
        super().__init__(life)
        self._retry = retry
        self._clock = clock
        self._open_database = open_database
        self._side_file = side_file
        self._first_from = first_from
        self._session = session
        self._running = running
        self._publisher = publisher
        self._latest: dict[str, int] = {}
        #: The followers whose copies cannot be loaded; "" if the requests cannot.
        self._unloaded: set[str] = set()

    def set_up(self) -> None:
        """Open the database in this thread, write what the side file holds, and note since when we copy."""
        self._database = self._open_database()
        self._group_commit = GroupCommit(
            self.address, self.epoch, self.health, self._clock, self._database, self._side_file, self._publisher
        )
        self._operator_commands = OperatorCommands(
            self._database, self._group_commit, self._retry, self._session, self._running
        )
        self._database.take_over()
        write_from_side_file(self._side_file, self._database)
        if (since := self._database.config(COPYING_SINCE)) is None:
            since = str(int(self._first_from().timestamp()))
            self._database.write([ConfigSet(COPYING_SINCE, since), ConfigSet("copy_enabled", "true")])
        if self._running is not None:
            self._database.write([ConfigSet(RUNNING, ",".join(self._running))])
        self._make_room()
        self._clock.tell_later(SWITCHES_EVERY, self.address, LookForSwitches(self.epoch))
        self._copying_since = datetime.fromtimestamp(int(since), UTC)

    def receive(self, message: StoreInbox) -> None:
        """Take in records, commit, answer."""
        if isinstance(message, RecordIntent | Write | LoadCopies | FollowSwitches) and self._is_stale(message.writer):
            return
        match message:
            case RecordIntent():
                self._group_commit.intend(message)
            case Write(records, writer):
                self._group_commit.write(records, writer.name)
            case Linger(at):
                self._clock.tell_later(at - time.monotonic(), self.address, Flush(everything=True))
            case Flush():
                self._group_commit.flush(message)
            case LookForSwitches(epoch) if epoch == self.epoch:
                self._operator_commands.look()
                self._clock.tell_later(SWITCHES_EVERY, self.address, message)
            case LoadCopies():
                self._group_commit.commit()
                self._load(message)
            case FollowSwitches(follower, _, reply_to):
                self._operator_commands.follow(follower, reply_to)
            case LoadState():
                self._group_commit.commit()
                self._load_state(message)
            case LoadRequests():
                self._group_commit.commit()
                self._load_requests(message)
            case _:
                pass

    def tear_down(self) -> None:
        """Commit what is left, and close the database."""
        if hasattr(self, "_group_commit"):
            self._group_commit.close()
            self._database.close()

    def figures(self) -> dict[str, Figure]:
        """Return how many records have been committed, in how many transactions."""
        return {"records": self._group_commit.committed, "commits": self._group_commit.batches}

    def _load(self, request: LoadCopies) -> None:
        """Tell a follower its copies and ledger, once everything is in the database."""
        today = wall_clock.now().astimezone(IST).date()
        since = today - LOOK_BACK
        try:
            if self._group_commit.has_waiting or self._database.is_behind:
                raise DatabaseUnusable("not everything is written yet")
            copies, lines = self._database.copies(request.follower, since), self._database.lines(request.follower)
            copied = {*(copy.leader for copy in copies), *(line.key.leader for line in lines)}
            since_of = {one: self._copying_since_of(request.follower, one, one in copied) for one in request.leaders}
            loaded = CopiesLoaded(
                copies,
                lines,
                self._database.allocations(request.follower, since),
                {leader: moment for leader, (moment, _) in since_of.items()},
                self._database.pauses([request.follower])[request.follower],
                self._breach_of(request.follower),
                frozenset(leader for leader, (_, begins) in since_of.items() if begins),
                [
                    order
                    for leader, (moment, _) in since_of.items()
                    for order in self._database.undecided(request.follower, leader, moment)
                ],
            )
        except DATABASE_ERRORS as error:
            why = fields(follower=request.follower, error=f"{type(error).__name__}: {error}")
            self._unloaded.add(request.follower)
            alert("unloaded", "", "Copies cannot be loaded, again in {}s {}", RETRY_AFTER, why, level="ERROR")
            self._clock.tell_later(RETRY_AFTER, self.address, request)
            return
        self._is_loaded(request.follower)
        self._operator_commands.follow_anew(request.follower, request.reply_to, loaded.pause)
        request.reply_to.tell(loaded)

    def _copying_since_of(self, follower: str, leader: str, has_copied: bool) -> tuple[datetime, bool]:
        """Return from when a leader's orders are copied to a follower, and whether that begins now.

        A follower that has copied without a time of its own is of an earlier version: the database's time is its time.
        One that has copied a leader when he was the only one has a time for all.
        """
        only, his = self._database.whose.only, since_key(follower, leader)
        known = self._database.config(his)
        if leader and known is None and has_copied:
            known = self._database.config(since_key(follower))
        elif only and (kept := self._database.config(since_key(follower, only))):
            known = kept
        if known:
            return datetime.fromtimestamp(int(known), UTC), False
        is_earlier = known is None and has_copied
        since = self._copying_since if is_earlier else self._first_from()
        begins = ConfigSet(his, str(int(since.timestamp())))
        self._database.write([begins])
        self._group_commit.publish(begins)
        return datetime.fromtimestamp(int(since.timestamp()), UTC), not is_earlier

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
            self._unloaded.add("")
            alert("unloaded", "", "Requests cannot be loaded, again in {}s {}", RETRY_AFTER, why, level="ERROR")
            self._clock.tell_later(RETRY_AFTER, self.address, request)
            return
        self._is_loaded("")
        request.reply_to.tell(RequestsLoaded(answered))

    def _load_state(self, request: LoadState) -> None:
        """Tell all that a successor of a follower would need; a copy's leader order is not among it."""
        now = wall_clock.now()
        since = now.astimezone(IST).date() - LOOK_BACK
        follower, database = request.follower, self._database
        try:
            ledger: list[Line | Allocation] = [*database.lines(follower), *database.allocations(follower, since)]
            records: list[Record] = [LedgerChanged(follower, entry, now) for entry in ledger]
            records += [CopyChanged(copy, None, now) for copy in database.copies(follower, since)]
            records += switches_of(follower, database)
        except DATABASE_ERRORS:
            self._clock.tell_later(RETRY_AFTER, self.address, request)
            return
        request.reply_to.tell(StateLoaded(follower, tuple(records)))

    def _is_loaded(self, name: str) -> None:
        """Say that loading works again, once everything has been loaded that could not be."""
        if name in self._unloaded:
            self._unloaded.discard(name)
            if not self._unloaded:
                over("unloaded", "", "Copies and requests are loaded")

    def _make_room(self) -> None:
        try:
            self._database.make_room()
        except OSError as error:
            logger.warning("No room for the database's log, commits are slower {}", fields(error=error))

    def _is_stale(self, writer: Writer) -> bool:
        """Whether a later incarnation of the writer is known: an earlier one that hung may write no more."""
        latest = self._latest.get(writer.name, 0)
        self._latest[writer.name] = max(latest, writer.epoch)
        if writer.epoch < latest:
            logger.warning("Write of a replaced actor refused {}", fields(actor=writer.name, epoch=writer.epoch))
        return writer.epoch < latest
