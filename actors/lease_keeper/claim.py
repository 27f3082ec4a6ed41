"""What the lease keeper knows of one account."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from loguru import logger

from actors.lease_keeper.state import FollowerState, head_of, records_in
from actors.messages.leases import LeaseTaken
from actors.messages.tokens import LoginTried
from copytrade.bus.keys import Entry
from copytrade.common import wall_clock
from copytrade.common.logs import fields
from copytrade.core.lease.candidacy import Candidacy, Holder
from copytrade.core.lease.lease import Fence
from copytrade.core.lease.record import LeaseRecord, carried_of, encoded, record_of
from copytrade.core.lease.succession import Word, whose_word
from copytrade.core.model.orders import IST
from copytrade.storage.records import Record

#: Who holds a lease whose record cannot be read: another program.
_UNREADABLE = Holder("?", "?", 0)


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """This node: its name, and a random id of this process."""

    name: str
    run: str


@dataclass
class Claim:
    """One account's lease, from the node's side."""

    account: str
    homes: tuple[str, ...]
    candidacy: Candidacy
    fence: Fence
    #: The last epoch by which this node traded the account, and the greatest that was known before the lease was taken.
    traded: int
    known: int = 0
    #: What the bus showed last of another holder.
    before: LeaseRecord | None = None
    reads_at: float = 0.0
    is_reading: bool = False
    #: Whether the account's actors run, and what is to be told once those of an earlier lease have ended.
    is_trading: bool = False
    is_leaving: bool = False
    next: LeaseTaken | None = None
    #: Whether the store has yet to say what the account's actors have written last.
    is_flushing: bool = False
    #: Whether the state on the bus has yet to be read, since the lease was taken.
    wants_state: bool = False
    state: FollowerState | None = None
    #: Whether it was said that the lease has ended.
    is_lost: bool = False
    #: To whom the lease goes once nothing is under way any more; None while it stays. "" is nobody in particular.
    goes_to: str | None = None
    is_unwanted: bool = False
    #: Whether the lease is to be asked for, once it is seen with another node; the last wish for it that was seen.
    is_asked_for: bool = False
    wish: int | None = None
    is_reading_wish: bool = False
    answered: Sequence[float] = field(default=())

    login: LoginTried | None = None

    def record(self, epoch: int, node: NodeIdentity, store: str, *, gives_to: str | None = None) -> bytes:
        """Return the record of the lease as this node's, or as given to another, or to nobody in particular for ""."""
        now = wall_clock.now()
        midnight = now.astimezone(IST).replace(hour=0, minute=0, second=0, microsecond=0)
        offset = now.timestamp() - time.monotonic()
        login = self.login
        carried = carried_of(
            [at + offset for at in self.answered],
            now.timestamp(),
            midnight.timestamp(),
            node.name,
            login.at.timestamp() if login is not None and login.at is not None else None,
            login.refusals if login is not None else 0,
        )
        if gives_to is None:
            return encoded(LeaseRecord(node.name, node.run, epoch, carried, store))
        return encoded(LeaseRecord("", "", epoch, carried, store, gives_to))

    def holder_in(self, entry: Entry, run: str) -> Holder | None:
        """Return who holds the lease by the bus, and keep what another holder's record carries."""
        if entry.value is None:
            return None
        try:
            record = record_of(entry.value)
        except ValueError as error:
            logger.error("Lease cannot be read, it counts as another's {}", fields(account=self.account, error=error))
            return _UNREADABLE
        if record.run != run:
            self.before = record
        return record.holder

    def taken(self, epoch: int, entries: Sequence[Entry], *, others_may_have_traded: bool) -> LeaseTaken:
        """Return what is told of a lease that was taken, once the state on the bus was read."""
        word = whose_word(self.traded, self.known, head_of(entries), store_is_new=others_may_have_traded)
        records: list[Record] | None = None if word is Word.NOBODY else []
        if word is Word.BUS:
            try:
                records = records_in(entries)
            except ValueError as error:
                logger.error("State of the node before cannot be read {}", fields(account=self.account, error=error))
                records = None
        carried = self.before.carried if self.before is not None else None
        if self.login is None and carried is not None and carried.login_at is not None:
            self.login = LoginTried(self.account, datetime.fromtimestamp(carried.login_at, UTC), carried.login_refusals)
        before = carried.by if carried is not None else ""
        was_released = self.before is not None and not self.before.node and self.before.epoch >= self.known
        return LeaseTaken(self.account, epoch, word is not Word.OWN, before, records, carried, self.login, was_released)
