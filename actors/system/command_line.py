"""Copy a leader's orders to every follower, until told to stop."""

import argparse
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from actors.store.actor import COPYING_SINCE
from actors.system.close_only import carried_out, flatten
from actors.system.lead import Lead, leases_of
from actors.system.membership.tenures import Node, lifetimes_of
from actors.system.session import copy
from copytrade.app.alert_at_start import tell_of_no_start, tell_of_settings
from copytrade.app.arguments import parse
from copytrade.app.changes.membership import note_followers
from copytrade.app.changes.who_runs import known_followers, leaders_known
from copytrade.app.checks import check_for_start, say_who_is_left_out, without
from copytrade.app.clients import rest_of, unknown_brokers
from copytrade.app.commands.alert_test import alert_test
from copytrade.app.commands.check import check
from copytrade.app.commands.drift import drift, say_who_is_not_read
from copytrade.app.commands.exit_codes import EXIT_BROKEN, EXIT_INTERRUPTED, EXIT_REFUSED, EXIT_RUNNING, EXIT_UNUSABLE
from copytrade.app.commands.pause import switch, take
from copytrade.app.commands.reload import reload
from copytrade.app.commands.remove import remove, remove_leader
from copytrade.app.commands.report import report_of_day
from copytrade.app.commands.sandbox.try_sandbox import try_sandbox
from copytrade.app.commands.show import show_order, verify_trail
from copytrade.app.commands.status import show_health, show_status
from copytrade.app.console.banner import banner
from copytrade.app.console.log_setup import set_up_log
from copytrade.app.file_permissions import exposed_by, without_secrets_of
from copytrade.app.new_database import say_what_it_does_not_know
from copytrade.app.nodes import BusUnusable, for_lead, for_node, open_bus
from copytrade.app.paper_mode import paper_config, with_paper_urls, write_down
from copytrade.app.paths import left_elsewhere, open_database, recognise
from copytrade.core.model.commands import LEASE_STORE, lease_epoch_key
from copytrade.paper.process import start_paper_process
from copytrade.settings import Settings, SettingsUnusable, load_settings
from copytrade.storage.database import DATABASE_ERRORS, Database, DatabaseUnusable
from copytrade.storage.files.lock_file import AlreadyRunning, hold_lock
from copytrade.storage.leader_names import joined
from copytrade.storage.records import ConfigSet
from copytrade.web.command import board

if TYPE_CHECKING:
    from copytrade.bus.nats_messages import NatsBus

#: The commands that copy; None is without a command.
_COPIES = (None, "lead", "node")


