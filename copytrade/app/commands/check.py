"""``run.py check``: whether every account can trade. A copier may be running."""

import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from copytrade.app import checks as checking
from copytrade.app.clients import rest_of
from copytrade.app.commands.exit_codes import EXIT_NO_GO, EXIT_UNUSABLE
from copytrade.app.file_permissions import exposed_by, without_secrets_of
from copytrade.app.nodes import what_leases_mean
from copytrade.app.paper_mode import paper_config, with_paper_urls
from copytrade.common import wall_clock
from copytrade.core.market.sessions import last_day_known
from copytrade.core.model.orders import IST
from copytrade.paper.process import start_paper_process
from copytrade.reports.preflight_table import table
from copytrade.settings import Settings
from copytrade.storage import sqlite
from copytrade.storage.database import DatabaseUnusable
from copytrade.storage.files.lock_file import is_running

#: Days ahead of the calendar's end that it is warned of.
CALENDAR_WARNING = 45


def check(settings: Settings, path: Path) -> int:
    """Print a go or a no-go for each account; return the exit code. ``path`` is the settings file."""
    if settings.mode == "sandbox":
        print(
            "The sandbox has no accounts to check: run.py itself sends it one request of each kind.",
            file=sys.stderr,
        )
        return EXIT_UNUSABLE
    if sqlite.file_of(settings.store.database) is not None:
        try:
            sqlite.see_that_it_is_sound()
        except sqlite.SqliteUnsound as error:
            print(error, file=sys.stderr)
            return EXIT_UNUSABLE
    running = is_running(settings.store.database)
    with ExitStack() as stack:
        if settings.mode == "paper":
            paper = start_paper_process(replace(paper_config(settings), scripted=False))
            stack.callback(paper.stop)
            settings = with_paper_urls(settings, paper)
        try:
            judgements = checking.check(settings, rest_of, feed_in_use=running and settings.mode == "live")
        except DatabaseUnusable as error:
            print(error, file=sys.stderr)
            return EXIT_UNUSABLE
    more = [
        *checking.ways(settings),
        *calendar_ends(settings),
        *checking.shared(settings, judgements),
        *what_leases_mean(settings),
        *exposed_by(settings, path),
    ]
    if sqlite.file_of(settings.store.database) is not None:
        more.append(f"SQLite {sqlite.version()}")
    for line in table(judgements, more).splitlines():
        print(without_secrets_of(settings, line))
    return 0 if all(judgement.can_trade for judgement in judgements) else EXIT_NO_GO


def calendar_ends(settings: Settings) -> list[str]:
    """Return a warning if the market hours in use end soon."""
    if settings.market.hours != "exchange" or settings.mode != "live":
        return []
    last = last_day_known(Path(settings.market.calendar) if settings.market.calendar else None)
    left = (last - wall_clock.now().astimezone(IST).date()).days
    if left > CALENDAR_WARNING:
        return []
    when = f"in {left} days" if left >= 0 else "and that is over"
    what_to_do = "take a later version, or extend it by [market] calendar (docs/market-hours.md)"
    return [f"The market calendar ends on {last}, {when}: {what_to_do}."]
