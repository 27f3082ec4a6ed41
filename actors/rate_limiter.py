"""Grants permits: no order request is sent to the broker without one."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from actors.messages.permits import (
    CountRequests,
    PermitDelayed,
    PermitGranted,
    PermitId,
    RateLimiterMessage,
    ReleasePermit,
    RequestPermit,
    RequestsCarried,
    RequestsCounted,
    RequestsLoaded,
    SettlePermit,
)
from actors.messages.store import LoadRequests, StoreMessage
from actors.runtime.actor import ActorUp, GuardedActor, Incarnation
from actors.runtime.address import Recipient
from actors.runtime.timers import Clock
from copytrade.brokers.budget import Budget, Window, midnight
from copytrade.common.measures import Figure
from copytrade.core.model.lane import Lane

#: If the last known request is no older than this, in seconds, later ones may not have been recorded.
RESTART_WITHIN = 60.0

#: Seconds after a wait within which another counts as the same.
SAME_WAIT = 1.0

#: A wait that ends so many seconds after the last one is another: it is due to a longer window.
MUCH_LONGER = 60.0


@dataclass(frozen=True, slots=True)
class ServeWaiting:
    """The follower's budget may allow a request now."""

    follower: str


RateLimiterInbox = RateLimiterMessage | ServeWaiting


@dataclass(slots=True)
class _Account:
    budget: Budget
    epoch: int = 0
    waiting: dict[PermitId, RequestPermit] = field(default_factory=dict)
    waits_until: float = 0.0
    waits_in: Lane = Lane.SPARE
    wakes_at: float = 0.0


class RateLimiter(GuardedActor[RateLimiterInbox]):
    """Keeps a request budget for each follower. It never blocks: whoever must wait is served later.

    Nobody is served before the store has told what an earlier run sent, because the broker counts that too.
    """

    def __init__(
        self,
        life: Incarnation[RateLimiterInbox],
        clock: Clock,
        store: Recipient[StoreMessage],
        windows: Sequence[Window],
    ) -> None:
        super().__init__(life)
        self._clock = clock
        self._store = store
        self._windows = tuple(windows)
        self._accounts: dict[str, _Account] = {}
        self._is_loaded = False
        self._granted = 0
        self._waits = 0

    def set_up(self) -> None:
        """Ask the store what was sent before."""
        self._store.tell(LoadRequests(self.address))

    def receive(self, message: RateLimiterInbox) -> None:
        """Queue a request or take a permit back, then grant what the budget allows."""
        match message:
            case RequestPermit(follower, permit):
                account = self._account(follower, permit.epoch)
                if not account.budget.is_open(permit):  # granted already: the two messages crossed
                    account.waiting[permit] = message
            case SettlePermit(follower, permit, at):
                account = self._account(follower, permit.epoch)
                account.budget.settle(permit, at)
            case ReleasePermit(follower, permit):
                account = self._account(follower, permit.epoch)
                account.waiting.pop(permit, None)
                account.budget.release(permit)
            case ServeWaiting(follower):
                account = self._account(follower, 0)
            case RequestsLoaded():
                self._load(message)
                return
            case RequestsCarried(follower, answered):
                self._account(follower, 0).budget.restate(answered, time.monotonic())
                return
            case CountRequests(reply_to):
                reply_to.tell(RequestsCounted({name: one.budget.answered for name, one in self._accounts.items()}))
                return
            case ActorUp(name) if name == self._store.name and not self._is_loaded:
                self._store.tell(LoadRequests(self.address))
                return
            case _:
                return
        if account.waiting and self._is_loaded:
            self._serve(account)

    def figures(self) -> dict[str, Figure]:
        """Return how many permits were granted, and how many waits there were."""
        return {"permits": self._granted, "waits": self._waits}

    def details(self) -> dict[str, Any]:
        """Return how many requests each follower has left, by window."""
        now = time.monotonic()
        return {"left": {name: account.budget.left(now) for name, account in self._accounts.items()}}

    def _load(self, loaded: RequestsLoaded) -> None:
        """Count requests of earlier runs. If one was recent, unrecorded ones are assumed to fill the budget."""
        if self._is_loaded:
            return
        self._is_loaded = True
        now = time.monotonic()
        for follower, answered in loaded.answered.items():
            account = self._account(follower, 0)
            account.budget.remember(answered)
            if answered and max(answered) > now - RESTART_WITHIN:
                account.budget.assume_full(now)
        for account in self._accounts.values():
            if self.epoch > 1:  # our predecessor may have granted anything until now
                account.budget.assume_full(now)
            self._serve(account)

    def _account(self, follower: str, epoch: int) -> _Account:
        account = self._accounts.get(follower)
        if account is None:
            account = self._accounts[follower] = _Account(Budget(self._windows, midnight()))
            if self.epoch > 1 and self._is_loaded:
                account.budget.assume_full(time.monotonic())
        if epoch > account.epoch:
            # What the predecessor was granted may have been sent at any moment until now.
            account.budget.settle_all(time.monotonic())
            account.waiting.clear()
            account.epoch = epoch
            account.waits_until, account.waits_in = 0.0, Lane.SPARE  # its predecessor was told, it was not
        return account

    def _serve(self, account: _Account) -> None:
        while account.waiting:
            now = time.monotonic()
            request = min(account.waiting.values(), key=lambda waiting: waiting.lane)
            if delay := account.budget.delay(now, request.lane):
                self._have_wait(account, request, now, delay)
                return
            del account.waiting[request.permit]
            account.budget.grant(request.permit)
            self._granted += 1
            request.reply_to.tell(PermitGranted(request.permit))

    def _have_wait(self, account: _Account, request: RequestPermit, now: float, delay: float) -> None:
        """Serve an account later, and tell it once a wait, unless only a permit in advance waits.

        A request that has to wait within :data:`SAME_WAIT` of another belongs to the same wait, unless it waits
        :data:`MUCH_LONGER`: a burst is told once, not for each order. A request that is more urgent than those told
        before is told too.
        """
        if request.lane is not Lane.SPARE:
            until = account.waits_until
            is_another = now > until + SAME_WAIT or now + delay > until + MUCH_LONGER
            if is_another:
                self._waits += 1
            if is_another or request.lane < account.waits_in:
                account.waits_in = request.lane
                request.reply_to.tell(PermitDelayed(request.permit, request.lane, delay))
            account.waits_until = now + delay
        if not now < account.wakes_at <= now + delay:
            account.wakes_at = now + delay
            self._clock.tell_later(delay, self.address, ServeWaiting(request.follower))
