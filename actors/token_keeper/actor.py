"""Sees that every account has a working access token: checks it, replaces it in time, and tells its users."""

import itertools
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from loguru import logger
from msgspec.structs import replace

from actors.messages.tokens import (
    CheckToken,
    CredentialsGiven,
    LoginTried,
    TokenAccountJoined,
    TokenAccountLeft,
    TokenLost,
    TokenNews,
    TokenReplaced,
    WantToken,
)
from actors.runtime.actor import GuardedActor, Incarnation
from actors.runtime.address import Recipient
from actors.runtime.timers import Clock
from actors.token_keeper.messages import LookAfterToken, TellToken, TokenChecked, TokenFetched, TokenKeeperInbox
from actors.token_keeper.requests import ask_broker
from copytrade.brokers.api import Profile, TokenService
from copytrade.brokers.outcomes import Accepted, Outcome, Refusal, Refused, Unknown
from copytrade.brokers.tokens.lifecycle import Failure, Step, TokenLifecycle, TokenPolicy
from copytrade.brokers.tokens.storage import KeptToken, KeptTokens, TokenPlace, TokensUnreadable
from copytrade.brokers.tokens.token import Credentials, Token
from copytrade.common import wall_clock
from copytrade.common.logs import alert, fields, over
from copytrade.common.measures import Figure, PartOf, seconds
from copytrade.common.redaction import hide
from copytrade.core.lease.lease import Fence
from copytrade.core.model.orders import IST

#: Seconds that one wait may last. It ends at a time of day, and the machine may sleep meanwhile.
SHORTEST_WAIT, LONGEST_WAIT = 0.05, 600.0

#: How long a login waits for the lease each time.
WAIT_FOR_LEASE = timedelta(seconds=0.5)

#: What a person can do for an account that cannot get a token by itself.
_REMEDY = "put a new access_token into the settings, .env or the token file and send SIGHUP"