def console() -> None:
    """Run the console script ``copytrade``."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: list[str]) -> int:
    """Run what the arguments ask for; return the exit code."""
    options = parse(arguments, __doc__)
    os.umask(0o077)  # files are for this user only
    try:
        settings = load_settings(options.settings)
    except SettingsUnusable as error:
        if options.command in _COPIES:
            tell_of_settings(options.settings, error.faults)
        return _unusable(options.settings, error.faults)
    if faults := unknown_brokers(settings):
        if options.command in _COPIES:
            tell_of_settings(options.settings, faults)
        return _unusable(options.settings, faults)
    try:
        return _run(options, settings)
    except KeyboardInterrupt:
        sys.stdout.flush()
        print("\ninterrupted", file=sys.stderr, flush=True)
        logger.remove()  # writes what is left
        os._exit(EXIT_INTERRUPTED)  # threads that wait for the broker are not waited for


def _run(options: argparse.Namespace, settings: Settings) -> int:
    if options.command in ("lead", "node"):
        return _copy_over_the_bus(options, settings)
    if options.command is not None:
        return _command(options, settings)
    if settings.nodes.url:
        return _unusable(options.settings, ["[nodes] url is set: start run.py lead, or run.py node NAME"])
    if settings.mode == "sandbox":
        return try_sandbox(settings)
    return _copy(options, settings)


def _copy_over_the_bus(options: argparse.Namespace, settings: Settings) -> int:
    """Run a lead or a node."""
    if settings.mode != "live":
        return _unusable(options.settings, [f'mode is "{settings.mode}": a lead and nodes need mode = "live"'])
    if options.command == "lead":
        return _copy(options, for_lead(settings))
    if not settings.followers:
        return _unusable(options.settings, ["there is no [[followers]] block: nobody to copy to"])
    return _copy(options, settings)


def _unusable(file: Path, faults: Iterable[str]) -> int:
    print(f"{file} cannot be used:", *faults, sep="\n", file=sys.stderr)
    return EXIT_UNUSABLE


def _command(options: argparse.Namespace, settings: Settings) -> int:
    """Run a command; a copier may be running."""
    if why := left_elsewhere(settings, options.settings):
        print(why, file=sys.stderr)
        return EXIT_UNUSABLE
    if options.command in ("report", "explain", "audit", "status"):  # they only print: ``| head`` may end them
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if options.command in ("report", "explain", "audit", "drift"):
        try:
            recognise(settings)
        except DatabaseUnusable as error:
            print(error, file=sys.stderr)
            return EXIT_UNUSABLE
    match options.command:
        case "report":
            return report_of_day(settings, options)
        case "explain":
            return show_order(settings.store.database, options.order_id)
        case "audit":
            return verify_trail(settings.store.database)
        case "check":
            return check(settings, options.settings)
        case "alert-test":
            return alert_test(settings)
        case "board":
            return board(settings, links=options.link, hashes=options.hash)
        case "status":
            return show_health(settings) if options.health else show_status(settings, as_json=options.json)
        case "reload":
            return reload(settings)
    return _command_about_followers(options, settings)


def _command_about_followers(options: argparse.Namespace, settings: Settings) -> int:
    known = known_followers(settings)
    is_of_leader = options.command == "remove" and options.follower not in known.names
    if is_of_leader and options.follower in leaders_known(settings):
        leaves, confirmed = options.leave, options.yes
        return remove_leader(settings, options.follower, carried_out, leaves=leaves, confirmed=confirmed)
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
        case "take":
            return take(settings, options.follower, confirmed=options.yes)
        case _ if options.follower and (why := known.why_not_copied(options.follower)):
            print(why, file=sys.stderr)
            return EXIT_REFUSED
        case pause_or_resume:
            return switch(settings, options.follower, enabled=pause_or_resume == "resume")


def _copy(options: argparse.Namespace, settings: Settings) -> int:
    """Copy with the accounts that the broker lets trade; hold the lock of the database meanwhile."""
    if why := left_elsewhere(settings, options.settings):
        print(why, file=sys.stderr)
        return EXIT_UNUSABLE
    with ExitStack() as stack:
        try:
            stack.enter_context(hold_lock(settings.store.database))
            database = open_database(settings)
            database.claim(settings.mode, joined(settings.leader_ids.values()))
            note_followers(database, settings)
            watermark = database.config("last_leader_event_ts")
            is_new = database.config(COPYING_SINCE) is None
            node = _node_of(options, settings, database, stack)
            bus = _bus_of_lead(options, settings, stack)
            store = database.config(LEASE_STORE) or ""
            settings = settings if node is None else for_node(settings, node.bus)
            database.close()
        except AlreadyRunning as error:
            print(error, file=sys.stderr)
            return EXIT_RUNNING
        except BusUnusable as error:
            return _unusable(options.settings, [str(error)])
        except DATABASE_ERRORS as error:
            print(error, file=sys.stderr)
            tell_of_no_start(settings, [str(error)])
            return EXIT_UNUSABLE
        try:
            set_up_log(settings)
        except OSError as error:
            print(f"{settings.log.file}: the log cannot be written: {error.strerror}", file=sys.stderr)
            return EXIT_UNUSABLE
        if settings.mode == "paper":
            if sys.stderr.isatty():  # a pipe has the log alone
                print(banner(settings, options.settings), file=sys.stderr)
            paper = start_paper_process(paper_config(settings))
            stack.callback(paper.stop)
            settings = with_paper_urls(settings, paper)
            write_down(paper, settings)
        for warning in exposed_by(settings, options.settings):
            logger.warning("{}", warning)
        lead = None if bus is None else _lead_of(settings, bus, store, stack)
        left_out: dict[str, str] = {}
        if settings.mode == "live" and node is None:  # of a node's accounts others may have the tokens
            judgements = check_for_start(settings, rest_of) if settings.dhan.check else []
            left_out = say_who_is_left_out(settings, judgements)
            of_followers = [one.name for one in settings.followers if one.name in left_out]
            if settings.leader_ids.keys() <= left_out.keys() or len(of_followers) == len(settings.followers) > 0:
                return _not_started(left_out, settings)
            settings = without(settings, left_out)
            if is_new and settings.dhan.check and lead is None:
                say_what_it_does_not_know(settings, rest_of)
        since = datetime.fromtimestamp(int(watermark), UTC) if watermark else None
        code = copy(settings, options.settings, since, left_out, duration=options.duration, node=node, lead=lead)
        return EXIT_BROKEN if lead is not None and lead.is_lost else code


def _node_of(options: argparse.Namespace, settings: Settings, database: Database, stack: ExitStack) -> Node | None:
    """Return this process as a node with its bus, None where it is none. Raises BusUnusable."""
    if options.command != "node":
        return None
    bus = open_bus(settings.nodes, lifetimes_of(settings))
    stack.callback(bus.close)
    traded = {name: int(epoch) for name, epoch in database.configured(lease_epoch_key("")).items()}
    store = database.config(LEASE_STORE) or ""
    return Node(options.name, bus, traded, store, takes_home=options.take_home)


def _bus_of_lead(options: argparse.Namespace, settings: Settings, stack: ExitStack) -> "NatsBus | None":
    """Return the bus of a lead, None where this process is none. Raises BusUnusable."""
    if options.command != "lead":
        return None
    bus = open_bus(settings.nodes, lifetimes_of(settings))
    stack.callback(bus.close)
    return bus


def _lead_of(settings: Settings, bus: "NatsBus", store: str, stack: ExitStack) -> Lead:
    """Wait until this process has the leases of all leaders; return it as a lead.

    ``store`` is the id of the bus's store that the database has kept.
    """
    leases = leases_of(settings, bus, store)
    lead = Lead(bus, leases.take(), leases)
    stack.callback(leases.close)
    with closing(open_database(settings)) as database:
        database.write([ConfigSet(LEASE_STORE, leases.store)])
    return lead


def _not_started(left_out: Mapping[str, str], settings: Settings) -> int:
    """Print why there is no leader to copy, or no follower to copy to."""
    reasons = [without_secrets_of(settings, f"{name}: {why}") for name, why in left_out.items()]
    print(*reasons, "Nothing was started.", sep="\n", file=sys.stderr)
    tell_of_no_start(settings, reasons)
    return EXIT_UNUSABLE
