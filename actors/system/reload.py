"""Takes changed settings while copying goes on, or refuses them all."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from actors.system.system import CopySystem
from copytrade.app.changes.following import who_may_not_go
from copytrade.app.changes.membership import note_followers, who_may_not
from copytrade.app.changes.settings_changes import compare, others_than
from copytrade.app.checks import check_for_start, say_who_is_left_out, without
from copytrade.app.clients import rest_of, unknown_brokers
from copytrade.app.console.log_setup import set_up_log
from copytrade.app.file_permissions import without_secrets_of
from copytrade.app.paper_mode import with_paper_urls
from copytrade.app.paths import open_for_command
from copytrade.common.logs import alert, fields, over
from copytrade.common.redaction import hide
from copytrade.reports.flatten_preview import Copied, absent_holders, copies_held, held_of_leaders
from copytrade.settings import Follower, Settings, SettingsUnusable, load_settings, secrets_of
from copytrade.storage.database import DATABASE_ERRORS, DatabaseUnusable


@dataclass(frozen=True, slots=True)
class Reloaded:
    """Whether the settings were taken, and a line for each change, or for each fault."""

    is_taken: bool
    lines: list[str]


class Reloads:
    """Compares the settings file with what runs; used by the main thread."""

    def __init__(self, system: CopySystem, path: Path, settings: Settings) -> None:
        self._system = system
        self._path = path
        self._running = settings
        #: Who has gone and may have something under way, and who has ended it since the last look.
        self._gone: list[Follower] = []
        self._ended: list[Follower] = []
        self._is_refused = False

    def take(self) -> Reloaded:
        """Read the settings file and take what has changed; with a fault nothing changes."""
        reloaded = self._take()
        if not reloaded.is_taken:
            told = fields(faults="; ".join(reloaded.lines))
            alert("settings", "", "Settings unusable, tokens stay as they are {}", told, level="ERROR")
        elif self._is_refused:
            over("settings", "", "Settings are taken again")
        self._is_refused = not reloaded.is_taken
        return reloaded

    def _take(self) -> Reloaded:
        try:
            new = load_settings(self._path)
        except SettingsUnusable as error:
            return Reloaded(False, error.faults)
        if new.mode != self._running.mode:  # a file for another mode says nothing of this one
            new = self._running.model_copy(update={"mode": new.mode})
        elif new.mode == "paper":
            new = with_paper_urls(new, self._running.dhan)
        can_join = self._running.mode == "live"
        come = others_than(self._running, new) if can_join else []
        go = others_than(new, self._running) if can_join else []
        try:
            copied = copies_held(self._running.store.database)
            of_leaders = held_of_leaders(self._running.store.database)
        except DatabaseUnusable as error:
            return Reloaded(False, [str(error)])
        leaving = [one for one in self._gone if one.name in self._system.leaving]
        faults = [*unknown_brokers(new), *_unwritable(new.log.file), *who_may_not(come, go, leaving, copied)]
        if faults := [*faults, *who_may_not_go(self._running, new, of_leaders)]:
            return Reloaded(False, faults)
        left_out = self._left_out(new, come)
        changes = compare(self._running, without(new, left_out), can_join=can_join)
        if changes.added or changes.removed:
            try:
                with closing(open_for_command(self._running)) as database:
                    note_followers(database, new)
            except DATABASE_ERRORS as error:
                return Reloaded(False, [str(error)])
        for secret in secrets_of(new):
            hide(secret)
        if changes.settings.log != self._running.log:
            set_up_log(changes.settings)
            self._system.hear_alerts()
        self._running = changes.settings
        self._gone += changes.removed
        self._system.take(changes)
        self._system.give_credentials(changes.settings)
        lines = [
            f"Account left out {fields(account=one)} {without_secrets_of(new, why)}" for one, why in left_out.items()
        ]
        lines += changes.lines({name: one.texts for name, one in copied.items()})
        for line in lines[len(left_out) :]:  # those were logged
            logger.log("WARNING" if line.startswith("Needs a restart") else "INFO", "{}", line)
        return Reloaded(True, lines)

    def look(self) -> None:
        """Say who has left and holds copies after all: an order of his was filled while he left.

        That is a look later than he has left, when it has been written down.
        """
        leaving, gone = self._system.leaving, {one.name for one in self._ended}
        self._ended = [one for one in self._gone if one.name not in leaving]
        self._gone = [one for one in self._gone if one.name in leaving]
        if gone:
            here = [one.name for one in self._running.followers]
            absent = absent_holders(self._running.store.database, here)
            say_who_is_absent({name: held for name, held in absent.items() if name in gone})

    def _left_out(self, new: Settings, come: Iterable[Follower]) -> dict[str, str]:
        """Return who of those that come may not trade, and why: as at a start."""
        coming = new.model_copy(update={"followers": tuple(come)})
        if not coming.followers or not new.dhan.check:
            return {}
        judgements = [one for one in check_for_start(coming, rest_of) if not one.facts.is_leader]
        return say_who_is_left_out(new, judgements)


def say_who_is_absent(absent: dict[str, Copied]) -> None:
    """Log who holds copies although the settings do not name him, and alert."""
    for name, held in absent.items():
        alert("absent", name, "Follower is not in the settings and holds copies {}", fields(follower=name, holds=held))


def _unwritable(log: str) -> list[str]:
    try:
        Path(log).parent.mkdir(parents=True, exist_ok=True)
        Path(log).open("a").close()
    except OSError as error:
        return [f"log.file: {log} cannot be written: {error.strerror}"]
    return []
