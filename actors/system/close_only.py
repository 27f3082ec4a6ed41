"""Closes what followers hold by copying: through the running copier, or with one that does only that."""

import queue
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import timedelta

from loguru import logger

from actors.system.session import STOP_DEADLINE
from actors.system.system import CopySystem
from copytrade.app.changes.who_runs import NO_CREDENTIALS
from copytrade.app.commands.confirm import answers_of_copier, answers_to, is_confirmed
from copytrade.app.commands.exit_codes import EXIT_REFUSED, EXIT_UNUSABLE
from copytrade.app.console.log_setup import set_up_log
from copytrade.app.paper_mode import PAPER_HAS_ENDED
from copytrade.app.paths import open_database, open_for_command
from copytrade.common import wall_clock
from copytrade.common.redaction import readable
from copytrade.core.model.commands import FLATTEN, Answer
from copytrade.core.model.orders import IST
from copytrade.reports.flatten_preview import held_and_resting
from copytrade.settings import Follower, Settings
from copytrade.storage.database import DATABASE_ERRORS, Database
from copytrade.storage.files.lock_file import AlreadyRunning, hold_lock, is_running
from copytrade.storage.leader_names import joined
from copytrade.storage.records import CommandAnswered


def flatten(settings: Settings, followers: Sequence[Follower], absent: Sequence[str] = (), *, confirmed: bool) -> int:
    """Cancel these followers' copies and close what they hold by copying; print what was done.

    ``absent`` are followers that the settings do not name: a running copier may have them still.

    Nothing is done before the operator agrees, or has with ``confirmed``. Returns the exit code.
    """
    try:
        open_for_command(settings).close()
        if not (runs := is_running(settings.store.database)) and settings.mode != "live":
            print(PAPER_HAS_ENDED)
            return 0
        if not runs:
            database = open_database(settings)
            database.claim(settings.mode, joined(settings.leader_ids.values()))  # it may be of an earlier version
            database.close()
        since = wall_clock.now().astimezone(IST).date() - timedelta(days=1)
        names = [*(one.name for one in followers), *absent]
        print(*held_and_resting(settings.store.database, names, since), sep="\n")
        if not confirmed and not is_confirmed("Cancel these orders and close these positions at the market?"):
            print("nothing was done")
            return EXIT_REFUSED
        answers = carried_out(settings, followers, absent)
    except DATABASE_ERRORS as error:
        print(error, file=sys.stderr)
        return EXIT_UNUSABLE
    for answer in answers:
        print(f"{answer.follower}: {readable(answer.text)}")
    for silent in set(names) - {answer.follower for answer in answers}:
        print(f"{silent}: no answer yet; the log and the broker know how far it has come")
    is_done = len(answers) == len(names) and all(answer.is_done for answer in answers)
    return 0 if is_done else EXIT_REFUSED


def carried_out(
    settings: Settings, followers: Sequence[Follower], absent: Sequence[str], command: str = FLATTEN
) -> list[Answer]:
    """Have these followers carry out a command, and nothing else; return the answers that come in time.

    Raises what a database raises, and DatabaseUnusable if it is not ours.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(hold_lock(settings.store.database))
        except AlreadyRunning:
            is_alone = False
        else:
            is_alone = True
        database = stack.enter_context(closing(open_database(settings)))
        names = [*(follower.name for follower in followers), *absent]
        numbers = [database.give_command(command, name, wall_clock.now()) for name in names]
        if not is_alone:
            return answers_of_copier(database, numbers)
        if settings.mode != "live":  # it has ended since
            database.write(CommandAnswered(number, True, PAPER_HAS_ENDED, wall_clock.now()) for number in numbers)
            return answers_to(database, numbers)
        without = numbers[len(followers) :]
        database.write(CommandAnswered(number, False, NO_CREDENTIALS, wall_clock.now()) for number in without)
        if not followers:
            return answers_to(database, numbers)
        return _by_ourselves(settings, followers, database, numbers)


def _by_ourselves(
    settings: Settings, followers: Sequence[Follower], database: Database, numbers: Sequence[int]
) -> list[Answer]:
    """Run a copier that copies nothing, until it has answered."""
    set_up_log(settings)
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
