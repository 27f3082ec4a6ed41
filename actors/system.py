"""The wiring: who exists, and in which order they start and stop. The only file that knows everybody."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from loguru import logger
from pydantic import SecretStr

from actors.base import Incarnation, Report, Seat
from actors.caretaker import Caretaker
from actors.clock import Clock
from actors.dispatcher import Dispatcher
from actors.flights import CANCEL_RESERVE
from actors.follower import Follower
from actors.follower_account import FollowerAccount
from actors.gap_recovery import GapRecovery
from actors.instrument_master import InstrumentMaster
from actors.messages import (
    CredentialsGiven,
    FailOnPurpose,
    FeedMessage,
    FollowerMessage,
    GapRecoveryMessage,
    InstrumentMasterMessage,
    LogStatus,
    NotifierMessage,
    Notify,
    RateLimiterMessage,
    RetryQuarantined,
    StopAll,
    StoreMessage,
    SupervisorMessage,
    TokenKeeperMessage,
)
from actors.notifier import Notifier
from actors.order_feed import FeedAccount, OrderFeed
from actors.peers import Peers
from actors.rate_limiter import RateLimiter
from actors.readiness import Readiness
from actors.restarts import RestartPolicy, Restarts
from actors.sender import Sender
from actors.store import Store
from actors.supervisor import Child, Supervisor, stop
from actors.token_keeper import TokenKeeper
from copytrade import settings as s
from copytrade import wall_clock
from copytrade.budget import DAY, Window
from copytrade.decisions import Policy
from copytrade.desk import Surroundings
from copytrade.dhan.auth import Credentials
from copytrade.dhan.custody import CustodyPolicy
from copytrade.dhan.login import TokenRequests
from copytrade.dhan.rest import DhanRest
from copytrade.dhan.transport import Transport
from copytrade.filters import EVERYTHING
from copytrade.freeze import load_freeze_table
from copytrade.instance import beside
from copytrade.instrument_cache import MasterSource
from copytrade.logs import alert
from copytrade.market import load_market_hours
from copytrade.orders import IST
from copytrade.protection import Protection
from copytrade.records import LEADER, AccountType
from copytrade.side_file import SideFile
from copytrade.sizing import Capitals, SizingPolicy, Strategy
from copytrade.store import Database
from copytrade.token_file import credentials_for, place_for
from copytrade.wishes import Terms

#: Seconds that one message of a core actor may take: a disk may be slow.
CORE_DEADLINE = 30.0

#: Seconds for which a day's result counts, at least, and how many reads of it may fail before it does not.
RESULT_VALID_FOR, RESULT_READS = 60.0, 6

#: Seconds into a paper session at which a follower crashes on purpose, and another hangs.
CRASH_AFTER, HANG_AFTER = 8.0, 12.0

#: Seconds that one alert may take: the services are far away and patient.
NOTIFIER_DEADLINE = 60.0

#: Seconds after which the notifier, the first actor to start, is surely there.
NOTIFIER_UP_AFTER = 1.0

#: Seconds that one message of the supervisor may take, stopping everybody included.
SUPERVISOR_DEADLINE = 60.0

if TYPE_CHECKING:
    from loguru import Message

_CORE = RestartPolicy(max_restarts=3, window=60.0, backoff=0.25, backoff_max=30.0)


class CopySystem:
    """All actors for one leader and its followers, from ``start`` to ``stop``."""

    def __init__(
        self,
        settings: s.Settings,
        since: datetime | None,
        ended: Callable[[int], object],
        *,
        only_closes: bool = False,
    ) -> None:
        """Prepare the actors.

        ``since`` is the time of the leader's last known event, for the operator. ``ended`` is called from an actor's
        thread with the exit code, once every actor has stopped, whoever wanted that. With ``only_closes`` nothing is
        copied: everything that followers hold by copying can be closed, by command.
        """
        self._settings = settings
        self._only_closes = only_closes
        self._since = since
        self._ended = ended
        self._surroundings = surroundings_of(settings)
        self._clock = Clock()
        self._dispatcher = Dispatcher("followers")
        self._readiness = Readiness(folder_to_flush(settings.store), settings.speed.ready_every, self._dispatcher)
        self._supervisor_restarts = Restarts(_CORE)
        self._supervisor: Seat[SupervisorMessage] = Seat("supervisor")
        self._store: Seat[StoreMessage] = Seat("store", self._dispatcher)
        self._limiter: Seat[RateLimiterMessage] = Seat("rate-limiter", self._dispatcher)
        self._recovery: Seat[GapRecoveryMessage] = Seat("gap-recovery")
        self._tokens: Seat[TokenKeeperMessage] = Seat("tokens")
        self._token_place = place_for(settings)
        self._instruments: Seat[InstrumentMasterMessage] = Seat("instruments")
        self._notifier: Seat[NotifierMessage] = Seat("notifier")
        self._alerts: int | None = None
        names = [LEADER, *(follower.name for follower in settings.followers)]
        self._feeds: dict[str, Seat[FeedMessage]] = {name: Seat(f"feed-{name}", self._dispatcher) for name in names}
        self._followers: dict[str, Seat[FollowerMessage]] = {name: Seat(name, self._dispatcher) for name in names[1:]}
        #: The actors under supervision, in the order in which they start.
        self.children: list[Child] = []

    def start(self) -> None:
        """Start every actor; returns at once."""
        self.children = self._children()
        self._alerts = logger.add(self._notify, level="WARNING", filter=lambda record: "alert" in record["extra"])
        self._clock.start()
        self._readiness.start()
        self._start_supervisor()
        if self._settings.mode == "paper" and self._settings.paper.failures:
            self._show_failures()

    def _show_failures(self) -> None:
        """Have one follower crash and another hang, so that a newcomer sees both healed."""
        seats = list(self._followers.values())
        self._clock.tell_later(CRASH_AFTER, seats[0], FailOnPurpose(0.0))
        self._clock.tell_later(HANG_AFTER, seats[-1], FailOnPurpose(self._deadline + 2.0))

    def _start_supervisor(self) -> None:
        life: Incarnation[SupervisorMessage] = Incarnation(self._supervisor, self._supervisor.epoch + 1, _unwatched)
        Supervisor.start(
            life,
            self.children,
            self._clock,
            self._settings.log.status_interval,
            self._settings.supervision.quarantine_retry,
            self._ended,
        )

    def guard(self) -> bool:
        """Start the supervisor anew if it has died or hangs; return whether it can be kept alive.

        To be called now and then by whoever is above all actors.
        """
        seat = self._supervisor
        busy = seat.vitals.busy_since
        hangs = busy is not None and time.monotonic() - busy > SUPERVISOR_DEADLINE
        if seat.is_taken and not hangs:
            return True
        logger.error("Actor supervisor {}", "hangs" if hangs else "crashed")
        if self._supervisor_restarts.after_crash(time.monotonic()) is None:
            alert("core", "supervisor", "Actor supervisor cannot be kept alive, stopping")
            return False
        self._start_supervisor()
        logger.warning("Actor supervisor restarted ({})", seat.epoch - 1)
        return True

    def abandon(self) -> None:
        """Stop every actor in order without the supervisor."""
        for child in reversed(self.children):
            stop(child.seat)

    def tell_somebody(self, kind: str, who: str, text: str) -> None:
        """Send an alert about what happened before anybody was there to send it."""
        self._clock.tell_later(NOTIFIER_UP_AFTER, self._notifier, Notify(kind, who, text))

    def log_status(self) -> None:
        """Log a line about every actor now."""
        self._supervisor.tell(LogStatus())

    def retry_quarantined(self) -> None:
        """Give every quarantined actor another chance now."""
        self._supervisor.tell(RetryQuarantined(""))

    def give_credentials(self, settings: s.Settings) -> None:
        """Have the accounts' tokens read again, from settings that were, and from where they are kept."""
        self._tokens.tell(CredentialsGiven(credentials_of(settings)))

    def is_ready(self) -> bool:
        """Whether every actor has set up, is connected, and has read what it rests on."""
        seats: list[Seat[Any]] = [*self._feeds.values(), *self._followers.values()]
        return all(seat.vitals.state == "live" for seat in seats)

    def stop(self) -> None:
        """Stop intake, let what is under way end, and stop every actor: returns at once."""
        self._supervisor.tell(StopAll())

    def close(self) -> None:
        """Stop the clock and the dispatcher, last of all."""
        self._readiness.stop()
        self._clock.stop()
        self._dispatcher.stop()
        if self._alerts is not None:
            logger.remove(self._alerts)

    def _notify(self, line: "Message") -> None:
        """Hand an alert from the log to the notifier."""
        extra = line.record["extra"]
        self._notifier.tell(Notify(extra["alert"], extra["who"], line.record["message"]))

    def _children(self) -> list[Child]:
        """List the actors in the order in which they start: who is told before who tells."""
        settings = self._settings
        urls = settings.alerts.urls if settings.mode != "paper" else ()
        core = [
            Child(
                self._notifier,
                lambda life: Notifier.start(life, urls, settings.alerts.cooldown),
                restart_policy_of(settings.supervision),
                NOTIFIER_DEADLINE,
                core=False,
            ),
            Child(
                self._store,
                lambda life: Store.start(
                    life,
                    self._clock,
                    lambda: open_database(settings),
                    SideFile(beside(settings.store.database, "unwritten")),
                    lambda: first_from(settings.recovery),
                ),
                _CORE,
                CORE_DEADLINE,
                core=True,
            ),
            Child(
                self._limiter,
                lambda life: RateLimiter.start(life, self._clock, self._store, windows_of(settings.limits)),
                _CORE,
                CORE_DEADLINE,
                core=True,
            ),
            Child(
                self._tokens,
                lambda life: TokenKeeper.start(
                    life,
                    self._clock,
                    credentials_of(settings),
                    self._token_requests(),
                    self._token_place,
                    custody_policy_of(settings.tokens),
                ),
                restart_policy_of(settings.supervision),
                CORE_DEADLINE,
                core=False,
            ),
            Child(
                self._recovery,
                lambda life: GapRecovery.start(life, self._clock, self._readers(), self._feeds, self._tokens),
                _CORE,
                CORE_DEADLINE,
                core=True,
            ),
            Child(
                self._instruments,
                lambda life: InstrumentMaster.start(life, self._clock, master_source_of(settings), self._recovery),
                _CORE,
                CORE_DEADLINE,
                core=True,
            ),
        ]
        feeds = [self._feed(LEADER, AccountType.LEADER, settings.leader, core=True)]
        feeds += [
            self._feed(follower.name, AccountType.FOLLOWER, follower, core=False) for follower in settings.followers
        ]
        return [*core, *feeds, *(self._follower(follower) for follower in settings.followers)]

    def _follower(self, follower: s.Follower) -> Child:
        settings, seat = self._settings, self._followers[follower.name]
        account = FollowerAccount(
            name=follower.name,
            policy=policy_of(follower, settings.recovery),
            surroundings=self._surroundings,
            needs_holdings=needs_holdings(follower),
            amo_time=follower.amo_time,
            needs_capital=needs_capital(follower),
            capitals=Capitals(follower=follower.capital if isinstance(follower.capital, Decimal) else None),
            connections=settings.dhan.connections,
            absence_window=settings.recovery.absence_window,
            result_interval=settings.recovery.result_interval if follower.max_daily_loss else None,
            audit_interval=settings.recovery.audit_interval,
            only_closes=self._only_closes,
        )
        peers = Peers(
            leader_feed=self._feeds[LEADER],
            own_feed=self._feeds[follower.name],
            limiter=self._limiter,
            store=self._store,
            recovery=self._recovery,
            instruments=self._instruments,
            tokens=self._tokens,
        )

        senders: list[Sender] = []

        def make_sender(life_seat: Seat[FollowerMessage], epoch: int) -> Sender:
            """Shut what an incarnation that hangs may still be sending with, and connect anew."""
            while senders:
                senders.pop().close()
            threads = settings.dhan.connections + CANCEL_RESERVE
            senders.append(Sender(self._rest(follower), life_seat, epoch, threads))
            return senders[0]

        def give_birth(life: Incarnation[Any]) -> object:
            return Follower.start(life, account, peers, self._clock, make_sender)

        def give_caretaker(life: Incarnation[Any]) -> object:
            return Caretaker.start(life, peers, self._clock, make_sender)

        policy = restart_policy_of(settings.supervision)
        return Child(seat, give_birth, policy, self._deadline, core=False, drains=True, caretaker=give_caretaker)

    @property
    def _deadline(self) -> float:
        """Return the seconds that one message of an account's actor may take: nothing in it waits for the broker."""
        return self._settings.dhan.request_timeout + self._settings.supervision.hang_after

    def _feed(self, name: str, account_type: AccountType, account: s.Account, *, core: bool) -> Child:
        settings = self._settings
        feed_account = FeedAccount(name, account_type, account.client_id, settings.dhan.feed_url)
        since = self._since if account_type is AccountType.LEADER else None

        def give_birth(life: Incarnation[Any]) -> object:
            return OrderFeed.start(
                life,
                feed_account,
                self._clock,
                self._store,
                self._recovery,
                self._tokens,
                settings.recovery.audit_interval,
                since,
                self._surroundings.hours,
            )

        policy = _CORE if core else restart_policy_of(settings.supervision)
        return Child(self._feeds[name], give_birth, policy, self._deadline, core=core, intake=True)

    def _readers(self) -> dict[str, DhanRest]:
        """Return a connection of its own for reading each account's books."""
        return {name: self._rest(account) for name, account in accounts_of(self._settings).items()}

    def _rest(self, account: s.Account) -> DhanRest:
        """Return connections of its own for an account, which has no token until it is told one."""
        return rest_of(account.model_copy(update={"access_token": None}), self._settings.dhan)

    def _token_requests(self) -> dict[str, TokenRequests]:
        dhan = self._settings.dhan
        return {
            name: TokenRequests(
                transport_of(account, dhan, dhan.rest_url, None, {"dhanClientId": account.client_id}),
                transport_of(account, dhan, dhan.auth_url, None),
                account.client_id,
            )
            for name, account in accounts_of(self._settings).items()
        }


