"""The wiring: which actors there are, and in which order they start and stop."""

import os
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from loguru import logger

from actors.board import BoardProgram
from actors.messages.alerts import AlertsChanged, Notify, Over
from actors.messages.followers import FailOnPurpose
from actors.messages.leases import LeaseNews
from actors.messages.store import Write, Writer
from actors.messages.supervision import LogStatus, RetryQuarantined, StatusEvery, StopAll
from actors.messages.tokens import CredentialsGiven
from actors.runtime.actor import Incarnation, Report
from actors.runtime.address import Address
from actors.runtime.dispatcher import Dispatcher
from actors.runtime.timers import Clock
from actors.store.operator_commands import Session
from actors.supervisor.actor import Supervisor, stop
from actors.supervisor.child import ChildSpec
from actors.supervisor.messages import SupervisorInbox
from actors.supervisor.restarts import RestartPolicy, Restarts
from actors.system.account_actors import AccountActors
from actors.system.addresses import Addresses
from actors.system.board_child import board_child
from actors.system.keep_warm import Readiness
from actors.system.lead import Lead, broadcasters
from actors.system.membership.comings import Comings
from actors.system.membership.tenures import Node, Tenures
from actors.system.shared_actors import alert_urls, shared_actors
from actors.system.watches.all import watches_of
from actors.system.watches.watching import Watching
from copytrade.app.changes.settings_changes import SettingsChanges
from copytrade.app.clients import credentials_of
from copytrade.app.paper_mode import CRASH_AFTER, HANG_AFTER
from copytrade.app.paths import folder_to_flush
from copytrade.app.policies import kinds_of, trading_day_of
from copytrade.common import wall_clock
from copytrade.common.logs import alert, fields, over
from copytrade.core.lease.lease import Fence
from copytrade.settings import Settings, Supervision
from copytrade.storage.files.status_file import ActorStatus, CopierStatus, StatusFile
from copytrade.storage.records import CommandAnswered, ConfigSet

#: Seconds after which the notifier, the first actor to start, is up.
NOTIFIER_UP_AFTER = 1.0

#: Seconds between looks at whether the alerts are delivered.
LOOK_EVERY = 0.02

#: Seconds that one message of the supervisor may take; to stop all actors is one message.
SUPERVISOR_DEADLINE = 60.0

if TYPE_CHECKING:
    from loguru import Message, Record

#: As whom the main thread writes.
_MAIN = Writer("main", 1)

_CORE = RestartPolicy(max_restarts=3, window=60.0, backoff=0.25, backoff_max=30.0)