class TokenKeeper(GuardedActor[TokenKeeperInbox]):
    """The only owner of every account's token, because a login elsewhere ends the one before.

    Its requests run on one thread an account, so that no account waits for another's.
    """

    def __init__(
        self,
        life: Incarnation[TokenKeeperInbox],
        clock: Clock,
        accounts: Mapping[str, Credentials],
        requests: Mapping[str, TokenService],
        place: TokenPlace,
        policy: TokenPolicy,
        leases: Recipient[LoginTried] | None = None,
        fences: Mapping[str, Fence] | None = None,
    ) -> None:
        """``leases`` is told of logins where other nodes may have an account; it is logged in only within its fence."""
        super().__init__(life)
        self._leases = leases
        self._fences = dict(fences or {})
        self._clock = clock
        self._accounts = dict(accounts)
        self._requests = dict(requests)
        self._place = place
        self._policy = policy
        self._kept: dict[str, KeptToken] = {}
        self._lifecycle: dict[str, TokenLifecycle] = {}
        self._told: dict[str, TokenNews] = {}
        self._tell: dict[str, dict[str, Recipient[TokenNews]]] = {account: {} for account in accounts}
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self._numbers = itertools.count(1)
        self._alarm: dict[str, int] = {}
        self._not_kept: set[str] = set()
        #: The accounts whose token somebody was told of.
        self._alerted: set[str] = set()
        self._fetched = self._failed = 0

    def set_up(self) -> None:
        """Take the tokens that were kept or are in the settings, and check them."""
        self._kept.update(self._read())
        for account, credentials in self._accounts.items():
            self._begin(account, credentials)

    def receive(self, message: TokenKeeperInbox) -> None:
        """Answer those who want a token; take in the broker's answers."""
        match message:
            case (
                WantToken(account)
                | CheckToken(account)
                | TokenChecked(account)
                | TokenFetched(account)
                | TellToken(account)
            ) if account not in self._lifecycle:
                pass  # it has left
            case TokenAccountJoined(account, requests=requests) if account in self._lifecycle:
                requests.close()  # this incarnation has begun with it
            case TokenAccountJoined(account, credentials, requests, fence):
                if fence is not None:
                    self._fences[account] = fence
                self._accounts[account], self._requests[account] = credentials, requests
                self._tell.setdefault(account, {})
                self._kept.update(self._read())
                self._begin(account, credentials, message.tried, logs_in=message.logs_in)
            case TokenAccountLeft(account):
                self._end_account(account)
            case WantToken(account, reply_to):
                self._tell[account][reply_to.name] = reply_to
                if account in self._told:
                    reply_to.tell(self._told[account])
            case CheckToken(account, refused):
                self._lifecycle[account].doubt(refused=refused)
                self._pump(account)
            case TokenChecked(account, token, outcome):
                self._take_check(account, token, outcome)
                self._pump(account)
            case TokenFetched(account, step, outcome):
                self._take_token(account, step, outcome)
                self._pump(account)
            case TellToken(account, token):
                if self._lifecycle[account].is_usable and self._lifecycle[account].token == token:
                    self._say(account, again=True)
            case LookAfterToken(account, number) if number == self._alarm.get(account):
                self._pump(account)
            case CredentialsGiven(accounts):
                self._take_credentials(accounts)
            case _:
                pass

    def tear_down(self) -> None:
        """Ask for nothing more. A login that is under way when this incarnation dies may still succeed."""
        for account, thread in self._threads.items():
            thread.shutdown(wait=False, cancel_futures=True)
            if self.health.state == "stopped":
                self._requests[account].close()

    def figures(self) -> dict[str, Figure]:
        """Return how many accounts have a token, and how many tokens were fetched."""
        usable = sum(lifecycle.is_usable for lifecycle in self._lifecycle.values())
        return {"tokens": PartOf(usable, len(self._accounts)), "fetched": self._fetched, "failed": self._failed or ""}

    def _begin(
        self, account: str, credentials: Credentials, tried: LoginTried | None = None, *, logs_in: bool = False
    ) -> None:
        """Look after an account's token from now on; with ``logs_in`` no known token is used before a login."""
        self._threads[account] = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"token-{account}")
        kept = self._kept.get(credentials.client_id, KeptToken())
        attempted = max((at for at in (kept.attempted, tried.at if tried else None) if at), default=None)
        logs_in = logs_in and credentials.can_log_in
        begins = replace(credentials, given=None) if logs_in else credentials
        lifecycle = self._lifecycle[account] = TokenLifecycle(
            begins,
            None if logs_in else kept.token,
            attempted,
            self._policy,
            wall_clock.now(),
            tried.refusals if tried else 0,
        )
        lifecycle.credentials = credentials
        self._hide(account)
        self._pump(account)

    def _end_account(self, account: str) -> None:
        """Look after an account's token no more."""
        if account in self._lifecycle:
            self._threads.pop(account).shutdown(wait=False, cancel_futures=True)
            self._requests.pop(account).close()
            del self._lifecycle[account], self._accounts[account]
            self._fences.pop(account, None)
            for known in (self._tell, self._told, self._alarm):
                known.pop(account, None)

    def _pump(self, account: str) -> None:
        """Take the next step for an account's token, or schedule it."""
        lifecycle, now = self._lifecycle[account], wall_clock.now()
        if expires := lifecycle.to_warn_of(now):
            self._alerted.add(account)
            when = fields(account=account, expires=f"{expires.astimezone(IST):%Y-%m-%d %H:%M}")
            alert("token", account, f"Token expires soon, {_REMEDY} {{}}", when, level="WARNING")
        step = lifecycle.next(now)
        if isinstance(step, Step) and step is not Step.CHECK and not self._may_log_in(account):
            step = now + WAIT_FOR_LEASE
        if isinstance(step, Step):
            self._ask(account, step, now)
        elif step is not None:
            self._alarm[account] = next(self._numbers)
            delay = min(LONGEST_WAIT, max(SHORTEST_WAIT, (step - now).total_seconds()))
            self._clock.tell_later(delay, self.address, LookAfterToken(account, self._alarm[account]))
        self._say(account)

    def _ask(self, account: str, step: Step, now: datetime) -> None:
        lifecycle = self._lifecycle[account]
        lifecycle.begin(step, now)
        self._alarm.pop(account, None)
        if step is not Step.CHECK:
            self._keep(account)  # so that a restart does not ask again too soon
            self._tell_of_login(account)
        requests, credentials, token = self._requests[account], lifecycle.credentials, lifecycle.token
        self._threads[account].submit(ask_broker, self.address, account, requests, step, credentials, token)

    def _may_log_in(self, account: str) -> bool:
        """Whether no other node can have the account: nodes that log in at the same time end each other's token."""
        fence = self._fences.get(account)
        return fence is None or fence.is_held(time.monotonic())

    def _tell_of_login(self, account: str) -> None:
        if self._leases is not None:
            lifecycle = self._lifecycle[account]
            self._leases.tell(LoginTried(account, lifecycle.attempted, lifecycle.login_refusals))

    def _take_check(self, account: str, token: Token | None, outcome: Outcome[Profile]) -> None:
        lifecycle, now = self._lifecycle[account], wall_clock.now()
        if token != lifecycle.token:
            lifecycle.checked_another()
            return
        match outcome:
            case Accepted(profile):
                if delay := lifecycle.checked(profile.token_valid_until, now):
                    again = fields(account=account, again=seconds(delay, 1))
                    logger.warning("Token works though it was refused {}", again)
                    if lifecycle.token:
                        self._clock.tell_later(delay, self.address, TellToken(account, lifecycle.token))
                else:
                    self._say(account, again=True)
            case Refused(Refusal.TOKEN, code, message):
                lifecycle.refused(f"{code} {message}".strip(), now)
                self._hide(account)
            case _:
                lifecycle.unanswered(now)

    def _take_token(self, account: str, step: Step, outcome: Outcome[Token]) -> None:
        lifecycle, now = self._lifecycle[account], wall_clock.now()
        who = fields(account=account, by=step)
        if isinstance(outcome, Accepted):
            self._fetched += 1
            hide(outcome.value.secret)
            lifecycle.replaced(outcome.value)
            self._keep(account)
            until = fields(expires=f"{end.astimezone(IST):%Y-%m-%d %H:%M}" if (end := outcome.value.expires) else "")
            self._tell_of_login(account)
            over("login", account, "Token replaced {} {}", who, until)
            return
        self._failed += 1
        match outcome:
            case Refused(Refusal.NOT_SENT, _, message):
                lifecycle.not_replaced(Failure.NOT_SENT, now)
                logger.warning("Token not replaced, the broker cannot be reached {} {}", who, fields(error=message))
            case Refused(Refusal.RATE_LIMITED, _, message) | Unknown(message):
                lifecycle.not_replaced(Failure.OPEN, now)
                logger.warning("Token not replaced, again after a while {} {}", who, fields(error=message))
            case Refused(_, code, message):
                lifecycle.not_replaced(Failure.REFUSED, now)
                error = fields(error=f"{code} {message}".strip())
                if step is Step.RENEW:
                    logger.warning("Token cannot be renewed {} {}", who, error)
                else:
                    text = "Login refused, are PIN and TOTP secret right, and this machine's clock? {} {}"
                    alert("login", account, text, who, error)
        self._keep(account)
        self._tell_of_login(account)

    def _take_credentials(self, accounts: Mapping[str, Credentials]) -> None:
        """Take over what settings and token file say now, on SIGHUP."""
        on_disk = self._read()
        self._kept.update({client_id: kept for client_id, kept in on_disk.items() if kept.token is not None})
        for account, lifecycle in self._lifecycle.items():
            credentials = accounts.get(account, lifecycle.credentials)
            if credentials.client_id != lifecycle.credentials.client_id:
                logger.warning("Another client_id needs a restart {}", fields(account=account))
                continue
            kept = self._kept.get(credentials.client_id, KeptToken())
            lifecycle.give(credentials, kept.token, wall_clock.now())
            self._hide(account)
            self._pump(account)
        logger.info("Tokens read again {}", fields(accounts=len(self._lifecycle)))

    def _say(self, account: str, *, again: bool = False) -> None:
        """Tell the users of an account's token what has changed, if anything has."""
        lifecycle, told = self._lifecycle[account], self._told.get(account)
        news: TokenNews
        if lifecycle.is_usable and lifecycle.token:
            news = TokenReplaced(account, lifecycle.token.secret, lifecycle.token.expires)
        elif lifecycle.is_busy:
            return  # its step ends soon
        else:
            news = TokenLost(account, lifecycle.problem)
            if not isinstance(told, TokenLost):
                self._alert_loss(account)
        if isinstance(news, TokenReplaced) and news != told and account in self._alerted:
            self._alerted.discard(account)
            over("token", account, "Token works {}", fields(account=account))
        if news != told or again:
            self._told[account] = news
            for address in self._tell[account].values():
                address.tell(news)

    def _alert_loss(self, account: str) -> None:
        lifecycle = self._lifecycle[account]
        self._alerted.add(account)
        why = fields(account=account, error=lifecycle.problem)
        if lifecycle.is_helpless:
            alert("token", account, f"Token refused, the account waits for another: {_REMEDY} {{}}", why)
        else:
            alert("token", account, "Token refused, the account waits for another {}", why, level="ERROR")

    def _hide(self, account: str) -> None:
        """Keep the secrets in use out of the log."""
        lifecycle = self._lifecycle[account]
        credentials = lifecycle.credentials
        token = lifecycle.token.secret if lifecycle.token else None
        for secret in (token, credentials.given, credentials.pin, credentials.totp_secret):
            if secret is not None:
                hide(secret)

    def _read(self) -> KeptTokens:
        try:
            return self._place.read()
        except TokensUnreadable as error:
            logger.warning("Kept tokens unreadable {}", fields(where=self._place, problem=error))
            return {}

    def _keep(self, account: str) -> None:
        """Keep an account's token for the next run, unless it is in the settings, and when it was last asked for."""
        lifecycle = self._lifecycle[account]
        token = lifecycle.token
        kept = KeptToken(attempted=lifecycle.attempted)
        if token is not None and token.secret != lifecycle.credentials.given:
            kept = KeptToken(token.secret, token.expires, token.source, lifecycle.attempted)
        self._kept[lifecycle.credentials.client_id] = kept
        try:
            self._place.write(self._kept)
            if account in self._not_kept:
                self._not_kept.discard(account)
                over("token_not_kept", account, "Token is kept {}", fields(account=account, where=self._place))
        except Exception as error:  # a full disk, or whatever a keyring raises
            self._not_kept.add(account)
            where = fields(where=self._place, problem=type(error).__name__)
            alert("token_not_kept", account, "Token not kept, a restart will need another {}", where, level="ERROR")
