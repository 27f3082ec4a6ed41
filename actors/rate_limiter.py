"""Grants permits: nobody sends an order request to the broker without one."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from loguru import logger

from actors.base import ActorDied, ActorUp, GuardedActor, Incarnation
from actors.clock import Clock
from actors.messages import (
    PermitGranted,
    PermitId,
    RateLimiterMessage,
    ReleasePermit,
    RequestPermit,
    ServeWaiting,
    SettlePermit,
)
from copytrade.budget import Budget, Window
from copytrade.logs import fields


@dataclass(slots=True)
class _Account:
    budget: Budget
    epoch: int = 0
    waiting: dict[PermitId, RequestPermit] = field(default_factory=dict)
    told_to_wait: bool = False


class RateLimiter(GuardedActor[RateLimiterMessage]):
    """Keeps a budget for each follower. It never blocks and never sleeps: who must wait is served later."""

    def __init__(
        self,
        life: Incarnation[RateLimiterMessage],
        clock: Clock,
        windows: Sequence[Window],
    ) -> None:
        super().__init__(life)
        self._clock = clock
        self._windows = tuple(windows)
        self._accounts: dict[str, _Account] = {}
        self._granted = 0
        self._waits = 0

    def receive(self, message: RateLimiterMessage) -> None:
        """Queue a request or take a permit back, then serve whoever can be served."""
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
                account = self._accounts[follower]
            case ActorUp() | ActorDied():
                return
        self._serve(message.follower, account)

    def _account(self, follower: str, epoch: int) -> _Account:
        account = self._accounts.get(follower)
        if account is None:
            account = self._accounts[follower] = _Account(Budget(self._windows))
            if self.epoch > 1:  # our predecessor may have granted anything until now
                account.budget.assume_full(time.monotonic())
        if epoch > account.epoch:
            # What the predecessor was granted may have been sent at any moment until now.
            account.budget.settle_all(time.monotonic())
            account.waiting.clear()
            account.epoch = epoch
        return account

    def _serve(self, follower: str, account: _Account) -> None:
        while account.waiting:
            now = time.monotonic()
            if delay := account.budget.delay(now):
                if not account.told_to_wait:
                    account.told_to_wait = True
                    self._waits += 1
                    waiting = fields(follower=follower, waiting=len(account.waiting))
                    logger.info("Rate limit reached, waiting {:.2f}s {}", delay, waiting)
                self._clock.tell_later(delay, self.seat, ServeWaiting(follower))
                break
            request = min(account.waiting.values(), key=lambda waiting: waiting.lane)
            del account.waiting[request.permit]
            account.budget.grant(request.permit)
            account.told_to_wait = False
            self._granted += 1
            request.reply_to.tell(PermitGranted(request.permit))
        self.vitals.figures = fields(permits=self._granted, waits=self._waits)
