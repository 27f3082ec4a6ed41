"""The board as a child: ``python -m copytrade.web SETTINGS [--link]``. It ends with its standard input."""

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

from copytrade.settings import SettingsUnusable, load_settings
from copytrade.web.serving import serve

#: How much others go first: an order never waits for a processor that the board has.
NICE = 10

#: Seconds that an ordered stop may take.
STOPS_WITHIN = 3.0


def main() -> int:
    """Serve until standard input ends."""
    os.umask(0o077)
    with suppress(OSError):
        os.nice(NICE)
    path, *options = sys.argv[1:]
    try:
        settings = load_settings(Path(path))
    except SettingsUnusable as error:
        sys.stderr.write(f"{path} cannot be used: {'; '.join(error.faults)}\n")
        return 2
    return serve(settings, shows_link="--link" in options, until=_until_it_ends)


def _until_it_ends() -> None:
    """Wait for the end of standard input; a board that then does not stop in time is ended."""
    sys.stdin.read()
    latest = threading.Timer(STOPS_WITHIN, os._exit, [0])
    latest.daemon = True
    latest.start()


if __name__ == "__main__":
    sys.exit(main())
