"""How one account stands: whether anything may be sent for it, whether it may enter, and what it shows of that."""

import time

from loguru import logger

from actors.follower.messages import FollowerInbox, Resume
from actors.messages.followers import Drain, Drained
from actors.messages.tokens import CheckToken, TokenKeeperMessage
from actors.runtime.address import Address, Recipient
from actors.runtime.timers import Clock
from copytrade.brokers.outcomes import Refusal
from copytrade.common.logs import alert, fields
from copytrade.core.engine.copies.holds import pause
from copytrade.core.engine.engine import CopyEngine
from copytrade.reports.preflight import ADDRESS_REFUSED

#: Seconds after which an account that the broker refuses is tried again, doubling up to the last.
SUSPENDED_FOR, SUSPENDED_AT_MOST = 60.0, 900.0


class AccountState:
    """A part of a follower, in its thread. ``enters`` is what the settings say of entries."""

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
        self._enabled = True
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
        #: How often the broker has called for less.
        self.rate_limited = 0

    @property
    def may_send(self) -> bool:
        """Whether a request may be begun."""
        return self._token_since is not None and not (self._drain or self.suspended or self._throttled)

    @property
    def is_draining(self) -> bool:
        """Whether nothing new is to be begun."""
        return self._drain is not None

    @property
    def is_barred(self) -> bool:
        """Whether not even what was begun may leave."""
        return bool(self.suspended) or self._token_since is None

    @property
    def obstacle(self) -> str:
        """Why nothing is copied until somebody mends it, "" where nothing has to be mended."""
        return self.suspended or self._token_lost

    def state(self, *, is_ready: bool) -> str:
        """Return what is shown of the account, ``is_ready`` where the follower knows all that it has to."""
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
        return "live" if self._enabled else "paused"

    def switch(self, *, enabled: bool) -> None:
        """Enter nothing more, or enter again; what the settings switch off stays off."""
        if enabled is not self._enabled:
            self._enabled = enabled
            logger.warning("Entries {} {}", "resumed" if enabled else "paused", fields(follower=self._address.name))
        self._engine.switch_entries(enabled=enabled and self._enters)

    def suspend(self, refusal: Refusal, error: str) -> None:
        """Send nothing for long, longer each time: the broker refuses the account itself, until somebody mends that."""
        if self.suspended:
            return  # of requests that left together
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
        """Go on with a token that works: everything is decided afresh, for the market has gone on meanwhile."""
        if self._token_lost:
            logger.info("Account goes on with a token that works {}", fields(follower=self._address.name))
        if self._token_since is None:
            self._engine.look_again()
        self._token_since, self._token_lost = time.monotonic(), ""

    def lose_token(self, why: str) -> None:
        """Wait for another token; what cannot be copied meanwhile is recorded, and decided afresh when there is one."""
        if not self._token_lost:
            what = fields(follower=self._address.name, why="token", error=why, open=len(self._engine.copies.live))
            alert("suspended", self._address.name, "Account waits for a token that works {}", what, level="ERROR")
        self._token_since, self._token_lost = None, why

    def doubt_token(self, sent: float) -> None:
        """Send nothing until the token is known to work, or replaced; unless the request left with an earlier one."""
        if self._token_since is not None and sent >= self._token_since:
            self._token_since = None
            self._tokens.tell(CheckToken(self._address.name, refused=True))

    def back_off(self) -> None:
        """Send nothing for a while, for longer each time that the broker calls for less in a row."""
        self.rate_limited += 1
        if self._throttled:
            return  # of requests that left together
        self._throttled = True
        self._throttles += 1
        delay = pause(self._throttles)
        self._throttled_until = time.monotonic() + delay
        logger.warning("Broker's rate limit, backing off {:.0f}s {}", delay, fields(follower=self._address.name))
        self._clock.tell_later(delay, self._address, self._resume)

    def resume(self) -> None:
        """Send again after having backed off, or been suspended: what was refused may be mended."""
        now = time.monotonic()
        if self._throttled and now >= self._throttled_until:
            self._throttled = False
        if self.suspended and now >= self._suspended_until:
            self.suspended = ""
            self._engine.look_again()

    def accepted(self) -> None:
        """Take note that the broker does what it is asked: the row of its calls for less is over."""
        self._throttles = 0
        if self._suspensions:
            self._suspensions = 0
            logger.info("Account goes on, the broker takes its requests {}", fields(follower=self._address.name))

    def drain(self, message: Drain) -> None:
        """Begin nothing new."""
        self._drain = message

    def end_draining(self) -> None:
        """Say once that nothing is under way any more."""
        if self._drain is not None and not self._has_drained:
            self._has_drained = True
            self._drain.reply_to.tell(Drained(self._address.name))
