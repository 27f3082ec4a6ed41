"""Keeps one follower's state on the bus as his database has it, for a successor on another node."""

from collections.abc import Callable, Iterable

import msgspec

from actors.lease_keeper.messages import StateWritten
from actors.lease_keeper.state_keys import state_of
from copytrade.bus.keys import Entry, KeyBus, Written
from copytrade.storage.records import CopyChanged, Record, record_of

#: Writes of one follower's state that are under way at most.
AT_ONCE = 32

#: The key of what says by which lease the state is whole, and in what form.
HEAD, VERSION = "head", 1


class Head(msgspec.Struct, frozen=True, gc=False):
    """Says that all the other keys are of the holder of a lease. Another ``version`` is of another program."""

    epoch: int
    version: int = VERSION


def head_of(entries: Iterable[Entry]) -> int:
    """Return the epoch of the lease whose holder has written the whole state, 0 where none has."""
    for entry in entries:
        if entry.key == HEAD and entry.value is not None:
            try:
                head = msgspec.json.decode(entry.value, type=Head)
            except msgspec.DecodeError:
                return 0
            return head.epoch if head.version == VERSION else 0
    return 0


def records_in(entries: Iterable[Entry]) -> list[Record]:
    """Return the records of a state. Raises ValueError for one that cannot be read."""
    return [record_of(entry.value) for entry in entries if entry.key != HEAD and entry.value is not None]


class FollowerState:
    """A part of the lease keeper, in its thread. Each key is written by compare-and-set.

    So a node that was stopped, and goes on after another has begun, overwrites nothing of what that one has written.
    """

    def __init__(
        self,
        account: str,
        epoch: int,
        bus: KeyBus,
        tell: Callable[[StateWritten], object],
        entries: Iterable[Entry],
        *,
        is_whole: bool,
    ) -> None:
        """``entries`` are what the bus has of it now; ``is_whole`` says that they are all that is known."""
        self._account = account
        #: The epoch of the lease whose holder writes it.
        self.epoch = epoch
        self._bus = bus
        self._tell = tell
        self._revisions: dict[str, int] = {}
        self._has: dict[str, bytes] = {}
        self._pending: dict[str, bytes] = {}
        self._under_way: set[str] = set()
        self._is_whole, self._is_headed = is_whole, False
        self.read(entries)
        self.write()

    @property
    def bucket(self) -> str:
        """The bucket of the state."""
        return f"STATE_{self._account}"

    @property
    def is_headed(self) -> bool:
        """Whether the bus has the whole state as this lease's, so that the account may be traded."""
        return self._is_headed

    @property
    def is_idle(self) -> bool:
        """Whether the bus has everything."""
        return self._is_headed and not self._pending and not self._under_way

    def read(self, entries: Iterable[Entry]) -> None:
        """Take in what the bus has."""
        for entry in entries:
            self._revisions[entry.key] = entry.revision
            if entry.value is not None:
                self._has[entry.key] = entry.value

    def store_is_new(self) -> None:
        """Note that the bus has nothing any more: everything has to be loaded and written again."""
        self._revisions.clear()
        self._has.clear()
        self._pending.clear()
        self._is_whole = self._is_headed = False

    def loaded(self, records: Iterable[Record]) -> None:
        """Write all that the database has, but for what the bus has already."""
        for key, value in state_of(records).items():
            if key not in self._pending and not _says_the_same(self._has.get(key), value):
                self._pending[key] = value
        self._is_whole = True
        self.write()

    def committed(self, records: Iterable[Record]) -> None:
        """Write records that are in the database now."""
        self._pending.update(state_of(records))
        self.write()

    def write(self) -> None:
        """Send what waits."""
        if self._is_whole and not self._is_headed and not self._pending and not self._under_way:
            self._pending[HEAD] = msgspec.json.encode(Head(self.epoch))
        for key in [key for key in self._pending if key not in self._under_way][: AT_ONCE - len(self._under_way)]:
            value = self._pending.pop(key)
            self._under_way.add(key)
            self._bus.write(self.bucket, key, value, self._revisions.get(key, 0), self._teller(key, value))

    def written(self, message: StateWritten) -> bool:
        """Take in an answer; return whether the bus has to be read, because it has another revision of the key."""
        key = message.key
        self._under_way.discard(key)
        if message.written is not None and message.written.revision is not None:
            self._revisions[key], self._has[key] = message.written.revision, message.value
            self._is_headed = self._is_headed or key == HEAD
            self.write()
            return False
        if key != HEAD:
            self._pending.setdefault(key, message.value)
        return message.written is not None

    def _teller(self, key: str, value: bytes) -> Callable[[Written | None], object]:
        return lambda written: self._tell(StateWritten(self._account, key, value, written))


def _says_the_same(had: bytes | None, value: bytes) -> bool:
    """Whether a value is of the same state; of a copy the bus may know the leader's order besides."""
    if had is None:
        return False
    try:
        before, now = record_of(had), record_of(value)
    except ValueError:
        return False
    if isinstance(before, CopyChanged) and isinstance(now, CopyChanged):
        return before.copy == now.copy
    return getattr(before, "entry", before) == getattr(now, "entry", now)
