"""One session of copying: starts all actors, and stops them on a signal, after a duration or when an actor says so."""

import os
import queue
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from loguru import logger

from actors.messages.leases import LeaseNews
from actors.messages.store import CommandGiven
from actors.system.board_child import board_program
from actors.system.daily.backup import DailyBackup, copy_database
from actors.system.daily.report import DayReport
from actors.system.lead import Lead
from actors.system.membership.tenures import Node
from actors.system.reload import Reloads, say_who_is_absent
from actors.system.system import CopySystem
from copytrade.app.alert_at_start import tell_of_the_end
from copytrade.app.changes.following import say_who_is_not_followed
from copytrade.app.commands.exit_codes import EXIT_BROKEN, EXIT_INTERRUPTED
from copytrade.app.paths import file_to_watch
from copytrade.common import wall_clock
from copytrade.common.gc_tuning import collect_little_at_a_time
from copytrade.common.logs import fields
from copytrade.reports.flatten_preview import absent_holders
from copytrade.reports.queries import copies_begun
from copytrade.reports.session import read_next, summary
from copytrade.reports.snapshot import open_to_read
from copytrade.settings import Settings
from copytrade.storage.database import DATABASE_ERRORS
from copytrade.storage.records import CommandAnswered

#: Seconds between checks that the supervisor lives.
GUARD_EVERY = 1.0

#: Seconds that an ordered stop may take altogether.
STOP_DEADLINE = 9.0

#: Seconds that alerts may take to be delivered once every actor has stopped: services are slow.
ALERTS_WITHIN = 20.0

#: Seconds that a thread may keep the interpreter while another wants it. The thread of the accounts should finish an
#: order before answers are read: ten followers took 4.2 ms with 1 ms, and 3.6 ms with 20 ms. It is half of that, so
#: that a thread that reads the instrument master or a book delays an order less.
SWITCH_INTERVAL = 0.01


@dataclass(frozen=True, slots=True)
class Reread:
    """The settings have to be read again, for a command with a number or for a signal."""

    number: int | None = None


#: None asks for a stop; a number is the exit code of a system that has stopped.
Events = queue.SimpleQueue[int | Reread | LeaseNews | None]


class PeriodicTask(Protocol):
    """A task that is due from time to time while the copier runs."""

    def look(self) -> object:
        """Do it if it is time."""


class Session:
    """Where commands for no follower go, and news of leases: to the main thread."""

    name = "session"

    def __init__(self, events: Events) -> None:
        self._events = events

    def tell(self, message: CommandGiven | LeaseNews) -> bool:
        """Take a command, of which the only one is to read the settings again, or news of a lease."""
        self._events.put(Reread(message.number) if isinstance(message, CommandGiven) else message)
        return True


