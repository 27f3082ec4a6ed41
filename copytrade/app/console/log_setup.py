"""The log as the settings have it."""

import sys

from copytrade.app.console.terminal import terminal_of
from copytrade.common.logs import configure_logging
from copytrade.settings import Settings, secrets_of


def set_up_log(settings: Settings) -> None:
    """Log to the settings' file and to stderr, without their secrets. Raises OSError."""
    configure_logging(
        settings.log.file,
        settings.log.level,
        secrets_of(settings),
        json_lines=settings.log.json_lines,
        zone=settings.log.zone,
        show=terminal_of(sys.stderr),
    )