class CopySystem:
    """All actors for the leaders and their followers, from ``start`` to ``stop``."""

    def __init__(
        self,
        settings: Settings,
        since: datetime | None,
        ended: Callable[[int], object],
        *,
        only_closes: bool = False,
        board: BoardProgram | None = None,
        session: Session | None = None,
        left_out: Collection[str] = (),
        node: Node | None = None,
        lead: Lead | None = None,
    ) -> None:
        """Prepare the actors.

        ``since`` is the time of the leader's last known event. ``ended`` is called from an actor's thread with the exit
        code, once every actor has stopped for whatever reason. With ``only_closes`` nothing is copied, and commands can
        close what followers hold by copying. ``session`` takes the operator's commands that are for no follower.
        ``left_out`` are followers that take no part. ``board`` is the program of the board, None for no board. As a
        ``node`` it has the followers whose lease it holds; that needs a ``session``. ``lead`` is the bus on which the
        leaders' orders are told to nodes.
        """
        self._settings = settings
        self._lead = lead
        self._board = board
        self._ended = ended
        self._session = session
        self._clock = Clock()
        self._dispatcher = Dispatcher("followers")
        self._supervisor_restarts = Restarts(_CORE)
        self._supervisor: Address[SupervisorInbox] = Address("supervisor")
        here = settings.followers if node is None else ()
        self._addresses = Addresses(settings.leader_ids, [follower.name for follower in here], self._dispatcher)
        leaders = [self._addresses.feeds[name] for name in settings.leader_ids]
        self._readiness = Readiness(
            folder_to_flush(settings.store),
            settings.speed.ready_every,
            self._dispatcher,
            lambda: max(leader.health.last_order for leader in leaders),
        )
        self._other = restart_policy_of(settings.supervision)
        self._accounts = AccountActors(
            settings, self._addresses, self._clock, since, _CORE, self._other, only_closes=only_closes
        )
        self._alerts: int | None = None
        self._since = wall_clock.now()
        self._status = None if only_closes else StatusFile(settings.store.database)
        #: What the actors showed last.
        self.snapshot: CopierStatus | None = None
        #: The hours of what is copied.
        self.trading_day = trading_day_of(settings)
        self._watching = Watching(
            watches_of(settings, left_out, self.trading_day, lambda: self._settings.alerts.cooldown)
        )
        #: The actors under supervision, in the order in which they start.
        self.children: list[ChildSpec] = []
        self._comings = Comings(settings.leader_ids, self._addresses, self._accounts, self._supervisor, self.children)
        self._tenures: Tenures | None = None
        if node is not None and session is not None:
            self._tenures = Tenures(node, settings, self._addresses, self._comings, self._clock, session)

    def start(self) -> None:
        """Start every actor; returns at once."""
        self.children.extend(self._children())
        self.hear_alerts()
        self._clock.start()
        self._readiness.start()
        if self._status is not None:
            self._status.start()
            self._watching.start()
        self._start_supervisor()
        if self._settings.mode == "paper" and self._settings.paper.failures:
            self._show_failures()

    def _show_failures(self) -> None:
        """Make one follower crash and another hang, to show how both are healed."""
        addresses = list(self._addresses.followers.values())
        logger.info("Failure is staged {}", fields(crashes=addresses[0].name, after=f"{CRASH_AFTER:.0f}s"))
        logger.info("Failure is staged {}", fields(hangs=addresses[-1].name, after=f"{HANG_AFTER:.0f}s"))
        self._clock.tell_later(CRASH_AFTER, addresses[0], FailOnPurpose(0.0))
        self._clock.tell_later(HANG_AFTER, addresses[-1], FailOnPurpose(self._accounts.deadline + 2.0))

    def _start_supervisor(self) -> None:
        life: Incarnation[SupervisorInbox] = Incarnation(self._supervisor, self._supervisor.epoch + 1, _unwatched)
        Supervisor.start(
            life,
            self.children,
            self._clock,
            self._settings.log.status_interval,
            self._settings.supervision.quarantine_retry,
            self._ended,
            None if self._status is None else self._publish,
        )

    def _publish(self, actors: list[ActorStatus]) -> None:
        """Have the status of all actors written beside the database, and looked at for what somebody is told."""
        if self._status is not None:
            followers, leaders = list(self._addresses.followers), list(self._settings.leader_ids)
            at, mode = wall_clock.now(), self._settings.mode
            self.snapshot = CopierStatus(at, self._since, os.getpid(), mode, leaders[0], followers, actors, leaders)
            self._status.put(self.snapshot)
            self._watching.put(self.snapshot)

    def guard(self) -> bool:
        """Restart the supervisor if it has died or hangs; return whether it can be kept alive.

        The main thread calls it about once a second.
        """
        address = self._supervisor
        busy = address.health.busy_since
        hangs = busy is not None and time.monotonic() - busy > SUPERVISOR_DEADLINE
        if address.is_taken and not hangs:
            return True
        alert("crashed", "supervisor", "Actor supervisor {}", "hangs" if hangs else "crashed", level="ERROR")
        if self._supervisor_restarts.after_crash(time.monotonic()) is None:
            alert("core", "supervisor", "Actor supervisor cannot be kept alive, stopping")
            return False
        self._start_supervisor()
        self._comings.leave_again()
        over("crashed", "supervisor", "Actor supervisor restarted ({})", address.epoch - 1, level="WARNING")
        return True

    def abandon(self) -> None:
        """Stop every actor in order without the supervisor."""
        for child in reversed(self.children):
            stop(child.address)

    def tell_somebody(self, kind: str, who: str, text: str) -> None:
        """Send an alert about something that happened before the notifier was started."""
        self._clock.tell_later(NOTIFIER_UP_AFTER, self._addresses.notifier, Notify(kind, who, text))

    def write(self, record: ConfigSet) -> None:
        """Have a value written that is kept across restarts, before long."""
        self._addresses.store.tell(Write((record,), _MAIN))

    def log_status(self) -> None:
        """Log a line about every actor now."""
        self._supervisor.tell(LogStatus())

    def retry_quarantined(self) -> None:
        """Give every quarantined actor another chance now."""
        self._supervisor.tell(RetryQuarantined(""))

    def give_credentials(self, settings: Settings) -> None:
        """Have the accounts' tokens read again from these settings and from where tokens are kept."""
        self._addresses.tokens.tell(CredentialsGiven(credentials_of(settings)))

    def take(self, changes: SettingsChanges) -> None:
        """Run with other settings from now on."""
        before, self._settings = self._settings, changes.settings
        for follower in changes.settings.followers:
            if follower.name in changes.changed and follower.name in self._addresses.followers:
                self._accounts.change(follower)
        for follower in changes.removed:
            self._comings.leave(follower.name) if self._tenures is None else self._tenures.unwant(follower.name)
        for follower in changes.added:
            self._comings.join(follower, changes.settings) if self._tenures is None else self._tenures.want(follower)
        self.trading_day.change(kinds_of(self._settings))
        if before.alerts != self._settings.alerts:
            self._addresses.notifier.tell(AlertsChanged(alert_urls(self._settings), self._settings.alerts.cooldown))
        if before.log.status_interval != self._settings.log.status_interval:
            self._supervisor.tell(StatusEvery(self._settings.log.status_interval))

    def take_lease(self, news: LeaseNews) -> None:
        """Begin or end to trade an account whose lease has come or gone."""
        if self._tenures is not None:
            self._tenures.take(news)

    def _here(self) -> Settings:
        """Return the settings with the followers that run here alone: as a node others may be elsewhere."""
        here = tuple(one for one in self._settings.followers if one.name in self._addresses.followers)
        return self._settings.model_copy(update={"followers": here})

    @property
    def leaving(self) -> list[str]:
        """The followers that leave and have yet to finish what is under way."""
        return self._comings.leaving

    def answer(self, answered: CommandAnswered) -> None:
        """Have the store write what became of a command."""
        self._addresses.store.tell(Write((answered,), Writer("session", 1)))

    def is_ready(self) -> bool:
        """Whether every account's actors are set up and connected, and have read what they need."""
        addresses: list[Address[Any]] = [*self._addresses.feeds.values(), *self._addresses.followers.values()]
        return all(address.health.state == "live" for address in addresses)

    def stop(self) -> None:
        """Stop intake, finish what is under way, and stop every actor; returns at once."""
        self._supervisor.tell(StopAll())

    def deliver_alerts(self, seconds: float) -> None:
        """Wait so long for alerts that are being delivered yet; all actors were told to stop."""
        until = time.monotonic() + seconds
        while self._addresses.notifier.is_taken and time.monotonic() < until:
            time.sleep(LOOK_EVERY)

    def close(self) -> None:
        """Stop the clock and the dispatcher, last of all."""
        self._readiness.stop()
        self._watching.close()
        self._clock.stop()
        self._dispatcher.stop()
        if self._status is not None:
            self._status.close()
        if self._alerts is not None:
            logger.remove(self._alerts)

    def hear_alerts(self) -> None:
        """Hand alerts from the log to the notifier: again after the log was configured."""
        if self._alerts is not None:
            with suppress(ValueError):  # it went with the earlier configuration
                logger.remove(self._alerts)
        self._alerts = logger.add(self._notify, level="INFO", filter=_is_for_the_notifier)

    def _notify(self, line: "Message") -> None:
        """Hand an alert from the log, or the end of one, to the notifier."""
        extra, text = line.record["extra"], line.record["message"]
        if "over" in extra:
            self._addresses.notifier.tell(Over(extra["over"], extra["who"], text))
        else:
            self._addresses.notifier.tell(Notify(extra["alert"], extra["who"], text, line.record["level"].name))

    def _children(self) -> list[ChildSpec]:
        """List the actors in the order in which they start: receivers before senders."""
        accounts, followers, tenures = self._accounts, self._here().followers, self._tenures
        return [
            *shared_actors(
                self._here,
                self._addresses,
                self._clock,
                _CORE,
                self._other,
                self._retry,
                self._session,
                self._fences(),
            ),
            *([] if tenures is None else [tenures.child(_CORE)]),
            *accounts.leader_feeds(),
            *([] if self._lead is None else self._broadcasters(self._lead)),
            *(feed for follower in followers for feed in accounts.follower_feed(follower)),
            *(accounts.follower(follower) for follower in followers),
            *([] if self._board is None else [board_child(self._board, self._addresses.board, self._other)]),
        ]

    def _fences(self) -> Mapping[str, Fence] | None:
        """Return the fences of accounts that other processes may have, None where there are none."""
        if self._tenures is not None:
            return self._tenures.fences
        return None if self._lead is None else self._lead.fences

    def _broadcasters(self, lead: Lead) -> list[ChildSpec]:
        return broadcasters(lead, self._settings, self._addresses, self._clock, self._other)

    def _retry(self, name: str) -> None:
        for one in (f"feed-{name}", name):
            self._supervisor.tell(RetryQuarantined(one))


def _is_for_the_notifier(line: "Record") -> bool:
    return "alert" in line["extra"] or "over" in line["extra"]


def restart_policy_of(supervision: Supervision) -> RestartPolicy:
    """Return how often a follower's actors may be restarted."""
    return RestartPolicy(supervision.max_restarts, supervision.window, supervision.backoff, supervision.backoff_max)


def _unwatched(_report: Report) -> None:
    """Nobody restarts the supervisor."""
