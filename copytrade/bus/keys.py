"""Keys on the bus: reads and compare-and-set writes, whose answers come later."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's value and its revision. A key that is not there has no value and revision 0."""

    key: str
    value: bytes | None
    revision: int


@dataclass(frozen=True, slots=True)
class Read:
    """Entries that were read, and the id of the store that has them; None where the bus did not answer."""

    entries: Sequence[Entry]
    store: str


@dataclass(frozen=True, slots=True)
class Written:
    """The new revision of a key; None where the bus has refused the write, as it has another revision of it."""

    revision: int | None


class KeyBus(Protocol):
    """Buckets of keys. Each call returns at once; ``then`` is called once, from any thread, with None for no answer."""

    def read(self, bucket: str, key: str, then: Callable[[Read | None], object]) -> None:
        """Read a key."""
        ...

    def read_all(self, bucket: str, then: Callable[[Read | None], object]) -> None:
        """Read every key of a bucket."""
        ...

    def write(
        self, bucket: str, key: str, value: bytes, revision: int, then: Callable[[Written | None], object]
    ) -> None:
        """Write a key if its revision is still the one given, 0 for a key that is not there."""
        ...