def copy(
    settings: Settings,
    path: Path,
    since: datetime | None,
    left_out: Mapping[str, str],
    *,
    duration: float | None,
    node: Node | None = None,
    lead: Lead | None = None,
) -> int:
    """Copy until a signal, or for ``duration`` seconds; return the exit code.

    ``path`` is the settings file, for reading it again. ``since`` is the time of the leader's last known event.
    ``left_out`` has the accounts that take no part, and why. As a ``node`` it copies to the followers whose lease it
    holds; as a ``lead`` it tells the leaders' orders to nodes.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    collect_little_at_a_time()
    events: Events = queue.SimpleQueue()
    system = CopySystem(
        settings,
        since,
        events.put,
        session=Session(events),
        left_out=left_out,
        board=board_program(settings, path),
        node=node,
        lead=lead,
    )
    database = file_to_watch(settings.store)
    _listen(system, events)
    began = wall_clock.now()
    followers = ",".join(follower.name for follower in settings.followers)
    who = fields(
        mode=settings.mode, leader=",".join(settings.leader_ids.values()), zone=settings.log.zone, followers=followers
    )
    logger.info("Copying begins {}", who)
    stranded = _stranded(settings, left_out)
    system.start()
    _tell_who_takes_no_part(system, stranded, left_out)
    daily, report = DailyBackup(settings.store), _day_report(system, settings)
    reloads = Reloads(system, path, settings)
    try:
        exit_code = _guarded(system, events, duration, reloads, (daily, report, reloads))
        report.keep()
    except Exception as error:  # the actors must not go on without what guards them
        logger.opt(exception=error).critical("The main thread crashed, stopping")
        system.stop()
        tell_of_the_end(settings, f"The main thread crashed, everything is stopped: {type(error).__name__}: {error}")
        exit_code = None if _next(events, STOP_DEADLINE) is None else EXIT_BROKEN
    stops = time.monotonic() + STOP_DEADLINE
    if exit_code is None:
        logger.info("Stopping: no new orders, waiting for what is under way")
        system.stop()
        exit_code = _next(events, STOP_DEADLINE)
    if exit_code is not None:
        system.deliver_alerts(ALERTS_WITHIN if exit_code else (stops - time.monotonic()) / 2)
    system.close()
    if exit_code is None:
        logger.critical("Some actors did not stop in {:.0f}s", STOP_DEADLINE)
        logger.remove()  # writes what is left
        tell_of_the_end(settings, f"Some actors did not stop in {STOP_DEADLINE:.0f}s, the process was ended.")
        os._exit(EXIT_BROKEN)
    if database is not None and (missing := database.missing()):
        logger.error("No summary and no copy of the database: it is not where it was {}", fields(file=missing))
        came_to = ""
    else:
        came_to = _summary(settings, path, began)
        if exit_code == 0 and daily.finish(stops - time.monotonic()):
            copy_database(settings.store, stops - time.monotonic())
        report.finish(stops - time.monotonic())
    logger.info("Stopped {}", fields(exit_code=exit_code))
    logger.remove()  # writes what is left: the summary comes last
    if came_to:
        print(came_to)
    return exit_code


def _stranded(settings: Settings, left_out: Iterable[str]) -> list[tuple[str, str]]:
    """Log whose copies nobody brings down, and return that as followers and texts for somebody to be told."""
    absent = absent_holders(settings.store.database, [*(one.name for one in settings.followers), *left_out])
    say_who_is_absent(absent)
    told = [(name, f"Follower {name} is not in the settings and holds copies: {held}") for name, held in absent.items()]
    return told + say_who_is_not_followed(settings)


def _tell_who_takes_no_part(
    system: CopySystem, stranded: Iterable[tuple[str, str]], left_out: Mapping[str, str]
) -> None:
    for name, text in stranded:
        system.tell_somebody("absent", name, text)
    for name, why in left_out.items():
        system.tell_somebody("left_out", name, f"Account {name} left out: {why}")


def _day_report(system: CopySystem, settings: Settings) -> DayReport:
    day = system.trading_day
    return DayReport(settings.store.database, settings.limits, day, lambda: system.snapshot, system.write)


def _guarded(
    system: CopySystem,
    events: Events,
    duration: float | None,
    reloads: Reloads,
    tasks: Iterable[PeriodicTask],
) -> int | None:
    """Keep the supervisor alive until the session ends; return the exit code, None if it has to be stopped yet.

    ``tasks`` are looked at about once a second.
    """
    ends = None if duration is None else time.monotonic() + duration
    while ends is None or time.monotonic() < ends:
        for task in tasks:
            task.look()
        try:
            event = events.get(
                timeout=GUARD_EVERY if ends is None else max(0.0, min(GUARD_EVERY, ends - time.monotonic()))
            )
            if isinstance(event, LeaseNews):
                system.take_lease(event)
                continue
            if not isinstance(event, Reread):
                return event
            _reload(system, reloads, event.number)
        except queue.Empty:
            if not system.guard():
                system.abandon()
                return EXIT_BROKEN
    return None


def _reload(system: CopySystem, reloads: Reloads, number: int | None) -> None:
    """Give quarantined actors another chance, read the settings again, and answer the command if it was one."""
    system.retry_quarantined()
    reloaded = reloads.take()
    if number is not None:
        system.answer(CommandAnswered(number, reloaded.is_taken, "\n".join(reloaded.lines), wall_clock.now()))


def _summary(settings: Settings, path: Path, began: datetime) -> str:
    """Return what the session came to and what to read next, "" if the database cannot be read."""
    try:
        with open_to_read(settings.store.database) as connection:
            rows = copies_begun(connection, began)
    except DATABASE_ERRORS as error:
        logger.error("No summary {}", fields(error=error))
        return ""
    table = summary(rows, (wall_clock.now() - began).total_seconds())
    return f"{table}\n\n{read_next(rows, path, settings.log.file)}"


def _listen(system: CopySystem, events: Events) -> None:
    """Turn signals into events: the first SIGINT or SIGTERM asks for a stop, the second ends the process."""
    asked = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal asked
        if asked:
            os._exit(EXIT_INTERRUPTED)
        asked = True
        events.put(None)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    signal.signal(signal.SIGUSR1, lambda _number, _frame: system.log_status())

    signal.signal(signal.SIGHUP, lambda _number, _frame: events.put(Reread()))


def _next(events: Events, seconds: float) -> int | None:
    """Wait for the next exit code; None if it does not come in time."""
    ends = time.monotonic() + seconds
    try:
        while True:
            event = events.get(timeout=max(0.0, ends - time.monotonic()))
            if not isinstance(event, Reread | LeaseNews):
                return event
    except queue.Empty:
        return None
