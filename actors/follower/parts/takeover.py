"""What holds for an account that several nodes may trade: the lease, and the time after another node has had it."""

import math
import time

from actors.follower.account import Tenure
from actors.follower.messages import AdoptOrphanOrders, FollowerInbox
from actors.runtime.address import Address
from actors.runtime.timers import Clock
from copytrade.core.engine.engine import CopyEngine
from copytrade.core.model.lane import Lane


class Takeover:
    """A part of a follower, in its thread. Without a ``tenure`` no other node has the account, ever.

    After another node has had it, entries wait for so many seconds after the first token: what that node has sent may
    turn up so late, and until then it may not have learned that its token has ended.
    """

    def __init__(
        self, address: Address[FollowerInbox], epoch: int, clock: Clock, engine: CopyEngine, tenure: Tenure | None
    ) -> None:
        self._address = address
        self._epoch = epoch
        self._clock = clock
        self._engine = engine
        self._tenure = tenure
        self._wait = tenure.entries_wait if tenure is not None else 0.0
        self._ends = math.inf if self._wait else 0.0
        if self._wait:
            engine.context.exit_reads.read_twice()
        self.mind()

    def goes_on(self, began: float) -> bool:
        """Whether what a read shows that began at a monotonic time may lack orders of the node before."""
        return began < self._ends

    def take_token(self) -> None:
        """Begin to wait, with the first token: whoever takes an account over logs in."""
        if self._ends == math.inf:
            self._ends = time.monotonic() + self._wait
            self._clock.tell_later(self._wait, self._address, AdoptOrphanOrders(self._epoch))

    def mind(self) -> None:
        """Let entries leave only while the lease is young enough."""
        if self._tenure is None:
            return
        is_open = not self._tenure.fence.refusal(Lane.ENTRY, time.monotonic())
        if self._engine.context.fence_open is not is_open:
            self._engine.context.fence_open = is_open
            self._engine.look_again()
