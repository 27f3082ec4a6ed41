"""Takes changed settings while copying goes on, or refuses them all."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from actors.system.system import CopySystem
from copytrade.app.clients import unknown_brokers
from copytrade.app.membership import note_followers
from copytrade.app.paper_mode import with_paper_urls
from copytrade.app.paths import open_database
from copytrade.app.settings_changes import SettingsChanges, compare, who_goes
from copytrade.common.logs import configure_logging, fields
from copytrade.common.redaction import hide
from copytrade.reports.open_orders import copies_held
from copytrade.settings import Settings, SettingsUnusable, load_settings, secrets_of
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

    def take(self) -> Reloaded:
        """Read the settings file and take what has changed; with a fault nothing changes."""
        try:
            new = load_settings(self._path)
        except SettingsUnusable as error:
            return _refused(error.faults)
        if self._running.mode == "paper" and new.mode == "paper":
            new = with_paper_urls(new, self._running.dhan)
        changes = compare(self._running, new, can_join=self._running.mode == "live")
        faults = unknown_brokers(new)
        try:
            held = copies_held(self._running.store.database)
        except DatabaseUnusable as error:
            held, faults = {}, [*faults, str(error)]
        faults += [
            f"follower {one.name} holds {held[one.name]}: keep his block with enabled = false until he is flat, or run"
            f" first: run.py remove {one.name} --leave or --flatten"
            for one in who_goes(self._running, new)
            if one.name in held
        ]
        come = {one.name for one in changes.added}
        faults += [
            f"follower {name} is leaving: reload again in a moment" for name in self._system.leaving if name in come
        ]
        faults += [
            f"follower {one.name} has another client_id: take his block out first, reload, and then put the other in"
            for one in changes.removed
            if one.name in come
        ]
        if faults:
            return _refused(faults)
        if changes.added or changes.removed:
            try:
                with closing(open_database(self._running)) as database:
                    note_followers(database, new)
            except DATABASE_ERRORS as error:
                return _refused([str(error)])
        for secret in secrets_of(new):
            hide(secret)
        if changes.settings.log != self._running.log:
            log = changes.settings.log
            configure_logging(log.file, log.level, secrets_of(changes.settings), json_lines=log.json_lines)
            self._system.hear_alerts()
        self._take(changes)
        lines = changes.lines(held)
        for line in lines:
            logger.log("WARNING" if line.startswith("Needs a restart") else "INFO", "{}", line)
        return Reloaded(True, lines)

    def _take(self, changes: SettingsChanges) -> None:
        self._running = changes.settings
        self._system.take(changes)
        self._system.give_credentials(changes.settings)


def _refused(faults: list[str]) -> Reloaded:
    logger.error("Settings unusable, tokens stay as they are {}", fields(faults="; ".join(faults)))
    return Reloaded(False, faults)
