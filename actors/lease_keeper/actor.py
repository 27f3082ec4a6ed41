"""Takes and renews this node's leases, and says which accounts it may trade."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from loguru import logger

from actors.lease_keeper.claim import Claim, NodeIdentity
from actors.lease_keeper.messages import (
    LeaseKeeperInbox,
    LeaseRead,
    LeaseWritten,
    LookAtLeases,
    MoveRead,
    StateRead,
    StateWritten,
)
from actors.lease_keeper.state import FollowerState
from actors.lease_keeper.state_keys import follower_of
from actors.lease_keeper.wishes import Wishes
from actors.messages.leases import (
    AccountLeft,
    LeaseGone,
    LeaseNews,
    LeaseRenewed,
    LeaseTaken,
    LeaseUnwanted,
    LeaseWanted,
    MoveLease,
)
from actors.messages.permits import CountRequests, RateLimiterMessage, RequestsCounted
from actors.messages.store import Committed, LoadState, StateLoaded, StoreMessage, Write, Writer
from actors.messages.tokens import LoginTried
from actors.runtime.actor import GuardedActor, Incarnation
from actors.runtime.address import Recipient
from actors.runtime.timers import Clock
from copytrade.bus.keys import KeyBus, Read, Written
from copytrade.common import wall_clock
from copytrade.common.logs import alert, fields, over
from copytrade.common.measures import Figure, PartOf
from copytrade.core.lease.candidacy import PATIENCE, Candidacy, WriteLease
from copytrade.core.lease.lease import Fence
from copytrade.core.model.commands import LEASE_STORE, lease_epoch_key
from copytrade.storage.records import ConfigSet, Record

#: The bucket of the leases.
LEASES = "LEASES"

#: A lease that is another's is read so often in its time; all of them are looked at twice as often.
READS_A_LEASE = 8

#: Seconds that the bus gets to take what has to be written at a stop.
LAST_WORDS_WITHIN = 0.8


class LeaseKeeper(GuardedActor[LeaseKeeperInbox]):
    """The only one who writes leases. Each account's lease is a key that the bus forgets unless it is renewed.

    It says ``LeaseTaken`` once it knows what the node before has written, and ``LeaseGone`` when another node has the
    account. A lease that could not be renewed stays the account's until the bus shows another holder: what its end
    means is the fence's to say.
    """

    def __init__(
        self,
        life: Incarnation[LeaseKeeperInbox],
        clock: Clock,
        node: NodeIdentity,
        length: float,
        bus: KeyBus,
        fences: Mapping[str, Fence],
        wanted: Mapping[str, LeaseWanted],
        known_store: str,
        store: Recipient[StoreMessage],
        limiter: Recipient[RateLimiterMessage],
        session: Recipient[LeaseNews],
        followers: Mapping[str, Recipient[LeaseRenewed]],
        *,
        takes_home: bool = False,
    ) -> None:
        """``known_store`` is the id that the bus's store had when this node used it last.

        ``takes_home``: ask for the accounts whose first home this node is, where others have them.
        """
        super().__init__(life)
        self._clock = clock
        self._node = node
        self._length = length
        self._bus = bus
        self._fences = fences
        self._known_store = self._store_id = known_store
        self._store_is_new_since: float | None = None
        self._store = store
        self._limiter = limiter
        self._session = session
        self._followers = followers
        self._claims: dict[str, Claim] = {}
        self._takes_home = takes_home
        self._wishes = Wishes(node.name, bus, self.address.tell)
        for one in wanted.values():
            self._want(one)

    def set_up(self) -> None:
        """Begin to look."""
        self.address.tell(LookAtLeases(self.epoch))

    def receive(self, message: LeaseKeeperInbox) -> None:
        """Take in what the bus says, and do what is due."""
        match message:
            case LookAtLeases(epoch) if epoch == self.epoch:
                self._look()
                self._clock.tell_later(self._length / READS_A_LEASE / 2, self.address, message)
            case LeaseRead(account, read) if account in self._claims:
                self._take_read(self._claims[account], read)
            case LeaseWritten(account) if account in self._claims:
                self._take_written(self._claims[account], message)
            case MoveRead(account, read) if account in self._claims:
                self._take_wish(self._claims[account], read)
            case StateRead(account, read) if account in self._claims:
                self._take_state(self._claims[account], read)
            case StateWritten(account) if account in self._claims:
                self._state_written(self._claims[account], message)
            case Committed(records):
                self._take_committed(records)
            case StateLoaded(account, records) if account in self._claims:
                self._take_loaded(self._claims[account], records)
            case LoginTried(account) if account in self._claims:
                self._claims[account].login = message
            case RequestsCounted(answered):
                for account, times in answered.items():
                    if account in self._claims:
                        self._claims[account].answered = times
            case LeaseWanted(account) if account not in self._claims:
                self._want(message)
            case LeaseUnwanted(account) if account in self._claims:
                self._claims[account].is_unwanted = True
                self._begin_to_leave(self._claims[account], "")
            case MoveLease(account, to) if account in self._claims and self._claims[account].candidacy.lease:
                self._begin_to_leave(self._claims[account], to)
            case AccountLeft(account) if account in self._claims:
                self._take_left(self._claims[account])
            case _:
                pass

    def tear_down(self) -> None:
        """Give up the leases whose accounts have nothing under way: at a stop all actors have ended by now."""
        if self.health.state != "stopped":
            return
        held = [claim for claim in self._claims.values() if claim.candidacy.lease is not None]
        answers = threading.Semaphore(0)
        for claim in held:
            self._release(claim, "", lambda _written: answers.release())
        until = time.monotonic() + LAST_WORDS_WITHIN
        for _ in held:
            answers.acquire(timeout=max(0.0, until - time.monotonic()))

    def figures(self) -> dict[str, Figure]:
        """Return how many leases this node has, of those that it would take."""
        now = time.monotonic()
        held = sum(self._fences[one].is_held(now) for one in self._claims)
        return {"leases": PartOf(held, len(self._claims))}

    def _want(self, wanted: LeaseWanted) -> None:
        account = wanted.account
        candidacy = Candidacy(self._node.name, self._node.run, wanted.homes, self._length, wanted.traded)
        claim = Claim(account, wanted.homes, candidacy, self._fences[account], wanted.traded)
        claim.is_asked_for = self._takes_home and wanted.homes[:1] == (self._node.name,)
        self._claims[account] = claim

    def _look(self) -> None:
        """Renew, take and read what is due; ask how many requests were made."""
        now = time.monotonic()
        since = self._store_is_new_since
        if since is not None and now >= since + PATIENCE * self._length:
            self._store_is_new_since, self._known_store = None, self._store_id
            self._write(ConfigSet(LEASE_STORE, self._store_id))
        for claim in self._claims.values():
            self._do_due(claim, now)
            if claim.state is not None:
                claim.state.write()
                self._end_leaving(claim)
            if claim.wants_state:
                claim.wants_state = False
                self._read_state(claim)
        self._limiter.tell(CountRequests(self.address))

    def _do_due(self, claim: Claim, now: float) -> None:
        if claim.candidacy.ended(now) and not claim.is_lost:
            self._say_lost(claim, "the bus did not take its renewal in time")
        step = claim.candidacy.next(now, int(wall_clock.now().timestamp() * 1000))
        if isinstance(step, WriteLease):
            claim.candidacy.begin()
            if claim.candidacy.lease is None:
                claim.known, claim.wish = claim.candidacy.epoch, None
            text = claim.record(step.epoch, self._node, self._store_id)
            told = partial(self._tell_written, claim.account, step, now)
            self._bus.write(LEASES, claim.account, text, step.revision, told)
        elif now >= claim.reads_at:
            if claim.candidacy.lease is None:
                self._read(claim, now)
            else:
                claim.reads_at = now + self._length / READS_A_LEASE
                self._wishes.read(claim)

    def _tell_written(self, account: str, write: WriteLease, began: float, written: Written | None) -> None:
        self.address.tell(LeaseWritten(account, write, began, written))

    def _read(self, claim: Claim, now: float) -> None:
        if not claim.is_reading:
            claim.is_reading, claim.reads_at = True, now + self._length / READS_A_LEASE
            account = claim.account
            self._bus.read(LEASES, account, lambda read: self.address.tell(LeaseRead(account, read)))

    def _take_read(self, claim: Claim, read: Read | None) -> None:
        claim.is_reading = False
        if read is None:
            return
        now = time.monotonic()
        if read.store != self._store_id:
            self._store_is_new(read.store, now)
        entry = read.entries[0]
        if claim.candidacy.read(claim.holder_in(entry, self._node.run), entry.revision, now):
            self._lose(claim)
        if claim.is_asked_for and claim.candidacy.holder is not None:
            self._wishes.read(claim)
        self._do_due(claim, now)

    def _take_wish(self, claim: Claim, read: Read | None) -> None:
        to = self._wishes.take(claim, read)
        if to is not None and claim.goes_to is None:
            logger.info("Follower is moved {}", fields(follower=claim.account, to=to))
            self._begin_to_leave(claim, to)

    def _store_is_new(self, store: str, now: float) -> None:
        """Wait, where others may hold leases that the bus has forgotten; write what it has forgotten of ours."""
        if self._store_id:
            logger.warning("Bus has lost its store {}", fields(wait=f"{PATIENCE * self._length:g}s"))
        self._store_id, self._store_is_new_since = store, now
        for claim in self._claims.values():
            claim.candidacy.store_is_new(now)
            if claim.state is not None:
                claim.state.store_is_new()
                self._store.tell(LoadState(claim.account, self.address))

    def _take_written(self, claim: Claim, message: LeaseWritten) -> None:
        now, candidacy = time.monotonic(), claim.candidacy
        if message.written is None or message.written.revision is None:
            candidacy.not_written()
            self._read(claim, now)
            return
        before = claim.fence.lease
        is_new = candidacy.written(message.write, message.written.revision, message.began, now)
        claim.fence.lease = candidacy.lease
        if before is not None and not before.may_enter(now) and claim.account in self._followers:
            self._followers[claim.account].tell(LeaseRenewed())
        if is_new and candidacy.lease is not None:
            taken = fields(follower=claim.account, node=self._node.name, epoch=candidacy.lease.epoch)
            logger.info("Lease taken {}", taken)
            if claim.is_lost:
                claim.is_lost = False
                over("lease", claim.account, "Account can be traded again {}", fields(follower=claim.account))
            self._read_state(claim)

    def _read_state(self, claim: Claim) -> None:
        account = claim.account
        self._bus.read_all(f"STATE_{account}", lambda read: self.address.tell(StateRead(account, read)))

    def _take_state(self, claim: Claim, read: Read | None) -> None:
        """Say whose word counts on what the account has copied, now that the lease is ours."""
        lease = claim.candidacy.lease
        if lease is None:
            return
        if read is None:
            claim.wants_state = True
            return
        if claim.state is not None and claim.state.epoch == lease.epoch:
            claim.state.read(read.entries)  # another revision was there
            claim.state.write()
            return
        others = self._store_is_new_since is not None and claim.homes != (self._node.name,)
        taken = claim.taken(lease.epoch, read.entries, others_may_have_traded=others)
        is_whole = taken.is_foreign and taken.records is not None
        tell: Callable[[StateWritten], object] = self.address.tell
        claim.state = FollowerState(claim.account, lease.epoch, self._bus, tell, read.entries, is_whole=is_whole)
        claim.next = taken
        if not is_whole:
            self._store.tell(LoadState(claim.account, self.address))

    def _go_on(self, claim: Claim) -> None:
        """Begin to trade once the bus has the state as ours: a successor then knows whether we have."""
        taken = claim.next
        if taken is None or claim.state is None or not claim.state.is_headed or claim.goes_to is not None:
            return
        if claim.is_trading and not taken.is_foreign:  # it ended for a while, and nobody else had it
            self._begin_trading(claim, None)
        elif claim.is_trading or claim.is_leaving:
            self._stop_trading(claim)
        else:
            self._begin_trading(claim, taken)

    def _begin_trading(self, claim: Claim, taken: LeaseTaken | None) -> None:
        claim.is_trading, claim.next = True, None
        claim.traded = claim.state.epoch if claim.state is not None else claim.traded
        if taken is not None:
            self._session.tell(taken)
        else:
            self._write(ConfigSet(lease_epoch_key(claim.account), str(claim.traded)))
            self._store.tell(LoadState(claim.account, self.address))

    def _state_written(self, claim: Claim, message: StateWritten) -> None:
        if claim.state is None:
            return
        if claim.state.written(message) and claim.fence.is_held(time.monotonic()):
            self._read_state(claim)
        self._go_on(claim)
        self._end_leaving(claim)

    def _take_committed(self, records: tuple[Record, ...]) -> None:
        of: dict[str, list[Record]] = {}
        for record in records:
            if (follower := follower_of(record)) in self._claims:
                of.setdefault(follower, []).append(record)
        for follower, his in of.items():
            if (state := self._claims[follower].state) is not None:
                state.committed(his)

    def _say_lost(self, claim: Claim, why: str) -> None:
        claim.is_lost = True
        alert(
            "lease", claim.account, "Lease lost {} {}", fields(follower=claim.account), fields(why=why), level="ERROR"
        )

    def _lose(self, claim: Claim) -> None:
        """Another node has it."""
        claim.fence.lease = None
        claim.state = claim.next = claim.goes_to = None
        if not claim.is_lost:
            self._say_lost(claim, f"{claim.before.node if claim.before else 'another node'} has it")
        if claim.is_trading:
            self._stop_trading(claim)

    def _stop_trading(self, claim: Claim) -> None:
        if not claim.is_leaving:
            claim.is_trading, claim.is_leaving = False, True
            self._session.tell(LeaseGone(claim.account))

    def _begin_to_leave(self, claim: Claim, to: str) -> None:
        """Give the lease up once nothing is under way."""
        claim.goes_to = to
        if claim.is_trading:
            self._stop_trading(claim)
        else:
            self._end_leaving(claim)

    def _take_loaded(self, claim: Claim, records: Sequence[Record]) -> None:
        claim.is_flushing = False
        if claim.state is not None:
            claim.state.loaded(records)
            self._end_leaving(claim)

    def _take_left(self, claim: Claim) -> None:
        """The account's actors have ended: what they have told the store last has to be on the bus, too."""
        claim.is_leaving = False
        if claim.goes_to is not None and claim.state is not None:
            claim.is_flushing = True
            self._store.tell(LoadState(claim.account, self.address))
        self._go_on(claim)
        self._end_leaving(claim)

    def _end_leaving(self, claim: Claim) -> None:
        """Write the lease as given up, once the bus has the whole state."""
        if claim.goes_to is None or claim.is_leaving or claim.is_trading or claim.is_flushing:
            return
        if claim.candidacy.lease is not None:
            if claim.candidacy.is_writing or (claim.state is not None and not claim.state.is_idle):
                return
            self._release(claim, claim.goes_to, lambda _written: None)
        claim.goes_to = claim.state = None
        if claim.is_unwanted:
            del self._claims[claim.account]

    def _release(self, claim: Claim, to: str, then: Callable[[object], object]) -> None:
        claim.fence.lease = None
        revision = claim.candidacy.lease.revision if claim.candidacy.lease is not None else 0
        lease = claim.candidacy.release(time.monotonic(), to)
        if lease is not None:
            text = claim.record(lease.epoch, self._node, self._store_id, gives_to=to)
            self._bus.write(LEASES, claim.account, text, revision, then)
            logger.info("Lease released {}", fields(follower=claim.account, **({"to": to} if to else {})))

    def _write(self, *records: ConfigSet) -> None:
        self._store.tell(Write(records, Writer(self.address.name, self.epoch)))
