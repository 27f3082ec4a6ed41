"""Copy a leader's orders to every follower, until told to stop."""

import argparse
import gc
import os
import queue
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from loguru import logger

from actors.flatten import answers_to, flatten, held_by_copying
from actors.system import CopySystem
from copytrade import wall_clock
from copytrade.access import rest_of
from copytrade.audit import told
from copytrade.backup import BackupFailed, back_up
from copytrade.checking import check, check_for_start, say_who_is_left_out, shared, with_token, without
from copytrade.dhan.baseline import read_net
from copytrade.drift import Proposal
from copytrade.drift_report import DriftReport, PositionsUnread, drift_report
from copytrade.explain import UnknownOrder, explain
from copytrade.instance import AlreadyRunning, hold_lock, is_running
from copytrade.logs import configure_logging, fields, hide, scrubbed
from copytrade.orders import IST
from copytrade.paper.process import start_paper_process
from copytrade.papermode import paper_config, with_paper_urls
from copytrade.places import open_database
from copytrade.policies import needs_holdings
from copytrade.preflight_table import table
from copytrade.reading import audit_verdict, open_to_read, remembered
from copytrade.records import LEADER, ConfigSet
from copytrade.report import report
from copytrade.sandbox import rehearse
from copytrade.secrecy import exposed
from copytrade.settings import Dhan, Follower, Settings, SettingsUnusable, Storage, load_settings, secrets_of
from copytrade.store import DATABASE_ERRORS, TRY_AGAIN, DatabaseUnusable, enabled_key
from copytrade.summary import summary

EXIT_REFUSED = EXIT_TAMPERED = EXIT_NO_GO = EXIT_UNEXPLAINED = 1
EXIT_UNUSABLE, EXIT_RUNNING, EXIT_BROKEN, EXIT_INTERRUPTED = 2, 3, 70, 130

#: Where ``config`` says where the broker of paper mode is, or was.
PAPER_REST_URL = "paper_rest_url"

#: Seconds between looks whether the supervisor lives.
GUARD_EVERY = 1.0

#: Seconds that an ordered stop may take altogether.
STOP_DEADLINE = 9.0

#: Seconds a thread may keep the interpreter while another wants it. The one that serves the accounts is to finish what
#: an order asks for before the answers are read: ten followers took 4.2 ms with 1 ms, and 3.6 ms with 20 ms; it is half
#: of that, so that whoever reads the instrument master or a book does not keep an order waiting for as long.
SWITCH_INTERVAL = 0.01

#: How many objects more than before, and how many collections of the younger, call for a collection of garbage. What
#: lives as long as the program is left out of all of them, and what an order leaves behind makes no cycles: with fifty
#: followers a full collection takes 20 to 30 ms with all of it, and 5 to 12 without.
GC_THRESHOLDS = (20_000, 20, 50)


@dataclass(frozen=True, slots=True)
class Reread:
    """Somebody wants the tokens to be read again."""


#: None asks for a stop; a number is the exit code of a system that has stopped.
Events = queue.SimpleQueue[int | Reread | None]


def main(arguments: list[str]) -> int:
    """Run until a signal or ``--duration``; return the exit code."""
    options = _parse(arguments)
    os.umask(0o077)  # whatever is written is for this user alone
    try:
        settings = load_settings(options.settings)
    except SettingsUnusable as error:
        print(f"{options.settings} cannot be used:", *error.faults, sep="\n", file=sys.stderr)
        return EXIT_UNUSABLE
    if options.command in ("pause", "resume"):
        return _switch(settings, options.follower, enabled=options.command == "resume")
    if options.command == "flatten":
        return _flatten(settings, options.follower, confirmed=options.yes)
    if options.command == "audit":
        return _verify(settings.store.database)
    if options.command == "drift":
        return _drift(settings, options.follower, fixes=options.fix, confirmed=options.yes)
    if options.command == "check":
        return _check(settings, options.settings)
    if options.command is not None:
        return _answer(options, settings.store.database)
    if settings.mode == "sandbox":
        return _rehearse(settings)
    with ExitStack() as stack:
        try:
            stack.enter_context(hold_lock(settings.store.database))
            database = open_database(settings)
            database.claim(settings.mode, settings.leader.client_id)
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
            database = open_database(settings)
            database.write([ConfigSet(PAPER_REST_URL, paper.rest_url)])
            database.close()
        for warning in _exposed(settings, options.settings):
            logger.warning("{}", warning)
        left_out: dict[str, str] = {}
        if settings.mode == "live":
            judgements = check_for_start(settings, rest_of) if settings.dhan.check else []
            left_out = say_who_is_left_out(settings, judgements)
            if LEADER in left_out or len(left_out) == len(settings.followers):
                return _not_started(left_out, settings)
            settings = without(settings, left_out)
        since = datetime.fromtimestamp(int(watermark), UTC) if watermark else None
        return _copy(settings, since, options, left_out)


