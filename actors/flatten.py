"""Closing what followers hold by copying, on an operator's word: by the copier that runs, or by one for that alone."""

import queue
import time
from collections.abc import Sequence
from datetime import timedelta

from loguru import logger

from actors.system import CopySystem
from copytrade import wall_clock
from copytrade.instance import AlreadyRunning, hold_lock
from copytrade.logs import configure_logging
from copytrade.orders import IST
from copytrade.places import open_database
from copytrade.records import CommandAnswered
from copytrade.settings import Follower, Settings, secrets_of
from copytrade.store import FLATTEN, Answer, Database

#: Seconds until everything should be closed, and between looks whether it is.
PATIENCE, LOOK_EVERY = 120.0, 0.2

#: Seconds that the stop of a copier of our own may take.
STOP_DEADLINE = 9.0


def held_by_copying(database: Database, followers: Sequence[Follower]) -> list[str]:
    """Return a line a follower on what the database says is held by copying, and rests."""
    today = wall_clock.now().astimezone(IST).date()
    lines = []
    for follower in followers:
        held = [
            f"{line.held} of {line.key.key.segment}:{line.key.key.security_id} {line.key.product}"
            for line in database.lines(follower.name)
            if line.held
        ]
        resting = sum(copy.is_open for copy in database.copies(follower.name, today - timedelta(days=1)))
        lines.append(f"{follower.name}: {resting} orders rest, held: {', '.join(held) or 'nothing'}")
    return lines


def flatten(settings: Settings, followers: Sequence[Follower]) -> list[Answer]:
    """Have everything closed that these followers hold by copying, and nothing else; return what they answer in time.

    Raises what a database raises, DatabaseUnusable where it is none of ours.
    """
    database = open_database(settings)
    try:
        numbers = [database.give_command(FLATTEN, follower.name, wall_clock.now()) for follower in followers]
        try:
            lock = hold_lock(settings.store.database)
        except AlreadyRunning:
            return answers_to(database, numbers)
        with lock:
            if settings.mode != "live":  # no broker is there, and what it held is gone
                nothing = "nothing is open: a broker on paper ends with its copier"
                database.write(CommandAnswered(number, True, nothing, wall_clock.now()) for number in numbers)
                return answers_to(database, numbers)
            return _by_ourselves(settings, followers, database, numbers)
    finally:
        database.close()


def _by_ourselves(
    settings: Settings, followers: Sequence[Follower], database: Database, numbers: Sequence[int]
) -> list[Answer]:
    """Run a copier that copies nothing, until it has answered."""
    configure_logging(settings.log.file, settings.log.level, secrets_of(settings), json_lines=settings.log.json_lines)
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()
    system = CopySystem(settings.model_copy(update={"followers": tuple(followers)}), None, ended.put, only_closes=True)
    system.start()
    try:
        return answers_to(database, numbers)
    finally:
        system.stop()
        try:
            ended.get(timeout=STOP_DEADLINE)
        except queue.Empty:
            logger.critical("Some actors did not stop in {:.0f}s", STOP_DEADLINE)
        system.close()


def answers_to(database: Database, numbers: Sequence[int]) -> list[Answer]:
    """Wait until every command is answered, or too long."""
    ends = time.monotonic() + PATIENCE
    while True:
        answers = [answer for number in numbers if (answer := database.answer(number))]
        if len(answers) == len(numbers) or time.monotonic() > ends:
            return answers
        time.sleep(LOOK_EVERY)