def accounts_of(settings: s.Settings) -> dict[str, s.Account]:
    """Return every account by the name that actors know it by."""
    return {LEADER: settings.leader, **{follower.name: follower for follower in settings.followers}}


def credentials_of(settings: s.Settings) -> dict[str, Credentials]:
    """Return how each account gets its tokens."""
    return {name: credentials_for(account) for name, account in accounts_of(settings).items()}


def custody_policy_of(tokens: s.Tokens) -> CustodyPolicy:
    """Return when tokens are replaced."""
    seconds = (tokens.renew_before, tokens.warn_before, tokens.attempt_interval)
    return CustodyPolicy(*(timedelta(seconds=value) for value in seconds))


def needs_holdings(follower: s.Follower) -> bool:
    """Whether shares are copied, so that those in the depository count as held."""
    return EVERYTHING in follower.instruments or "EQUITY" in follower.instruments


def rest_of(account: s.Account, dhan: s.Dhan) -> DhanRest:
    """Return connections of its own for an account, from the address that the settings give it."""
    return DhanRest(transport_of(account, dhan, dhan.rest_url, account.access_token), account.client_id)


def transport_of(
    account: s.Account, dhan: s.Dhan, url: str, token: SecretStr | None, headers: Mapping[str, str] | None = None
) -> Transport:
    """Return connections of its own for an account to a server of the broker's."""
    return Transport(
        url,
        account.client_id,
        token,
        headers=headers,
        connect_timeout=dhan.connect_timeout,
        request_timeout=dhan.request_timeout,
        source_address=str(account.source_address) if account.source_address else None,
        proxy=account.proxy,
    )


