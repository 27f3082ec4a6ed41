"""``run.py remove``: what becomes of copies before a follower's or a leader's block is taken out of the settings."""

import sys
from collections.abc import Callable, Sequence
from contextlib import closing

from copytrade.app.changes.who_runs import NO_CREDENTIALS, Known
from copytrade.app.commands.confirm import is_confirmed
from copytrade.app.commands.exit_codes import EXIT_REFUSED, EXIT_UNUSABLE
from copytrade.app.commands.pause import paused
from copytrade.app.paths import open_for_command
from copytrade.common import wall_clock
from copytrade.common.redaction import readable
from copytrade.core.ledger.arithmetic.corrections import left_alone
from copytrade.core.model.commands import FLATTEN, LEAVE, Answer, removed_key
from copytrade.reports.flatten_preview import Copied, copies_held, held_of_leaders
from copytrade.reports.queries import symbols
from copytrade.reports.snapshot import open_to_read
from copytrade.settings import Follower, Settings
from copytrade.storage.database import DATABASE_ERRORS, Database
from copytrade.storage.leader_names import joined
from copytrade.storage.records import ConfigSet, LedgerChanged

#: Has followers, and others that the settings do not name, carry out a command; returns the answers.
CarryOut = Callable[[Settings, Sequence[Follower], Sequence[str], str], list[Answer]]


def remove(settings: Settings, known: Known, name: str, carry_out: CarryOut, *, leaves: bool, confirmed: bool) -> int:
    """Cancel a follower's copies, then close or leave what he holds; he enters nothing more. Returns the exit code."""
    if name in known.followers and known.is_idle(name):
        print(f"{name}: does not run in the copier, so nothing was done", file=sys.stderr)
        return EXIT_REFUSED
    try:
        held = copies_held(settings.store.database).get(name, Copied([], 0))
        print(f"{name} holds by copying: {held}")
        what = "leave what he holds in his account" if leaves else "close these positions at the market"
        if not confirmed and not is_confirmed(f"Cancel his orders, and {what}?"):
            print("nothing was done")
            return EXIT_REFUSED
        with closing(open_for_command(settings)) as database:
            database.claim(settings.mode, joined(settings.leader_ids.values()))
            if settings.mode == "paper" and known.running is None:  # its broker has ended, and all that it held
                return _forget(settings, database, name, held)
            if name not in known.followers and name not in (known.running or ()):
                return _forget_absent(settings, database, name, held, leaves=leaves)
            database.write([*paused(name, "run.py remove"), ConfigSet(removed_key(name), "true")])
        of_settings = [known.followers[name]] if name in known.followers else []
        others = [] if of_settings else [name]
        answers = carry_out(settings, of_settings, others, LEAVE if leaves else FLATTEN)
    except DATABASE_ERRORS as error:
        print(error, file=sys.stderr)
        return EXIT_UNUSABLE
    for answer in answers:
        print(f"{name}: {readable(answer.text)}")
    if not answers:
        print(f"{name}: no answer yet; the log and the broker know how far it has come")
    if not answers or not answers[0].is_done:
        print(f"{name} enters nothing meanwhile: run.py resume {name} ends that")
        return EXIT_REFUSED
    print(f"{name} enters nothing more: take his block out of the settings, and run.py reload if a copier runs")
    return 0


def _forget_absent(settings: Settings, database: Database, name: str, held: Copied, *, leaves: bool) -> int:
    """Take nothing as copied any more of a follower that only the database knows."""
    if not leaves:
        print(f"{name}: {NO_CREDENTIALS}")
        return EXIT_REFUSED
    if held.resting:
        print(f"{name}: only the broker can say that his orders are over: put his block back, and remove him then")
        return EXIT_REFUSED
    return _forget(settings, database, name, held)


def _forget(settings: Settings, database: Database, name: str, held: Copied) -> int:
    """Take nothing as copied any more."""
    now = wall_clock.now()
    lines = [line for line in database.lines(name) if line.held or line.level or line.ahead]
    with open_to_read(settings.store.database) as connection:
        names = symbols(connection)
    keys = [(line.held, line.key.key) for line in lines if line.held]
    left = [f"{units} {names.get(key, key.segment)} ({key.security_id})" for units, key in keys]
    database.write(LedgerChanged(name, left_alone(line), now) for line in lines)
    database.note_command(LEAVE, name, f"left in the account: {', '.join(left) or 'nothing'}", now)
    print(f"{name}: does not count as copied any more: {held}")
    return 0


def remove_leader(settings: Settings, name: str, carry_out: CarryOut, *, leaves: bool, confirmed: bool) -> int:
    """Cancel the copies of a leader, and close or leave what is held of him. Returns the exit code.

    A follower who enters from him still refuses: nothing new may be entered meanwhile.
    """
    if [*settings.leader_ids] == [name]:
        print(f"{name} is the only leader: remove the followers, or stop and start with another database")
        return EXIT_REFUSED
    try:
        held = {
            follower: texts for (follower, of), texts in held_of_leaders(settings.store.database).items() if of == name
        }
        followers = [one for one in settings.followers if one.name in held]
        for follower, texts in held.items():
            print(f"{follower} has by copying {name}: {', '.join(texts)}")
        what = "leave what is held in the accounts" if leaves else "close these positions at the market"
        if not confirmed and not is_confirmed(f"Cancel these orders, and {what}?"):
            print("nothing was done")
            return EXIT_REFUSED
        others = [follower for follower in held if follower not in {one.name for one in followers}]
        answers = carry_out(settings, followers, others, f"{LEAVE if leaves else FLATTEN} {name}")
    except DATABASE_ERRORS as error:
        print(error, file=sys.stderr)
        return EXIT_UNUSABLE
    for answer in answers:
        print(f"{answer.follower}: {readable(answer.text)}")
    if len(answers) < len(held) or not all(answer.is_done for answer in answers):
        return EXIT_REFUSED
    print(f"nothing is held of {name}: take his block out of the settings, and start again")
    return 0