def _check(settings: Settings, path: Path) -> int:
    """Say of every account whether it can trade, beside a running copier if there is one."""
    if settings.mode == "sandbox":
        print("The sandbox has no accounts to check: run.py itself sends it one request of each kind.", file=sys.stderr)
        return EXIT_UNUSABLE
    running = is_running(settings.store.database)
    with ExitStack() as stack:
        if settings.mode == "paper":
            paper = start_paper_process(replace(paper_config(settings), scripted=False))
            stack.callback(paper.stop)
            settings = with_paper_urls(settings, paper)
        try:
            judgements = check(settings, rest_of, feed_in_use=running and settings.mode == "live")
        except DatabaseUnusable as error:
            print(error, file=sys.stderr)
            return EXIT_UNUSABLE
    more = [*shared(settings, judgements), *_exposed(settings, path)]
    for line in table(judgements, more).splitlines():
        print(_without_secrets(line, settings))
    return 0 if all(judgement.can_trade for judgement in judgements) else EXIT_NO_GO


def _not_started(left_out: Mapping[str, str], settings: Settings) -> int:
    """Say why there is no leader to copy, or nobody to copy to."""
    print("Nothing was started.", file=sys.stderr)
    for name, why in left_out.items():
        print(_without_secrets(f"{name}: {why}", settings), file=sys.stderr)
    return EXIT_UNUSABLE


def _exposed(settings: Settings, path: Path) -> list[str]:
    """Return a warning for each file with secrets of live settings that others than its owner may read."""
    if settings.mode != "live":
        return []
    return exposed([path, path.parent / ".env"], [secret.get_secret_value() for secret in secrets_of(settings)])


def _without_secrets(line: str, settings: Settings) -> str:
    """Take out what the broker may have said back."""
    for secret in secrets_of(settings):
        hide(secret)
    return scrubbed(line)


def _rehearse(settings: Settings) -> int:
    """Send each kind of request to the sandbox, print the answers, and say whether every order was taken."""
    refused = 0
    for follower in (follower for follower in settings.followers if follower.enabled):
        rest = rest_of(follower, settings.dhan)
        for answer in rehearse(follower.name, rest):
            print(answer, flush=True)
            refused += answer.is_placement and not answer.is_accepted
        rest.close()
    print("The sandbox tells of no orders and fills none: nothing is copied. Try copying in paper mode.")
    return EXIT_REFUSED if refused else 0


def _answer(options: argparse.Namespace, database: str) -> int:
    """Print what the database says, beside a running copier if there is one."""
    try:
        if options.command == "report":
            print(report(database, options.date))
        else:
            print(explain(database, options.leader_order_id))
    except (DatabaseUnusable, UnknownOrder) as error:
        print(error, file=sys.stderr)
        return EXIT_UNUSABLE
    return 0


def _verify(database: str) -> int:
    """Follow the audit trail's chain, beside a running copier if there is one."""
    try:
        with open_to_read(database) as connection:
            verdict = audit_verdict(connection)
    except DatabaseUnusable as error:
        print(error, file=sys.stderr)
        return EXIT_UNUSABLE
    print(told(verdict))
    return EXIT_TAMPERED if verdict.fault else 0


def _drift(settings: Settings, name: str, *, fixes: bool, confirmed: bool) -> int:
    """Say what each account differs by from the leader's, and why, beside a running copier if there is one."""
    followers = [follower for follower in settings.followers if name in ("", follower.name)]
    if not followers:
        print(f"there is no follower {name}", file=sys.stderr)
        return EXIT_UNUSABLE
    code, proposals = 0, []
    try:
        dhan = settings.dhan.model_copy(update=_paper_broker(settings))
        for follower in followers:
            found = _drift_of(follower, dhan, settings)
            if found is None:
                code = EXIT_UNUSABLE
                continue
            print(found.text)
            code = code or (0 if found.is_explained else EXIT_UNEXPLAINED)
            proposals += [(follower.name, proposal) for proposal in found.proposals]
        return max(code, _fix(settings, proposals, confirmed=confirmed)) if fixes else code
    except DATABASE_ERRORS as error:
        print(error, file=sys.stderr)
        return EXIT_UNUSABLE


