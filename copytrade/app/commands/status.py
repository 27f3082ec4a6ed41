"""``run.py status``: how the running copier is, and with ``--health`` only whether it lives."""

import sys

import msgspec

from copytrade.app.commands.exit_codes import EXIT_NO_GO, EXIT_UNUSABLE
from copytrade.app.commands.status_table import table
from copytrade.app.policies import market_rules_of
from copytrade.common import wall_clock
from copytrade.common.redaction import readable_lines
from copytrade.core.market.calendar import InstrumentClass
from copytrade.reports.status import status_of
from copytrade.settings import Settings
from copytrade.storage.database import DatabaseUnusable
from copytrade.storage.files.lock_file import is_running, without_password
from copytrade.storage.files.status_file import CopierStatus, read_status

#: Seconds after which a status that a copier has not renewed is no longer believed.
STALE_AFTER = 10.0


def show_status(settings: Settings, *, as_json: bool) -> int:
    """Print the status; return 0 if everybody is live and in sync, 1 if not, 2 if no copier runs that tells."""
    copier = _copier(settings)
    if copier is None:
        return EXIT_UNUSABLE
    try:
        names = [follower.name for follower in settings.followers]
        status = status_of(copier, settings.store.database, names, market_now(settings))
    except DatabaseUnusable as error:
        print(error, file=sys.stderr)
        return EXIT_UNUSABLE
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(status)).decode())
    else:
        print(readable_lines(table(status)))
    return 0 if status.is_well else EXIT_NO_GO


def show_health(settings: Settings) -> int:
    """Print and return (0 or 2) whether the copier's supervisor lives, whatever its feeds and its log are like."""
    copier = _copier(settings)
    if copier is None:
        return EXIT_UNUSABLE
    print(f"alive, process {copier.pid}")
    return 0


def _copier(settings: Settings) -> CopierStatus | None:
    """Return what the running copier last wrote of itself; print why there is nothing that counts."""
    database = settings.store.database
    copier = read_status(database)
    if not is_running(database):
        print(f"no copier is running with {without_password(database)}", file=sys.stderr)
        return None
    if copier is None:
        print("the copier has not told its status yet", file=sys.stderr)
        return None
    age = (wall_clock.now() - copier.at).total_seconds()
    if age > STALE_AFTER:
        print(f"the copier last told its status {age:.0f} s ago", file=sys.stderr)
        return None
    return copier


def market_now(settings: Settings) -> dict[str, str]:
    """Return each kind of instrument with its session now: open, closed or uncovered."""
    hours, now = market_rules_of(settings).hours, wall_clock.now()
    if hours is None:
        return {"all": "open"}
    return {str(kind).lower(): hours.state(kind, now).session.lower() for kind in InstrumentClass}
