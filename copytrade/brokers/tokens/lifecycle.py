"""The lifecycle of one account's token: when to check it, when and how to replace it. Pure: no I/O."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import SecretStr

from copytrade.brokers.tokens.token import OF_ANOTHER, Credentials, Source, Token, given_token, is_of_another
from copytrade.common.backoff import Backoff

#: Refused logins in a row before it stops: repeated wrong PINs lock the account.
REFUSALS_ALLOWED = 3

#: False alarms within this time of each other are answered later each time.
ALARMS_TOGETHER = timedelta(seconds=60)


class Step(StrEnum):
    """A request to the broker about a token."""

    CHECK = "check"  #: whether the token works, and until when
    RENEW = "renewal"  #: a new token for one that works
    LOG_IN = "login"  #: a new token for PIN and TOTP


class Failure(StrEnum):
    """Why an attempt to get a new token failed."""

    NOT_SENT = "not_sent"  #: the request was not sent
    OPEN = "open"  #: the outcome is unknown, or the request came too soon
    REFUSED = "refused"  #: the broker would refuse it again


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """How long before its expiry a token is replaced and warned about, and how long to wait between attempts."""

    renew_before: timedelta
    warn_before: timedelta
    attempt_interval: timedelta


class TokenLifecycle:
    """One account's token, and the next step for it.

    ``next`` returns what to ask the broker. ``begin`` notes that the request is under way, a method in the past tense
    its result. One request is under way at a time.
    """

    def __init__(
        self,
        credentials: Credentials,
        kept: Token | None,
        attempted: datetime | None,
        policy: TokenPolicy,
        now: datetime,
        login_refusals: int = 0,
    ) -> None:
        """``kept`` is the token of an earlier run, ``attempted`` when a new one was last requested.

        ``login_refusals``: how many logins in a row the broker has refused already.
        """
        self.credentials = credentials
        self.token: Token | None = None
        #: Why there is no usable token, "" if there is one.
        self.problem = "there is no token yet"
        #: When a new token was last requested.
        self.attempted = attempted
        self._policy = policy
        self._refused: set[SecretStr] = set()
        self._login_refusals = login_refusals
        self._asking: Step | None = None
        self._attempted_before = attempted
        self._in_doubt = self._alarmed = self._cannot_renew = self._warned = False
        self._not_before: datetime | None = None
        self._backoff, self._alarms = Backoff(), Backoff()
        self._last_alarm: datetime | None = None
        self._spare = _candidates(credentials, kept)
        self._spare.sort(key=lambda token: token.is_expired(now))
        self._take_spare(now)

    @property
    def login_refusals(self) -> int:
        """How many logins in a row the broker has refused."""
        return self._login_refusals

    @property
    def is_usable(self) -> bool:
        """Whether there is a token that was not refused."""
        return self.token is not None and not self.problem

    @property
    def is_busy(self) -> bool:
        """Whether a request is under way."""
        return self._asking is not None

    @property
    def is_helpless(self) -> bool:
        """Whether only the operator can provide a token that works."""
        return not self.is_usable and not self._may_log_in

    def next(self, now: datetime) -> Step | datetime | None:
        """Return what to ask now, or the time of the next question; None while a request is under way."""
        if self._asking is not None:
            return None
        if self._not_before is not None and now < self._not_before:
            return self._not_before
        if self.token is not None and self._in_doubt:
            return Step.CHECK
        if not self.is_usable:
            return self._spaced(Step.LOG_IN, now) if self._may_log_in else None
        return self._renewal(now)

    def begin(self, step: Step, now: datetime) -> None:
        """Note that a request is under way."""
        self._asking = step
        if step is not Step.CHECK:
            self._attempted_before, self.attempted = self.attempted, now

    def doubt(self, *, refused: bool) -> None:
        """Have the token checked: a request was ``refused``, or a login seems to have been."""
        if self.is_usable:
            self._in_doubt = True
            self._alarmed = self._alarmed or refused

    def checked(self, valid_until: datetime | None, now: datetime) -> float:
        """Note that the token works; return the seconds to wait before telling the actors.

        They try it again as soon as they are told. The wait slows down a loop of false alarms.
        """
        was_alarmed = self._alarmed
        self._settle()
        self._backoff.reset()
        self.problem = ""
        if self.token is not None:
            ends = [end for end in (self.token.expires, valid_until) if end is not None and end > now]
            self.token = Token(self.token.secret, ends[0] if ends else None, self.token.source)
        if not was_alarmed:
            return 0.0
        together = self._last_alarm is not None and now - self._last_alarm < ALARMS_TOGETHER
        self._last_alarm = now
        if together:
            return self._alarms.next_delay()
        self._alarms.reset()
        return 0.0

    def refused(self, why: str, now: datetime) -> None:
        """Note that the broker refused the token, and use another known one, if there is one."""
        self._settle()
        if self.token is not None:
            self._refused.add(self.token.secret)
        self.problem = why
        if not self._take_spare(now) and not self._may_log_in:
            self._in_doubt = True  # the broker may have been mistaken
            self._wait(now)

    def checked_another(self) -> None:
        """Note that the check was of a token that has been replaced meanwhile, and check the one in use."""
        self._settle()
        self._in_doubt = self.token is not None

    def unanswered(self, now: datetime) -> None:
        """Note that the check had no result."""
        alarmed = self._alarmed
        self._settle()
        self._in_doubt, self._alarmed = True, alarmed
        self._wait(now)

    def replaced(self, token: Token) -> None:
        """Note a new token."""
        self._settle()
        self._backoff.reset()
        self._use(token)
        self._in_doubt = token.expires is None
        self._login_refusals = 0

    def not_replaced(self, failure: Failure, now: datetime) -> None:
        """Note that an attempt to get a new token failed."""
        step = self._asking
        self._settle()
        match failure:
            case Failure.NOT_SENT:
                self.attempted = self._attempted_before
                self._wait(now)
            case Failure.OPEN:
                self._in_doubt = self.is_usable  # there may be another token, which has ended this one
            case Failure.REFUSED if step is Step.RENEW:
                self._cannot_renew = True
            case Failure.REFUSED:
                self._login_refusals += 1
                if self.is_helpless and self.token is not None:
                    self._in_doubt = True
                    self._wait(now)

    def give(self, credentials: Credentials, kept: Token | None, now: datetime) -> None:
        """Take the credentials and the kept token as they are now.

        A token that was not there before replaces the one in use: making it has ended the old one.
        """
        known = {self.credentials.given, *self._refused, self.token.secret if self.token else None}
        candidates = [token for token in _candidates(credentials, kept) if token != self.token]
        self.credentials = credentials
        self._refused.clear()
        self._login_refusals = 0
        self._cannot_renew = self._warned = False
        self._not_before = None
        self._spare = sorted(candidates, key=lambda token: token.secret in known)
        is_new = bool(self._spare) and self._spare[0].secret not in known
        before = self.token
        if (is_new or not self.is_usable) and self._take_spare(now) and before is not None:
            self._spare.append(before)
        self._in_doubt = self.token is not None

    def to_warn_of(self, now: datetime) -> datetime | None:
        """Return when the token expires if a warning is due; once per token."""
        if not self.is_usable or self.token is None or self.token.expires is None or self._may_log_in or self._warned:
            return None
        if now < self.token.expires - self._policy.warn_before:
            return None
        self._warned = True
        return self.token.expires

    @property
    def _may_log_in(self) -> bool:
        return self.credentials.can_log_in and self._login_refusals < REFUSALS_ALLOWED

    def _renewal(self, now: datetime) -> Step | datetime | None:
        """Return when or how to replace a working token."""
        if self.token is None or self.token.expires is None:
            return None
        expires = self.token.expires
        warn_at, renew_at = expires - self._policy.warn_before, expires - self._policy.renew_before
        if now < renew_at:
            return renew_at if self._may_log_in or self._warned else min(warn_at, renew_at)
        if now >= expires:
            return Step.CHECK
        if self.token.source is not Source.LOGIN and not self._cannot_renew:
            return self._spaced(Step.RENEW, now)
        return self._spaced(Step.LOG_IN, now) if self._may_log_in else expires

    def _spaced(self, step: Step, now: datetime) -> Step | datetime:
        allowed = self.attempted + self._policy.attempt_interval if self.attempted else now
        return step if allowed <= now else allowed

    def _take_spare(self, now: datetime) -> bool:
        """Use the next known token, until the broker accepts or refuses it."""
        while self._spare:
            token = self._spare.pop(0)
            if is_of_another(token.secret, self.credentials.client_id):
                self.problem = self.problem if self.is_usable else OF_ANOTHER
            elif token.secret not in self._refused and not (token.is_expired(now) and self._may_log_in):
                self._use(token)
                self.problem = "the token has expired" if token.is_expired(now) else ""
                self._in_doubt = True
                return True
        return False

    def _use(self, token: Token) -> None:
        self.token = token
        self.problem = ""
        self._cannot_renew = self._warned = False

    def _settle(self) -> None:
        self._asking = None
        self._in_doubt = self._alarmed = False
        self._not_before = None

    def _wait(self, now: datetime) -> None:
        self._not_before = now + timedelta(seconds=self._backoff.next_delay())


def first_token(credentials: Credentials, kept: Token | None, now: datetime) -> Token | None:
    """Return the token that an account starts with, None if it has to log in."""
    nothing = timedelta()
    return TokenLifecycle(credentials, kept, None, TokenPolicy(nothing, nothing, nothing), now).token


def _candidates(credentials: Credentials, kept: Token | None) -> list[Token]:
    """Return the known tokens, the one that expires last first.

    A kept token goes before a given one without an expiry.
    """
    given = given_token(credentials.given) if credentials.given else None
    if kept is None or given is None or kept.secret == given.secret:
        return [token for token in (kept or given,) if token]
    newer = given.expires is not None and (kept.expires is None or given.expires > kept.expires)
    return [given, kept] if newer else [kept, given]
