"""Leaving a copy alone for a while, after what could not be done for it."""

from actors.base import Seat
from actors.clock import Clock
from actors.messages import FollowerMessage, Retry
from copytrade.agenda import CopyId
from copytrade.desk import Desk

#: Seconds before a request that the broker or the network prevented is tried again, doubling up to the last.
RETRY_FIRST, RETRY_LAST = 1.0, 30.0


class Retries:
    """A part of a follower, in its thread."""

    def __init__(self, seat: Seat[FollowerMessage], epoch: int, clock: Clock, desk: Desk) -> None:
        self._seat = seat
        self._epoch = epoch
        self._clock = clock
        self._desk = desk
        self._tries: dict[CopyId, int] = {}

    def hold(self, copy_id: CopyId) -> None:
        """Leave a copy alone after a request that came to nothing, for longer each time in a row."""
        tries = self._tries[copy_id] = self._tries.get(copy_id, 0) + 1
        self.leave_alone(copy_id, doubled(tries))

    def leave_alone(self, copy_id: CopyId, seconds: float) -> None:
        """Leave a copy alone for so long."""
        self._desk.hold(copy_id)
        self._clock.tell_later(seconds, self._seat, Retry(copy_id, self._epoch))

    def forget(self) -> None:
        """Forget what was never taken of what is over."""
        self._tries = {copy_id: tries for copy_id, tries in self._tries.items() if self._desk.is_known(copy_id[0])}

    def accepted(self, copy_id: CopyId) -> None:
        """Take note that a request was taken: what comes to nothing after it is the first of a row."""
        self._tries.pop(copy_id, None)


def doubled(tries: int) -> float:
    """Return the seconds to wait after so many tries."""
    return min(RETRY_LAST, RETRY_FIRST * 2.0 ** min(tries - 1, 10))
