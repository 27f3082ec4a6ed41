"""A bus with one lease, and nodes that may be cut off from it, stopped and restarted."""

from dataclasses import dataclass, field

from copytrade.core.lease.candidacy import Candidacy, Holder, WriteLease

#: Seconds that a lease lasts.
LENGTH = 10.0


@dataclass
class Bus:
    """Keeps the lease for ``LENGTH`` after each write; its store may be lost, and then begins anew."""

    holder: Holder | None = None
    revision: int = 0
    until: float = 0.0
    store: int = 1

    def read(self, now: float) -> tuple[Holder | None, int]:
        """Return the record and its revision."""
        return (self.holder, self.revision) if self.holder is not None and now < self.until else (None, 0)

    def write(self, holder: Holder, expected: int, now: float) -> int | None:
        """Compare and set; return the new revision, None where it is refused."""
        if self.read(now)[1] != expected:
            return None
        self.revision += 1
        self.holder, self.until = holder, now + LENGTH
        return self.revision

    def lose(self) -> None:
        """Lose everything."""
        self.holder, self.revision, self.store = None, 0, self.store + 1


@dataclass
class Node:
    """A process that wants the lease; what it sends and hears may take time, or be lost."""

    name: str
    homes: tuple[str, ...]
    runs: int = 0
    kept_epoch: int = 0
    kept_store: int = 0
    store: int = field(init=False)
    new_since: float | None = None
    candidacy: Candidacy = field(init=False)
    under_way: tuple[WriteLease, float, int | None] | None = None

    def __post_init__(self) -> None:
        """Start."""
        self.restart()

    def restart(self) -> None:
        """Begin anew, with the epoch that the own store has kept."""
        self.runs += 1
        self.candidacy = Candidacy(self.name, f"run{self.runs}", self.homes, LENGTH, self.kept_epoch)
        self.under_way, self.store, self.new_since = None, self.kept_store, None

    def look(self, bus: Bus, now: float) -> None:
        """Read the bus."""
        if bus.store != self.store:
            self.store, self.new_since = bus.store, now
            self.candidacy.store_is_new(now)
        if self.new_since is not None and now >= self.new_since + 2 * LENGTH:
            self.kept_store = self.store
        self.candidacy.read(*bus.read(now), now)
        self.kept_epoch = max(self.kept_epoch, self.candidacy.epoch)

    def send(self, bus: Bus, now: float, clock: int, *, arrives: bool = True) -> None:
        """Send the write that is due, if one is; the bus may never see it."""
        write = self.candidacy.next(now, clock)
        if isinstance(write, WriteLease):
            self.candidacy.begin()
            holder = Holder(self.name, f"run{self.runs}", write.epoch)
            self.under_way = write, now, bus.write(holder, write.revision, now) if arrives else None

    def hear(self, now: float, *, is_lost: bool = False) -> int | None:
        """Hear the answer; return the epoch of a lease that is newly taken."""
        if self.under_way is None:
            return None
        (write, began, revision), self.under_way = self.under_way, None
        if revision is None or is_lost:
            self.candidacy.not_written()
            return None
        is_new = self.candidacy.written(write, revision, began, now)
        self.kept_epoch = max(self.kept_epoch, write.epoch)
        return write.epoch if is_new else None

    def turn(self, bus: Bus, now: float) -> int | None:
        """Read, write what is due and hear the answer at once."""
        self.look(bus, now)
        self.send(bus, now, int(now * 1000))
        return self.hear(now)

    def owns(self, now: float) -> bool:
        """Whether it may send requests for the account."""
        return self.candidacy.lease is not None and self.candidacy.lease.is_held(now)
