"""Copy a leader's orders to every follower, until told to stop."""

import argparse
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path

from loguru import logger

from actors.system.close_only import carried_out, flatten
from actors.system.session import copy
from copytrade.app.checks import check_for_start, say_who_is_left_out, without
from copytrade.app.clients import rest_of, unknown_brokers
from copytrade.app.commands.check import check
from copytrade.app.commands.drift import drift, say_who_is_not_read
from copytrade.app.commands.exit_codes import EXIT_REFUSED, EXIT_RUNNING, EXIT_UNUSABLE
from copytrade.app.commands.pause import switch
from copytrade.app.commands.reload import reload
from copytrade.app.commands.remove import remove
from copytrade.app.commands.show import show_day, show_order, verify_trail
from copytrade.app.commands.try_sandbox import try_sandbox
from copytrade.app.file_permissions import exposed_by, without_secrets_of
from copytrade.app.membership import note_followers
from copytrade.app.paper_mode import paper_config, with_paper_urls, write_down
from copytrade.app.paths import open_database
from copytrade.app.who_runs import known_followers
from copytrade.common import wall_clock
from copytrade.common.logs import configure_logging
from copytrade.core.model.orders import IST
from copytrade.paper.process import start_paper_process
from copytrade.settings import Settings, SettingsUnusable, load_settings, secrets_of
from copytrade.storage.database import DATABASE_ERRORS
from copytrade.storage.files.lock_file import AlreadyRunning, hold_lock


def main(arguments: list[str]) -> int:
    """Run what the arguments ask for; return the exit code."""
    options = _parse(arguments)
    os.umask(0o077)  # files are for this user only
    try:
        settings = load_settings(options.settings)
    except SettingsUnusable as error:
        return _unusable(options.settings, error.faults)
    if faults := unknown_brokers(settings):
        return _unusable(options.settings, faults)
    if options.command is not None:
        return _command(options, settings)
    if settings.mode == "sandbox":
        return try_sandbox(settings)
    return _copy(options, settings)


def _unusable(file: Path, faults: Iterable[str]) -> int:
    print(f"{file} cannot be used:", *faults, sep="\n", file=sys.stderr)
    return EXIT_UNUSABLE


def _command(options: argparse.Namespace, settings: Settings) -> int:
    """Run a command; a copier may be running."""
    if options.command in ("report", "explain", "audit"):  # they only print: ``| head`` may end them
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    match options.command:
        case "report":
            return show_day(settings.store.database, options.date)
        case "explain":
            return show_order(settings.store.database, options.leader_order_id)
        case "audit":
            return verify_trail(settings.store.database)
        case "check":
            return check(settings, options.settings)
        case "reload":
            return reload(settings)
    known = known_followers(settings)
    names = [name for name in known.names if options.follower in ("", name)]
    if not names:
        print(known.unknown(options.follower), file=sys.stderr)
        return EXIT_UNUSABLE
    followers = [known.followers[name] for name in names if name in known.followers]
    others = [name for name in names if name not in known.followers]
    match options.command:
        case "flatten":
            return flatten(settings, followers, others, confirmed=options.yes)
        case "remove":
            leaves, confirmed = options.leave, options.yes
            return remove(settings, known, options.follower, carried_out, leaves=leaves, confirmed=confirmed)
        case "drift":
            code = drift(settings, followers, fixes=options.fix, confirmed=options.yes)
            return max(code, say_who_is_not_read(known, names))
        case _ if options.follower and known.is_idle(options.follower):
            print(f"{options.follower}: does not run in the copier, so nothing was done", file=sys.stderr)
            return EXIT_REFUSED
        case pause_or_resume:
            return switch(settings, options.follower, enabled=pause_or_resume == "resume")


