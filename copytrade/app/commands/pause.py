"""``run.py pause``, ``resume`` and ``take``: what the database says of entries; a running copier looks every second."""

import getpass
import os
import sys
from collections.abc import Iterable

from copytrade.app.commands.confirm import is_confirmed
from copytrade.app.commands.exit_codes import EXIT_REFUSED, EXIT_UNUSABLE
from copytrade.app.paths import open_for_command
from copytrade.common import wall_clock
from copytrade.core.model.commands import enabled_key, pause_note_key, pause_text, untaken_key
from copytrade.core.model.orders import IST
from copytrade.settings import Settings
from copytrade.storage.database import DATABASE_ERRORS, Database
from copytrade.storage.files.lock_file import is_running
from copytrade.storage.records import ConfigSet

_ON = "exits and cancellations go on"


def switch(settings: Settings, follower: str, *, enabled: bool) -> int:
    """Pause or resume the entries of a follower, of everybody where it is ""; return the exit code.

    To resume everybody ends the pause of each follower, too.
    """
    runs = is_running(settings.store.database)
    try:
        database = open_for_command(settings)
        try:
            code = _resume(database, follower) if enabled else _pause(database, follower)
        finally:
            database.close()
    except DATABASE_ERRORS as error:
        print(error, file=sys.stderr)
        return EXIT_UNUSABLE
    if not runs:
        print("no copier is running: this counts from its next start")
    return code


def take(settings: Settings, follower: str, *, confirmed: bool) -> int:
    """Let the entries of a follower go on whose account another node may have traded; return the exit code."""
    try:
        database = open_for_command(settings)
        try:
            why = database.config(untaken_key(follower))
            if not why:
                print(f"{follower}: entries do not wait for this")
                return 0
            print(f"{follower}: {why}")
            question = "Is no other node running that trades this account, and does it hold what you expect?"
            if not confirmed and not is_confirmed(question):
                print("nothing was changed")
                return EXIT_REFUSED
            database.write([ConfigSet(untaken_key(follower), "")])
        finally:
            database.close()
    except DATABASE_ERRORS as error:
        print(error, file=sys.stderr)
        return EXIT_UNUSABLE
    print(f"{follower}: entries go on")
    return 0


def _pause(database: Database, follower: str) -> int:
    database.write(paused(follower, operator()))
    print(pause_answer(follower))
    return 0


def paused(follower: str, who: str) -> list[ConfigSet]:
    """Return the records that pause a follower, everybody for "", and say since when and by whom."""
    note = f"{wall_clock.now().astimezone(IST):%d %b %H:%M} by {who}"
    return [ConfigSet(enabled_key(follower), "false"), ConfigSet(pause_note_key(follower), note)]


def _resume(database: Database, follower: str) -> int:
    ended, still = pauses_to_end(database, follower)
    database.write(resume_records(ended))
    print(resume_answer(follower, ended))
    if still:
        print(still, file=sys.stderr)
        return EXIT_REFUSED
    return 0


def pause_answer(follower: str) -> str:
    """Return what an operator is told of a pause."""
    return f"{follower or 'everybody'}: entries paused, {_ON}"


def pauses_to_end(database: Database, follower: str) -> tuple[list[str], str]:
    """Return the pauses that a resumption ends, and the pause of everybody that stays; "" if there is none."""
    paused = database.paused()
    ended = [one for one in paused if follower in ("", one)]
    stays = follower and "" in paused
    return ended, pause_text("", database.config(pause_note_key("")) or "") if stays else ""


def resume_answer(follower: str, ended: Iterable[str]) -> str:
    """Return what an operator is told of the pauses that were ended."""
    lines = [f"{one or 'everybody'}: entries resumed, {_ON}" for one in ended]
    return "\n".join(lines) or f"{follower or 'everybody'}: entries were not paused"


def resume_records(followers: Iterable[str]) -> list[ConfigSet]:
    """Return the records that end the pauses of these followers, "" for that of everybody. No loss breach is lifted."""
    return [
        record
        for one in followers
        for record in (ConfigSet(enabled_key(one), "true"), ConfigSet(pause_note_key(one), ""))
    ]


def operator() -> str:
    """Return who runs this command, or had it run by sudo."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container
        return f"user {os.getuid()}"
