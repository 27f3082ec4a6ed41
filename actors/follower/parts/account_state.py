"""The state of one account: whether it may send and enter, and what STATUS shows of it."""

import time

from loguru import logger

from actors.follower.messages import FollowerInbox, Resume
from actors.messages.followers import Drain, Drained
from actors.messages.tokens import CheckToken, TokenKeeperMessage
from actors.runtime.address import Address, Recipient
from actors.runtime.timers import Clock
from copytrade.brokers.outcomes import Refusal
from copytrade.common.logs import alert, fields, over
from copytrade.core.engine.copies.holds import pause
from copytrade.core.engine.engine import CopyEngine
from copytrade.reports.preflight import ADDRESS_REFUSED

#: Seconds after which an account that the broker refuses is tried again, doubling up to the last.
SUSPENDED_FOR, SUSPENDED_AT_MOST = 60.0, 900.0


class AccountState:
    """A part of a follower, in its thread. ``enters`` is whether the settings allow entries."""

    def __init__(
        self,
        address: Address[FollowerInbox],
        epoch: int,
        clock: Clock,
        tokens: Recipient[TokenKeeperMessage],
        engine: CopyEngine,
        *,
        enters: bool,
    ) -> None:
        self._address = address
        self._resume = Resume(epoch)
        self._clock = clock
        self._tokens = tokens
        self._engine = engine
        self._enters = enters
        self._pause = ""
        self._token_since: float | None = None
        self._token_lost = ""
        self._throttled = False
        self._throttles = 0
        self._throttled_until = self._suspended_until = 0.0
        self._suspensions = 0
        self._drain: Drain | None = None
        self._has_drained = False
        #: Why the account is suspended, "" while it is not.
        self.suspended = ""
        #: How many requests the broker has refused for its rate limit.
        self.rate_limited = 0

    @property
    def is_paused(self) -> bool:
        """Whether an operator has paused entries."""
        return bool(self._pause)

    @property
    def may_send(self) -> bool:
        """Whether a request may be begun."""
        return self._token_since is not None and not (self._drain or self.suspended or self._throttled)

    @property
    def is_draining(self) -> bool:
        """Whether nothing new may be begun."""
        return self._drain is not None

    @property
    def is_barred(self) -> bool:
        """Whether requests that have been begun must not be sent either."""
        return bool(self.suspended) or self._token_since is None

    @property
    def obstacle(self) -> str:
        """Why nothing is copied until somebody acts, "" if nobody has to."""
        return self.suspended or self._token_lost

    @property
    def why_nothing_leaves(self) -> str:
        """What a command is answered while the broker takes no request of the account, "" while it may."""
        if self.suspended:
            return f"account suspended: {self.suspended}"
        return f"no access token works: {self._token_lost}" if self._token_lost else ""

    def state(self, *, is_ready: bool) -> str:
        """Return the state that is shown; ``is_ready`` says that the follower knows all that it needs."""
        if self.suspended:
            return "suspended"
        if self._token_lost:
            return "unauthorised"
        if not is_ready:
            return "starting"
        if self._drain:
            return "draining"
        if self._throttled:
            return "throttled"
        return "paused" if self._pause else "live"

    def switch(self, pause: str) -> None:
        """Stop entries, or resume them for "". Entries that the settings forbid stay forbidden."""
        if bool(pause) is not bool(self._pause):
            logger.warning("Entries {} {}", "paused" if pause else "resumed", fields(follower=self._address.name))
        self._pause = pause
        self.allow(enters=self._enters)

    def allow(self, *, enters: bool) -> None:
        """Take over whether the settings allow entries; a pause stays."""
        self._enters = enters
        self._engine.switch_entries(enabled=enters and not self._pause, pause=self._pause)

    def suspend(self, refusal: Refusal, error: str) -> None:
        """Send nothing for 60 s, doubling up to 900 s: the broker refuses the account itself."""
        if self.suspended:
            return  # a request that was sent with the one that was refused first
        self.suspended = error
        delay = min(SUSPENDED_AT_MOST, SUSPENDED_FOR * 2.0 ** min(self._suspensions, 10))
        self._suspended_until = time.monotonic() + delay
        self._clock.tell_later(delay, self._address, self._resume)
        why = fields(follower=self._address.name, why=refusal, error=error, open=len(self._engine.copies.live))
        if self._suspensions:
            logger.warning("Account is refused still, trying again in {:.0f}s {}", delay, why)
        else:
            what_to_do = f" {ADDRESS_REFUSED}" if refusal is Refusal.ADDRESS else ""
            alert("suspended", self._address.name, "Account suspended {}{}", why, what_to_do)
        self._suspensions += 1

    def take_token(self) -> None:
        """Go on with a token that works, and decide everything again: the market has moved meanwhile."""
        if self._token_lost:
            who = self._address.name
            over("suspended", who, "Account goes on with a token that works {}", fields(follower=who))
        if self._token_since is None:
            self._engine.look_again()
        self._token_since, self._token_lost = time.monotonic(), ""

    def lose_token(self, why: str) -> None:
        """Wait for another token. Orders that come meanwhile are recorded, and decided again with the next one."""
        if not self._token_lost:
            what = fields(follower=self._address.name, why="token", error=why, open=len(self._engine.copies.live))
            alert("suspended", self._address.name, "Account waits for a token that works {}", what, level="ERROR")
        self._token_since, self._token_lost = None, why

    def doubt_token(self, sent: float) -> None:
        """Send nothing until the token is checked or replaced, unless the request left with an earlier token."""
        if self._token_since is not None and sent >= self._token_since:
            self._token_since = None
            self._tokens.tell(CheckToken(self._address.name, refused=True))

    def back_off(self) -> None:
        """Send nothing for a while: longer for each rate-limit refusal in a row."""
        self.rate_limited += 1
        if self._throttled:
            return  # a request that was sent with the one that was refused first
        self._throttled = True
        self._throttles += 1
        delay = pause(self._throttles)
        self._throttled_until = time.monotonic() + delay
        logger.warning("Broker's rate limit, backing off {:.0f}s {}", delay, fields(follower=self._address.name))
        self._clock.tell_later(delay, self._address, self._resume)

    def resume(self) -> None:
        """Send again when the wait is over."""
        now = time.monotonic()
        if self._throttled and now >= self._throttled_until:
            self._throttled = False
        if self.suspended and now >= self._suspended_until:
            self.suspended = ""
            self._engine.look_again()

    def accepted(self) -> None:
        """Reset the rate-limit backoff and the suspension: a request was accepted."""
        self._throttles = 0
        if self._suspensions:
            self._suspensions = 0
            who = self._address.name
            over("suspended", who, "Account goes on, the broker takes its requests {}", fields(follower=who))

    def drain(self, message: Drain) -> None:
        """Begin nothing new."""
        self._drain = message

    def end_draining(self) -> None:
        """Say once that nothing is under way any more."""
        if self._drain is not None and not self._has_drained:
            self._has_drained = True
            self._drain.reply_to.tell(Drained(self._address.name))
