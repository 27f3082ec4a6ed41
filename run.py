"""Copy a leader's orders to every follower, until told to stop."""

import argparse
import os
import queue
import signal
import sys
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path

from loguru import logger

from actors.system import CopySystem, open_database, secrets_of
from copytrade import wall_clock
from copytrade.explain import UnknownOrder, explain
from copytrade.instance import AlreadyRunning, hold_lock
from copytrade.logs import configure_logging, fields
from copytrade.orders import IST
from copytrade.paper.process import start_paper_process
from copytrade.papermode import paper_config, with_paper_urls
from copytrade.report import report
from copytrade.settings import Settings, SettingsUnusable, load_settings
from copytrade.store import DATABASE_ERRORS, DatabaseUnusable
from copytrade.summary import summary

EXIT_UNUSABLE, EXIT_RUNNING, EXIT_BROKEN, EXIT_INTERRUPTED = 2, 3, 70, 130

#: Seconds that an ordered stop may take altogether.
STOP_DEADLINE = 9.0

#: Seconds a thread may keep the interpreter. With the default of 5 ms, one thread at work would add that to every hop
#: between actors (measured: 15 ms at the 99th percentile, 3.7 ms with 1 ms).
SWITCH_INTERVAL = 0.001


def main(arguments: list[str]) -> int:
    """Run until a signal or ``--duration``; return the exit code."""
    options = _parse(arguments)
    try:
        settings = load_settings(options.settings)
    except SettingsUnusable as error:
        print(f"{options.settings} cannot be used:", *error.faults, sep="\n", file=sys.stderr)
        return EXIT_UNUSABLE
    if options.command is not None:
        return _answer(options, settings.store.database)
    os.umask(0o077)
    with ExitStack() as stack:
        try:
            stack.enter_context(hold_lock(settings.store.database))
            database = open_database(settings)
            database.claim(settings.mode, settings.leader.client_id)
            watermark = database.config("last_leader_event_ts")
            database.close()
        except AlreadyRunning as error:
            print(error, file=sys.stderr)
            return EXIT_RUNNING
        except DATABASE_ERRORS as error:
            print(error, file=sys.stderr)
            return EXIT_UNUSABLE
        configure_logging(settings.log.file, settings.log.level, secrets_of(settings))
        if settings.mode == "paper":
            paper = start_paper_process(paper_config(settings))
            stack.callback(paper.stop)
            settings = with_paper_urls(settings, paper)
        return _copy(settings, datetime.fromtimestamp(int(watermark), UTC) if watermark else None, options.duration)


def _answer(options: argparse.Namespace, database: str) -> int:
    """Print what the database says, beside a running copier if there is one."""
    try:
        if options.command == "report":
            print(report(database, options.date))
        else:
            print(explain(database, options.leader_order_id))
    except (DatabaseUnusable, UnknownOrder) as error:
        print(error, file=sys.stderr)
        return EXIT_UNUSABLE
    return 0


def _copy(settings: Settings, since: datetime | None, duration: float | None) -> int:
    sys.setswitchinterval(SWITCH_INTERVAL)
    #: None asks for a stop; a number is the exit code of a system that has stopped.
    events: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    system = CopySystem(settings, since, events.put)
    _listen(system, events)
    began = wall_clock.now()
    followers = ",".join(follower.name for follower in settings.followers)
    logger.info("Copying begins {}", fields(mode=settings.mode, leader=settings.leader.client_id, followers=followers))
    system.start()
    exit_code = _next(events, duration)
    if exit_code is None:
        logger.info("Stopping: no new orders, waiting for what is under way")
        system.stop()
        exit_code = _next(events, STOP_DEADLINE)
    system.close()
    if exit_code is None:
        logger.critical("Some actors did not stop in {:.0f}s", STOP_DEADLINE)
        os._exit(EXIT_BROKEN)
    _summarise(settings, began)
    logger.info("Stopped {}", fields(exit_code=exit_code))
    return exit_code


def _summarise(settings: Settings, began: datetime) -> None:
    """Print what the session came to, if the database can still say."""
    try:
        database = open_database(settings)
        print(summary(database.copies_since(began), (wall_clock.now() - began).total_seconds()))
        database.close()
    except DATABASE_ERRORS as error:
        logger.error("No summary {}", fields(error=error))


def _listen(system: CopySystem, events: "queue.SimpleQueue[int | None]") -> None:
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


def _next(events: "queue.SimpleQueue[int | None]", seconds: float | None) -> int | None:
    """Wait for the next event; None if it asks for a stop, or does not come in time."""
    try:
        return events.get(timeout=seconds)
    except queue.Empty:
        return None


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.py", description=__doc__)
    parser.add_argument("--settings", type=Path, default=Path("settings.toml"), help="which settings to use")
    parser.add_argument("--duration", type=float, help="stop by itself after so many seconds")
    commands = parser.add_subparsers(dest="command", title="questions to the database, instead of copying")
    day = commands.add_parser("report", help="what was copied on a day, with slippage and latency")
    today = wall_clock.now().astimezone(IST).date()
    day.add_argument("--date", type=date.fromisoformat, default=today, help="YYYY-MM-DD, today if not given")
    order = commands.add_parser("explain", help="everything that became of one leader order, and why")
    order.add_argument("leader_order_id")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