def open_database(settings: s.Settings) -> Database:
    """Open the database of the settings. Raises DatabaseUnusable."""
    return Database(settings.store.database, synchronous=settings.store.synchronous)


def master_source_of(settings: s.Settings) -> MasterSource:
    """Return where the instrument master comes from, and where it is kept."""
    dhan = settings.dhan
    return MasterSource(dhan.instruments_url, beside(settings.store.database, "instruments"), dhan.instruments_at)


def folder_to_flush(store: s.Storage) -> Path | None:
    """Return the folder whose disk every commit waits for, None where none does."""
    waits = store.synchronous == "full" and "://" not in store.database
    return Path(store.database).absolute().parent if waits else None


def first_from(recovery: s.Recovery) -> datetime:
    """Return from when on orders are copied by a database's first start."""
    now = wall_clock.now()
    if recovery.start_from == "now":
        return now
    return now.astimezone(IST).replace(hour=0, minute=0, second=0, microsecond=0)


def windows_of(limits: s.Limits) -> list[Window]:
    """Return the budget's windows."""
    return [
        Window(limits.per_second, 1.0),
        Window(limits.per_minute, 60.0, limits.per_minute * limits.reserve_percent // 100),
        Window(limits.per_hour, 3600.0, limits.per_hour * limits.reserve_percent // 100),
        Window(limits.per_day, DAY, limits.per_day * limits.reserve_percent // 100, daily=True),
    ]


def restart_policy_of(supervision: s.Supervision) -> RestartPolicy:
    """Return how often a follower's actors may be restarted."""
    return RestartPolicy(supervision.max_restarts, supervision.window, supervision.backoff, supervision.backoff_max)


def needs_capital(follower: s.Follower) -> bool:
    """Whether a follower's size or limits rest on the capital at the start of the day."""
    loss = follower.max_daily_loss
    return follower.sizing in (Strategy.CAPITAL_PROPORTIONAL, Strategy.RISK_BASED) or bool(loss and loss.is_percent)


def protection_of(follower: s.Follower, recovery: s.Recovery) -> Protection | None:
    """Return a follower's limits, None if it has none."""
    limits = Protection(
        max_daily_loss=follower.max_daily_loss,
        on_breach=follower.on_breach,
        max_open_lots=follower.max_open_lots,
        max_orders_per_day=follower.max_orders_per_day,
        allowed=follower.allowed,
        blocked=follower.blocked,
        trade_from=follower.trade_from,
        trade_until=follower.trade_until,
        result_valid_for=max(RESULT_VALID_FOR, RESULT_READS * recovery.result_interval),
    )
    is_set = (
        limits.max_daily_loss,
        limits.max_open_lots,
        limits.max_orders_per_day,
        limits.allowed,
        limits.blocked,
        limits.trade_from,
        limits.trade_until,
    )
    return limits if any(is_set) else None


def policy_of(follower: s.Follower, recovery: s.Recovery) -> Policy:
    """Return how a follower copies. ``copying_since`` is set when the database has said since when."""
    return Policy(
        instruments=follower.instruments,
        sizing=SizingPolicy(
            strategy=follower.sizing,
            ratio=follower.ratio,
            lots=follower.lots,
            risk_percent=follower.risk_percent,
            max_lots=follower.max_lots,
            max_order_value=follower.max_order_value,
        ),
        copying_since=wall_clock.now(),
        enabled=follower.enabled,
        late_after=follower.late_after,
        max_missed_age=follower.max_missed_age,
        max_price_deviation=follower.max_price_deviation,
        terms=Terms(
            market_as=follower.market_as,
            market_protection_percent=follower.market_protection_percent,
            stop_market_as=follower.stop_market_as,
            stop_limit_percent=follower.stop_limit_percent,
        ),
        unfilled_after=follower.unfilled_after,
        unfilled_action=follower.unfilled_action,
        unfilled_exit_action=follower.unfilled_exit_action,
        protection=protection_of(follower, recovery),
        dry_run=follower.dry_run,
    )


def surroundings_of(settings: s.Settings) -> Surroundings:
    """Return what the market allows; the paper broker never closes.

    Raises MarketHoursUnusable for an unusable calendar.
    """
    market = settings.market
    calendar = Path(market.calendar) if market.calendar else None
    is_bound = market.hours == "exchange" and settings.mode != "paper"
    hours = load_market_hours(calendar) if is_bound else None
    return Surroundings(load_freeze_table(market.freeze), hours)


def _unwatched(_report: Report) -> None:
    """Nobody restarts the supervisor."""


def secrets_of(settings: s.Settings) -> list[SecretStr]:
    """Return every secret in the settings."""
    accounts = (settings.leader, *settings.followers)
    given = [secret for account in accounts for secret in (account.access_token, account.pin, account.totp_secret)]
    tokens = [secret for secret in given if secret is not None]
    proxies = [secret for account in accounts if account.proxy for secret in (account.proxy, _password(account.proxy))]
    return [*tokens, *settings.alerts.urls, *(secret for secret in proxies if secret.get_secret_value())]


def _password(proxy: SecretStr) -> SecretStr:
    return SecretStr(urlsplit(proxy.get_secret_value()).password or "")
