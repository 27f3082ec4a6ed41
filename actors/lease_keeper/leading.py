"""The leases of a lead: one for each leader, held by one process at a time. Who comes second waits."""

import secrets
import threading
import time
from collections.abc import Callable, Iterable
from queue import SimpleQueue

from loguru import logger

from actors.lease_keeper.actor import LEASES, READS_A_LEASE
from actors.lease_keeper.claim import Claim, NodeIdentity
from copytrade.bus.keys import Entry, KeyBus, Read, Written
from copytrade.common import wall_clock
from copytrade.common.logs import fields
from copytrade.core.lease.candidacy import Candidacy, WriteLease
from copytrade.core.lease.lease import Fence

#: What the keys of leaders' leases begin with: a leader's account may be a follower's too.
_OF_LEADER = "leader."

#: The bucket of the run that has led each leader last; it is not forgotten as leases are.
LEADS = "LEADS"


class LeadersLeases:
    """Has a thread that renews them from :meth:`take` to :meth:`close`; ``lost`` is called once if one is lost."""

    def __init__(
        self, leaders: Iterable[str], length: float, bus: KeyBus, store: str, lost: Callable[[str], object]
    ) -> None:
        """``store`` is the id that the bus's store had when this database was used last."""
        self._node = NodeIdentity("lead", secrets.token_hex(8))
        self._length = length
        self._bus = bus
        self._lost = lost
        #: Whether a lease was lost after it had been taken.
        self.is_lost = False
        #: The id of the bus's store.
        self.store = store
        #: The fence of each leader's account: a token is fetched only within it.
        self.fences = {leader: Fence(logs_in=True) for leader in leaders}
        self._claims = {
            leader: Claim(leader, (), Candidacy("lead", self._node.run, (), length, 0), fence, 0)
            for leader, fence in self.fences.items()
        }
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="leases", daemon=True)

    def take(self) -> int:
        """Wait until all leases are ours; return the greatest epoch."""
        waits: set[str] = set()
        while True:
            for leader, claim in self._claims.items():
                self._look(claim)
                if claim.candidacy.lease is None and claim.candidacy.holder is not None and leader not in waits:
                    waits.add(leader)
                    logger.info("Lease waited for {}", fields(leader=leader))
            now = time.monotonic()
            if all(fence.is_held(now) and self._note(leader) for leader, fence in self.fences.items()):
                self._thread.start()
                return max(claim.candidacy.epoch for claim in self._claims.values())
            time.sleep(self._length / READS_A_LEASE / 2)

    def close(self) -> None:
        """Give the leases up."""
        self._ends.set()
        if self._thread.is_alive():
            self._thread.join()
        for claim in self._claims.values():
            if (lease := claim.candidacy.release(time.monotonic())) is not None:
                claim.fence.lease = None
                text = claim.record(lease.epoch, self._node, self.store, gives_to="")
                self._write(claim, text, lease.revision)
                logger.info("Lease released {}", fields(leader=claim.account))

    def _renew(self) -> None:
        """Renew until the end, or until one is lost.

        A lease that ended while the bus was away, and was taken again, is lost if another lead has had it meanwhile.
        """
        in_doubt: set[str] = set()
        while not self._ends.wait(self._length / READS_A_LEASE / 2):
            for leader, claim in self._claims.items():
                epoch = claim.candidacy.epoch
                self._look(claim)
                lease = claim.candidacy.lease
                if lease is not None and lease.epoch != epoch:
                    in_doubt.add(leader)
                led = self._led_last(leader) if leader in in_doubt else None
                if led is not None:
                    in_doubt.discard(leader)
                if lease is None or (led is not None and led.value not in (None, self._node.run.encode())):
                    claim.fence.lease = None
                    logger.critical("Lease lost {}", fields(leader=leader))
                    self.is_lost = True
                    self._lost(leader)
                    return

    def _note(self, leader: str) -> bool:
        """Write that this run leads; return whether the bus has it."""
        entry = self._led_last(leader)
        if entry is None or entry.value == self._node.run.encode():
            return entry is not None
        answers: SimpleQueue[Written | None] = SimpleQueue()
        self._bus.write(LEADS, leader, self._node.run.encode(), entry.revision, answers.put)
        answer = answers.get()
        return answer is not None and answer.revision is not None

    def _led_last(self, leader: str) -> Entry | None:
        """Return the run that has led a leader last, None for no answer."""
        answers: SimpleQueue[Read | None] = SimpleQueue()
        self._bus.read(LEADS, leader, answers.put)
        read = answers.get()
        return read.entries[0] if read is not None else None

    def _look(self, claim: Claim) -> None:
        now, candidacy = time.monotonic(), claim.candidacy
        if candidacy.lease is None or claim.reads_at:
            claim.reads_at = 0.0
            read = self._read(claim)
            if read is None:
                return
            self._take_read(claim, read, now)
        step = candidacy.next(now, int(wall_clock.now().timestamp() * 1000))
        if not isinstance(step, WriteLease):
            return
        candidacy.begin()
        is_new = candidacy.lease is None
        written = self._write(claim, claim.record(step.epoch, self._node, self.store), step.revision)
        if written is None or written.revision is None:
            candidacy.not_written()
            claim.reads_at = now  # to be read before the next step
            return
        candidacy.written(step, written.revision, now, time.monotonic())
        claim.fence.lease = candidacy.lease
        if is_new and candidacy.lease is not None:
            logger.info("Lease taken {}", fields(leader=claim.account, epoch=candidacy.lease.epoch))

    def _take_read(self, claim: Claim, read: Read, now: float) -> None:
        if read.store != self.store:
            self.store = read.store
            for one in self._claims.values():
                one.candidacy.store_is_new(now)
        (entry,) = read.entries
        claim.candidacy.read(claim.holder_in(entry, self._node.run), entry.revision, now)

    def _read(self, claim: Claim) -> Read | None:
        answers: SimpleQueue[Read | None] = SimpleQueue()
        self._bus.read(LEASES, _OF_LEADER + claim.account, answers.put)
        return answers.get()

    def _write(self, claim: Claim, text: bytes, revision: int) -> Written | None:
        answers: SimpleQueue[Written | None] = SimpleQueue()
        self._bus.write(LEASES, _OF_LEADER + claim.account, text, revision, answers.put)
        return answers.get()
