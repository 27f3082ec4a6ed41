"""The board as a child: ``python -m copytrade.web SETTINGS [--link]``. It ends with its standard input."""

import os
import sys
from pathlib import Path

from copytrade.settings import SettingsUnusable, load_settings
from copytrade.web.serving import serve


def main() -> int:
    """Serve until standard input ends."""
    os.umask(0o077)
    path, *options = sys.argv[1:]
    try:
        settings = load_settings(Path(path))
    except SettingsUnusable as error:
        sys.stderr.write(f"{path} cannot be used: {'; '.join(error.faults)}\n")
        return 2
    return serve(settings, shows_link="--link" in options, until=sys.stdin.read)


if __name__ == "__main__":
    sys.exit(main())