def _fix(settings: Settings, proposals: Sequence[tuple[str, Proposal]], *, confirmed: bool) -> int:
    """Have the copier that runs take up again what was skipped, refused, or ended unfilled, if that is wanted."""
    if not proposals:
        print("there is nothing to take up again")
        return 0
    print("to take up again:")
    for name, one in proposals:
        what = f"an exit of {one.units}" if one.is_exit else f"an entry of {one.units} at most"
        print(f"  {name}: {what} for leader order {one.leader_order_id}, which was {one.why}")
    if not is_running(settings.store.database):
        print("no copier is running to do it", file=sys.stderr)
        return EXIT_REFUSED
    if not confirmed and not _is_confirmed("Have the copier decide these orders afresh, at the prices of now?"):
        print("nothing was done")
        return EXIT_REFUSED
    database = open_database(settings)
    numbers = [
        database.give_command(f"{TRY_AGAIN} {one.leader_order_id} {one.units}", name, wall_clock.now())
        for name, one in proposals
    ]
    answers = answers_to(database, numbers)
    database.close()
    for answer in answers:
        print(f"{answer.follower}: {answer.text}")
    return 0 if len(answers) == len(numbers) and all(answer.is_done for answer in answers) else EXIT_REFUSED


def _paper_broker(settings: Settings) -> Mapping[str, str]:
    """Return where the broker of paper mode is: it ends with its copier, which has written it down."""
    if settings.mode != "paper":
        return {}
    with open_to_read(settings.store.database) as connection:
        rest_url = remembered(connection, PAPER_REST_URL)
    if rest_url is None:
        raise DatabaseUnusable("there is no broker on paper before a copier has been started")
    return {"rest_url": rest_url}


def _drift_of(follower: Follower, dhan: Dhan, settings: Settings) -> DriftReport | None:
    """Return one follower's drift, None if its account cannot be read."""
    if follower.dry_run:
        return DriftReport(f"{follower.name}: dry_run is set, so the account holds nothing by copying", True, ())
    rest = rest_of(with_token(follower, settings), dhan)
    try:
        return drift_report(
            settings.store.database, follower.name, lambda: read_net(rest, holdings=needs_holdings(follower))
        )
    except PositionsUnread as error:
        print(_without_secrets(f"{follower.name}: the positions cannot be read: {error}", settings), file=sys.stderr)
        return None
    finally:
        rest.close()


def _switch(settings: Settings, follower: str, *, enabled: bool) -> int:
    """Pause or resume entries, in the database: a copier that runs looks there every second."""
    if follower not in ("", *(known.name for known in settings.followers)):
        print(f"there is no follower {follower}", file=sys.stderr)
        return EXIT_UNUSABLE
    try:
        database = open_database(settings)
        database.claim(settings.mode, settings.leader.client_id)
        database.write([ConfigSet(enabled_key(follower), "true" if enabled else "false")])
        database.close()
    except DATABASE_ERRORS as error:
        print(error, file=sys.stderr)
        return EXIT_UNUSABLE
    print(f"{follower or 'everybody'}: entries {'resumed' if enabled else 'paused'}, exits and cancellations go on")
    return 0


def _flatten(settings: Settings, name: str, *, confirmed: bool) -> int:
    """Cancel a follower's copies, or everybody's, and close what they hold by copying; say what was done."""
    followers = [follower for follower in settings.followers if name in ("", follower.name)]
    if not followers:
        print(f"there is no follower {name}", file=sys.stderr)
        return EXIT_UNUSABLE
    try:
        database = open_database(settings)
        database.claim(settings.mode, settings.leader.client_id)
        print(*held_by_copying(database, followers), sep="\n")
        database.close()
        if not confirmed and not _is_confirmed("Cancel these orders and close these positions at the market?"):
            print("nothing was done")
            return EXIT_REFUSED
        answers = flatten(settings, followers)
    except DATABASE_ERRORS as error:
        print(error, file=sys.stderr)
        return EXIT_UNUSABLE
    for answer in answers:
        print(f"{answer.follower}: {answer.text}")
    for silent in {follower.name for follower in followers} - {answer.follower for answer in answers}:
        print(f"{silent}: no answer yet; the log and the broker know how far it has come")
    is_done = len(answers) == len(followers) and all(answer.is_done for answer in answers)
    return 0 if is_done else EXIT_REFUSED


