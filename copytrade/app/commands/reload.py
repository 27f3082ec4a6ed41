"""``run.py reload``: has the running copier read its settings anew, through the database as ``flatten`` does."""

import sys

from copytrade.app.commands.confirm import answers_to
from copytrade.app.commands.exit_codes import EXIT_UNUSABLE
from copytrade.app.paths import open_for_command
from copytrade.common import wall_clock
from copytrade.common.redaction import readable_lines
from copytrade.core.model.commands import RELOAD
from copytrade.settings import Settings
from copytrade.storage.database import DATABASE_ERRORS
from copytrade.storage.files.lock_file import is_running

#: What is said before the faults of settings that are refused.
NOT_TAKEN = "the settings cannot be taken, nothing has changed:"


def reload(settings: Settings) -> int:
    """Have the settings taken and print what was; return 0, or 2 if they are refused or no copier runs."""
    if not is_running(settings.store.database):
        print("no copier is running: the next start reads the settings", file=sys.stderr)
        return EXIT_UNUSABLE
    try:
        database = open_for_command(settings)
        answers = answers_to(database, [database.give_command(RELOAD, "", wall_clock.now())])
        database.close()
    except DATABASE_ERRORS as error:
        print(error, file=sys.stderr)
        return EXIT_UNUSABLE
    if not answers:
        print("no answer yet; the log says whether the settings are taken", file=sys.stderr)
        return EXIT_UNUSABLE
    (answer,) = answers
    if not answer.is_done:
        print(NOT_TAKEN, file=sys.stderr)
    print(readable_lines(answer.text), file=sys.stdout if answer.is_done else sys.stderr)
    return 0 if answer.is_done else EXIT_UNUSABLE
