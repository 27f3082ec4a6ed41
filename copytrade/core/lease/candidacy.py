"""When a node may take a free lease, renews the one it has, and has lost it. Pure: it is told, and asked what to do.

The bus holds one record for each account and forgets it when it is not renewed. It may lose all of them: then its
bucket has another id, or its revisions begin anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from copytrade.core.lease.lease import Lease

#: So many leases does a node wait that is not the first to take a free one, or that cannot know whether it is free.
PATIENCE = 2


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a lease by the bus. ``run`` tells the process, ``to`` is who may take a lease that was given away."""

    node: str
    run: str
    epoch: int
    to: str = ""


@dataclass(frozen=True, slots=True)
class WriteLease:
    """Write the lease, if the bus still has this ``revision`` of it: 0 if it has none."""

    epoch: int
    revision: int


class Candidacy:
    """One node's part in the lease of one account. One write is under way at a time.

    ``homes`` are the nodes that should trade the account, the first before all others; without any each node is as
    good. A node only takes a lease that is free.
    """

    def __init__(self, node: str, run: str, homes: Sequence[str], length: float, epoch: int) -> None:
        """``epoch`` is the greatest that the node's own store has seen."""
        self._me = node, run
        self._length = length
        self._epoch = epoch
        self._place = homes.index(node) if node in homes else len(homes)
        self._is_writing = False
        self._revision = self._highest = 0
        self._free_since: float | None = None
        self._not_before = 0.0
        self._given_to = ""
        #: The lease, None while another node may have it.
        self.lease: Lease | None = None
        #: Who has it by the bus; None if nobody has or nothing is known yet.
        self.holder: Holder | None = None

    @property
    def is_writing(self) -> bool:
        """Whether a write waits for its answer."""
        return self._is_writing

    @property
    def epoch(self) -> int:
        """The greatest epoch that is known of this lease."""
        return self._epoch

    def know_epoch(self, epoch: int) -> None:
        """Note an epoch that was seen elsewhere."""
        self._epoch = max(self._epoch, epoch)

    def store_is_new(self, now: float) -> None:
        """Note that the bus may have lost its records: whoever held a lease may hold it still."""
        self._revision, self._highest, self.holder = 0, 0, None
        self._free_since = now
        if self.lease is None or not self.lease.is_held(now):
            self._not_before = now + PATIENCE * self._length

    def read(self, holder: Holder | None, revision: int, now: float) -> bool:
        """Take in a read of the bus's record, as ``shown``; its revision is behind only where the bus has lost some."""
        if 0 < revision < self._highest:
            self.store_is_new(now)
        return self.shown(holder, revision, now)

    def shown(self, holder: Holder | None, revision: int, now: float) -> bool:
        """Take in the bus's record of the lease, None if there is none; return whether our lease is lost by it.

        An older revision of a record that we know is news from before.
        """
        if 0 < revision < self._highest or self._is_writing:
            return False
        self._revision, self._highest = revision, max(revision, self._highest)
        if holder is not None:
            self.know_epoch(holder.epoch)
        if holder is None or not holder.node:
            self._given_to = holder.to if holder else ""
            self.holder = None
            if self._free_since is None:
                self._free_since = now
            return False
        self.holder, self._free_since = holder, None
        if (holder.node, holder.run) != self._me:
            was, self.lease = self.lease, None
            return was is not None
        if self.lease is None:  # the answer to our write was lost
            self._free_since, self._given_to = now, self._me[0]
        return False

    def next(self, now: float, clock: int) -> WriteLease | float | None:
        """Return what to write now, or when to ask again; None until something is shown or answered.

        ``clock`` is the broker's time in milliseconds.
        """
        if self._is_writing:
            return None
        if self.lease is not None:
            if now < self.lease.renew_at:
                return self.lease.renew_at
            if self.lease.is_held(now):
                return WriteLease(self.lease.epoch, self._revision)
            if self.holder is not None:  # the bus has our last record still
                return WriteLease(max(clock, self._epoch + 1), self._revision)
        if self._free_since is None:
            return None
        may_take = self._may_take_at()
        return may_take if now < may_take else WriteLease(max(clock, self._epoch + 1), self._revision)

    def begin(self) -> None:
        """Note that a write is under way."""
        self._is_writing = True

    def written(self, write: WriteLease, revision: int, began: float, now: float) -> bool:
        """Note that the bus took a write that was ``began`` at a time; return whether the lease is newly taken.

        One whose answer came after the lease has ended is worth nothing: what the bus has is to be read then.
        """
        self._is_writing = False
        was = self.lease
        self.know_epoch(write.epoch)
        if now >= began + self._length:
            return False
        self.lease = Lease(write.epoch, revision, began, self._length)
        self._revision = self._highest = revision
        self._free_since, self._given_to = None, ""
        node, run = self._me
        self.holder = Holder(node, run, write.epoch)
        return was is None or was.epoch != write.epoch

    def not_written(self) -> None:
        """Note that the bus refused a write or did not answer; what it has is to be read then."""
        self._is_writing = False

    def ended(self, now: float) -> bool:
        """Whether a lease of ours has ended for want of renewal."""
        return self.lease is not None and not self.lease.is_held(now)

    def release(self, now: float, to: str = "") -> Lease | None:
        """Give the lease up for another node to take, or for any; return what it was."""
        was, self.lease = self.lease, None
        self.holder, self._given_to = None, to
        self._free_since = now
        self._is_writing = False
        self._not_before = now + PATIENCE * self._length
        return was

    def _may_take_at(self) -> float:
        since = self._free_since or 0.0
        if self.lease is not None or self._given_to == self._me[0]:  # it was ours last, or is for us
            place = 0
        elif self._given_to:
            place = max(1, self._place)
        else:
            place = self._place
        return max(self._not_before, since + PATIENCE * self._length * place)