def _copy(options: argparse.Namespace, settings: Settings) -> int:
    """Copy with the accounts that the broker lets trade; hold the lock of the database meanwhile."""
    with ExitStack() as stack:
        try:
            stack.enter_context(hold_lock(settings.store.database))
            database = open_database(settings)
            database.claim(settings.mode, settings.leader.client_id)
            note_followers(database, settings)
            watermark = database.config("last_leader_event_ts")
            database.close()
        except AlreadyRunning as error:
            print(error, file=sys.stderr)
            return EXIT_RUNNING
        except DATABASE_ERRORS as error:
            print(error, file=sys.stderr)
            return EXIT_UNUSABLE
        configure_logging(
            settings.log.file, settings.log.level, secrets_of(settings), json_lines=settings.log.json_lines
        )
        if settings.mode == "paper":
            paper = start_paper_process(paper_config(settings))
            stack.callback(paper.stop)
            settings = with_paper_urls(settings, paper)
            write_down(paper, settings)
        for warning in exposed_by(settings, options.settings):
            logger.warning("{}", warning)
        left_out: dict[str, str] = {}
        if settings.mode == "live":
            judgements = check_for_start(settings, rest_of) if settings.dhan.check else []
            left_out = say_who_is_left_out(settings, judgements)
            if settings.leader.name in left_out or len(left_out) == len(settings.followers):
                return _not_started(left_out, settings)
            settings = without(settings, left_out)
        since = datetime.fromtimestamp(int(watermark), UTC) if watermark else None
        return copy(settings, options.settings, since, left_out, duration=options.duration)


def _not_started(left_out: Mapping[str, str], settings: Settings) -> int:
    """Print why there is no leader to copy, or no follower to copy to."""
    print("Nothing was started.", file=sys.stderr)
    for name, why in left_out.items():
        print(without_secrets_of(settings, f"{name}: {why}"), file=sys.stderr)
    return EXIT_UNUSABLE


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.py", description=__doc__)
    parser.add_argument("--settings", type=Path, default=Path("settings.toml"), help="which settings to use")
    parser.add_argument("--duration", type=float, help="stop by itself after so many seconds")
    commands = parser.add_subparsers(dest="command", title="instead of copying")
    day = commands.add_parser("report", help="what was copied on a day, with slippage and latency")
    today = wall_clock.now().astimezone(IST).date()
    day.add_argument("--date", type=date.fromisoformat, default=today, help="YYYY-MM-DD, today if not given")
    for name, what in (("pause", "enter nothing more"), ("resume", "enter again")):
        switch = commands.add_parser(name, help=f"{what}, at once and until told otherwise; exits go on")
        switch.add_argument("follower", nargs="?", default="", help="whose entries; everybody's if not given")
    differing = commands.add_parser("drift", help="what each account holds otherwise than the leader, and why")
    differing.add_argument("follower", nargs="?", default="", help="whose; everybody's if not given")
    differing.add_argument("--fix", action="store_true", help="take up again what was skipped, refused or unfilled")
    differing.add_argument("--yes", action="store_true", help="do not ask")
    close = commands.add_parser("flatten", help="cancel copies and close what is held by copying, and nothing else")
    close.add_argument("follower", nargs="?", default="", help="whose; everybody's if not given")
    close.add_argument("--yes", action="store_true", help="do not ask")
    gone = commands.add_parser("remove", help="cancel a follower's copies for good, before his block is taken out")
    gone.add_argument("follower", help="who")
    held = gone.add_mutually_exclusive_group(required=True)
    held.add_argument("--flatten", action="store_true", help="close what he holds by copying")
    held.add_argument("--leave", action="store_true", help="leave what he holds in his account, as his own")
    gone.add_argument("--yes", action="store_true", help="do not ask")
    trail = commands.add_parser("audit", help="whether every request to the broker is as it was written down")
    trail.add_argument("--verify", action="store_true", required=True, help="follow the chain; exit 1 if it is broken")
    commands.add_parser("check", help="whether every account can trade, and if not what to do; 1 if one cannot")
    commands.add_parser("reload", help="have the running copier read its settings anew, and say what it takes")
    order = commands.add_parser("explain", help="everything that became of one leader order, and why")
    order.add_argument("leader_order_id")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
