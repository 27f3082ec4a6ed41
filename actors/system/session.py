"""One session of copying: starts all actors, and stops them on a signal, after a duration or when an actor says so."""

import os
import queue
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from loguru import logger

from actors.system.board_child import board_program
from actors.system.daily_backup import DailyBackup, copy_database
from actors.system.system import CopySystem
from copytrade.app.commands.exit_codes import EXIT_BROKEN, EXIT_INTERRUPTED
from copytrade.app.paths import file_to_watch
from copytrade.common import wall_clock
from copytrade.common.gc_tuning import collect_little_at_a_time
from copytrade.common.logs import alert, fields
from copytrade.reports.queries import copies_begun
from copytrade.reports.session import read_next, summary
from copytrade.reports.snapshot import open_to_read
from copytrade.settings import Settings, SettingsUnusable, load_settings
from copytrade.storage.database import DATABASE_ERRORS

#: Seconds between checks that the supervisor lives.
GUARD_EVERY = 1.0

#: Seconds that an ordered stop may take altogether.
STOP_DEADLINE = 9.0

#: Seconds that a thread may keep the interpreter while another wants it. The thread of the accounts should finish an
#: order before answers are read: ten followers took 4.2 ms with 1 ms, and 3.6 ms with 20 ms. It is half of that, so
#: that a thread that reads the instrument master or a book delays an order less.
SWITCH_INTERVAL = 0.01


@dataclass(frozen=True, slots=True)
class Reread:
    """The tokens have to be read again."""


#: None asks for a stop; a number is the exit code of a system that has stopped.
Events = queue.SimpleQueue[int | Reread | None]


def copy(
    settings: Settings, path: Path, since: datetime | None, left_out: Mapping[str, str], *, duration: float | None
) -> int:
    """Copy until a signal, or for ``duration`` seconds; return the exit code.

    ``path`` is the settings file, for reading tokens again. ``since`` is the time of the leader's last known event.
    ``left_out`` has the accounts that take no part, and why.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    collect_little_at_a_time()
    events: Events = queue.SimpleQueue()
    system = CopySystem(settings, since, events.put, board=board_program(settings, path))
    database = file_to_watch(settings.store)
    _listen(system, events)
    began = wall_clock.now()
    followers = ",".join(follower.name for follower in settings.followers)
    who = fields(mode=settings.mode, leader=settings.leader.client_id, zone=settings.log.zone, followers=followers)
    logger.info("Copying begins {}", who)
    system.start()
    for name, why in left_out.items():
        system.tell_somebody("left_out", name, f"Account {name} left out: {why}")
    daily = DailyBackup(settings.store)
    exit_code = _guarded(system, events, duration, path, daily)
    stops = time.monotonic() + STOP_DEADLINE
    if exit_code is None:
        logger.info("Stopping: no new orders, waiting for what is under way")
        system.stop()
        exit_code = _next(events, STOP_DEADLINE)
    system.close()
    if exit_code is None:
        logger.critical("Some actors did not stop in {:.0f}s", STOP_DEADLINE)
        logger.remove()  # writes what is left
        os._exit(EXIT_BROKEN)
    if database is not None and (missing := database.missing()):
        logger.error("No summary and no copy of the database: it is not where it was {}", fields(file=missing))
        came_to = ""
    else:
        came_to = _summary(settings, path, began)
        if exit_code == 0 and daily.finish(stops - time.monotonic()):
            copy_database(settings.store, stops - time.monotonic())
    logger.info("Stopped {}", fields(exit_code=exit_code))
    logger.remove()  # writes what is left: the summary comes last
    if came_to:
        print(came_to)
    return exit_code


def _guarded(system: CopySystem, events: Events, duration: float | None, path: Path, daily: DailyBackup) -> int | None:
    """Keep the supervisor alive until the session ends; return the exit code, None if it has to be stopped yet."""
    ends = None if duration is None else time.monotonic() + duration
    while ends is None or time.monotonic() < ends:
        daily.look()
        try:
            event = events.get(
                timeout=GUARD_EVERY if ends is None else max(0.0, min(GUARD_EVERY, ends - time.monotonic()))
            )
            if not isinstance(event, Reread):
                return event
            _reread(system, path)
        except queue.Empty:
            if not system.guard():
                system.abandon()
                return EXIT_BROKEN
    return None


def _reread(system: CopySystem, path: Path) -> None:
    """Read tokens again, unless the settings are unusable."""
    try:
        system.give_credentials(load_settings(path))
    except SettingsUnusable as error:
        faults = fields(faults="; ".join(error.faults))
        alert("settings", "", "Settings unusable, tokens stay as they are {}", faults, level="ERROR")


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

    def begin_anew(_number: int, _frame: object) -> None:
        system.retry_quarantined()
        events.put(Reread())

    signal.signal(signal.SIGHUP, begin_anew)


def _next(events: Events, seconds: float) -> int | None:
    """Wait for the next exit code; None if it does not come in time."""
    ends = time.monotonic() + seconds
    try:
        while True:
            event = events.get(timeout=max(0.0, ends - time.monotonic()))
            if not isinstance(event, Reread):
                return event
    except queue.Empty:
        return None