def _is_confirmed(question: str) -> bool:
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False


def _copy(settings: Settings, since: datetime | None, options: argparse.Namespace, left_out: Mapping[str, str]) -> int:
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    events: Events = queue.SimpleQueue()
    system = CopySystem(settings, since, events.put)
    _listen(system, events)
    began = wall_clock.now()
    followers = ",".join(follower.name for follower in settings.followers)
    logger.info("Copying begins {}", fields(mode=settings.mode, leader=settings.leader.client_id, followers=followers))
    system.start()
    for name, why in left_out.items():
        system.tell_somebody("left_out", name, f"Account {name} left out: {why}")
    exit_code = _guarded(system, events, options.duration, options.settings)
    stops = time.monotonic() + STOP_DEADLINE
    if exit_code is None:
        logger.info("Stopping: no new orders, waiting for what is under way")
        system.stop()
        exit_code = _next(events, STOP_DEADLINE)
    system.close()
    if exit_code is None:
        logger.critical("Some actors did not stop in {:.0f}s", STOP_DEADLINE)
        logger.remove()  # writes what is left
        os._exit(EXIT_BROKEN)
    _summarise(settings, began)
    if exit_code == 0:
        _back_up(settings.store, stops - time.monotonic())
    logger.info("Stopped {}", fields(exit_code=exit_code))
    return exit_code


def _guarded(system: CopySystem, events: Events, duration: float | None, path: Path) -> int | None:
    """Keep the supervisor alive until something ends the session; return the exit code, None if it is to be stopped."""
    ends = None if duration is None else time.monotonic() + duration
    while ends is None or time.monotonic() < ends:
        try:
            event = events.get(
                timeout=GUARD_EVERY if ends is None else max(0.0, min(GUARD_EVERY, ends - time.monotonic()))
            )
            if not isinstance(event, Reread):
                return event
            _reread(system, path)
        except queue.Empty:
            if not system.guard():
                system.abandon()
                return EXIT_BROKEN
    return None


def _back_up(store: Storage, seconds: float) -> None:
    """Keep a copy of the database in what is left of the time that a stop may take."""
    if not store.backups or "://" in store.database:
        return
    try:
        copy = back_up(store.database, store.backups, seconds)
    except BackupFailed as error:
        logger.warning("Database not copied {}", fields(error=error))
    else:
        logger.info("Database copied {}", fields(file=copy))


def _reread(system: CopySystem, path: Path) -> None:
    """Have tokens read again, from settings that are whole."""
    try:
        system.give_credentials(load_settings(path))
    except SettingsUnusable as error:
        logger.error("Settings unusable, tokens stay as they are {}", fields(faults="; ".join(error.faults)))


def _summarise(settings: Settings, began: datetime) -> None:
    """Print what the session came to, if the database can still say."""
    try:
        database = open_database(settings)
        print(summary(database.copies_since(began), (wall_clock.now() - began).total_seconds()))
        database.close()
    except DATABASE_ERRORS as error:
        logger.error("No summary {}", fields(error=error))


def _listen(system: CopySystem, events: Events) -> None:
    """Turn signals into events: the first SIGINT or SIGTERM asks for a stop, the second ends the process."""
    asked = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal asked
        if asked:
            os._exit(EXIT_INTERRUPTED)
        asked = True
        events.put(None)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    signal.signal(signal.SIGUSR1, lambda _number, _frame: system.log_status())

    def begin_anew(_number: int, _frame: object) -> None:
        system.retry_quarantined()
        events.put(Reread())

    signal.signal(signal.SIGHUP, begin_anew)


def _next(events: Events, seconds: float) -> int | None:
    """Wait for the next exit code; None if it does not come in time."""
    ends = time.monotonic() + seconds
    try:
        while True:
            event = events.get(timeout=max(0.0, ends - time.monotonic()))
            if not isinstance(event, Reread):
                return event
    except queue.Empty:
        return None


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
    trail = commands.add_parser("audit", help="whether every request to the broker is as it was written down")
    trail.add_argument("--verify", action="store_true", required=True, help="follow the chain; exit 1 if it is broken")
    commands.add_parser("check", help="whether every account can trade, and if not what to do; 1 if one cannot")
    order = commands.add_parser("explain", help="everything that became of one leader order, and why")
    order.add_argument("leader_order_id")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
