"""Something that is read again when it has changed, but not so often that reading is all that is done."""

import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

#: The part of the time that reads may take, and seconds after which one is made anyhow.
BUSY_PART, AFTER = 0.1, 30.0


class Paced(Generic[T]):
    """Keeps what was read last."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: list[T] = []
        self._seen: object = None
        self._may_read_at = 0.0
        self.read_at = 0.0

    def get(self, seen: object, read: Callable[[], T]) -> T:
        """Return what ``read`` gives, or gave last if ``seen`` has not changed since or it is too early."""
        began = self._clock()
        is_due = seen != self._seen or began - self.read_at > AFTER
        if self._kept and (not is_due or began < self._may_read_at):
            return self._kept[0]
        self._kept[:] = [read()]
        self._seen, self.read_at = seen, self._clock()
        self._may_read_at = self.read_at + (self.read_at - began) * (1 / BUSY_PART - 1)
        return self._kept[0]
