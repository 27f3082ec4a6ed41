"""``run.py pause`` and ``resume``: entries are paused in the database, where a running copier looks every second."""

import sys

from copytrade.app.commands.exit_codes import EXIT_UNUSABLE
from copytrade.app.paths import open_for_command
from copytrade.core.model.commands import enabled_key
from copytrade.settings import Settings
from copytrade.storage.database import DATABASE_ERRORS
from copytrade.storage.records import ConfigSet


def switch(settings: Settings, follower: str, *, enabled: bool) -> int:
    """Pause or resume the entries of a follower, of everybody where it is ""; return the exit code."""
    try:
        database = open_for_command(settings)
        database.write([ConfigSet(enabled_key(follower), "true" if enabled else "false")])
        database.close()
    except DATABASE_ERRORS as error:
        print(error, file=sys.stderr)
        return EXIT_UNUSABLE
    print(f"{follower or 'everybody'}: entries {'resumed' if enabled else 'paused'}, exits and cancellations go on")
    return 0
