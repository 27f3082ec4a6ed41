"""One follower's permits: the one that it has asked for, and the one that it holds for the next request."""

import itertools
from collections.abc import Sequence

from actors.follower.messages import FollowerInbox
from actors.messages.permits import (
    PermitDelayed,
    PermitId,
    RateLimiterMessage,
    ReleasePermit,
    RequestPermit,
    SettlePermit,
)
from actors.runtime.address import Address, Recipient
from copytrade.core.model.lane import Lane
from copytrade.reports.log_lines import order_log

#: Waits for the budget that are longer than so many seconds are recorded with the orders.
LONG_WAIT = 60.0


class Permits:
    """A part of a follower, in its thread. It has asked for one permit or holds one, never both."""

    def __init__(self, address: Address[FollowerInbox], epoch: int, limiter: Recipient[RateLimiterMessage]) -> None:
        self._address = address
        self._epoch = epoch
        self._limiter = limiter
        self._numbers = itertools.count(1)
        self._asked: tuple[PermitId, Lane] | None = None
        self._spare: tuple[PermitId, Lane] | None = None
        #: The lane that has to wait for longer than :data:`LONG_WAIT`, None if none has.
        self.waits_long_in: Lane | None = None

    def request(self, lane: Lane) -> None:
        """Ask for a permit, or move the one asked for to a more urgent lane; not if one is held."""
        if self._spare is None and (self._asked is None or lane < self._asked[1]):
            permit = self._asked[0] if self._asked else PermitId(self._epoch, next(self._numbers))
            self._asked = (permit, lane)
            self._limiter.tell(RequestPermit(self._address.name, permit, lane, self._address))

    def take(self, permit: PermitId) -> None:
        """Hold a permit that was granted. It is spent after the message has been handled."""
        if self._asked is None or permit != self._asked[0]:
            self.release(permit)
        else:
            _, granted_in = self._asked
            self._asked, self._spare = None, self._asked
            if self.waits_long_in is not None and granted_in >= self.waits_long_in:
                self.waits_long_in = Lane.ENTRY if granted_in.may_use_reserve else None  # entries still wait
                if self.waits_long_in is None:
                    order_log.budget_allows(self._address.name)

    def delayed(self, message: PermitDelayed, orders: Sequence[str]) -> None:
        """Log that the budget makes ``orders`` wait; note it if that takes long."""
        is_long = message.seconds > LONG_WAIT
        order_log.rate_limited(self._address.name, message.lane, message.seconds, orders, is_long=is_long)
        if is_long and self._asked is not None:
            self.waits_long_in = message.lane

    def spend(self, lane: Lane | None) -> PermitId | None:
        """Return the permit that is held if it covers this lane, else None."""
        if self._spare is None:
            return None
        permit, granted_for = self._spare
        if lane is not None and lane <= granted_for:
            self._spare = None
            return permit
        if granted_for.may_use_reserve:  # its request is not wanted any more, and no entry may use it
            self._spare = None
            self.release(permit)
        return None

    def release(self, permit: PermitId) -> None:
        """Give a permit back that was not needed."""
        self._limiter.tell(ReleasePermit(self._address.name, permit))

    def settle(self, permit: PermitId, at: float) -> None:
        """Say that a permit's request has been answered."""
        self._limiter.tell(SettlePermit(self._address.name, permit, at))

    def forget(self) -> None:
        """Forget all permits: the rate limiter that granted them has died."""
        self._asked = self._spare = None
        self.waits_long_in = None
