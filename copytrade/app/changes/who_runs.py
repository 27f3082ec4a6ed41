"""Which followers there are: in the settings, in the running copier, and in the database alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from copytrade.core.model.commands import RUNNING
from copytrade.reports.flatten_preview import Copied, copies_held, held_of_leaders
from copytrade.reports.queries import remembered
from copytrade.reports.snapshot import open_to_read
from copytrade.settings import Follower, Settings
from copytrade.storage.database import DatabaseUnusable
from copytrade.storage.files.lock_file import is_running

#: The answer for a follower that only the database knows.
NO_CREDENTIALS = (
    "is not in the settings, and without credentials nothing can be closed: put his block back, or close it by hand"
)


@dataclass(frozen=True, slots=True)
class Known:
    """The followers that an operator's command may name.

    ``running`` are those of the running copier, None where none runs. ``absent`` are not in the settings and hold
    copies, with what they hold.
    """

    followers: Mapping[str, Follower]
    running: frozenset[str] | None
    absent: Mapping[str, Copied]

    @property
    def names(self) -> list[str]:
        """All of them, those of the settings first."""
        others = {*self.absent, *(self.running or ())} - self.followers.keys()
        return [*self.followers, *sorted(others)]

    def is_idle(self, name: str) -> bool:
        """Whether a copier runs without this follower."""
        return self.running is not None and name not in self.running

    def why_not_copied(self, name: str) -> str:
        """Return why nothing is copied to a follower, whatever is commanded; "" if something is, or may be."""
        if self.is_idle(name):
            return f"{name}: does not run in the copier, so nothing was done"
        is_here = name in self.followers or name in (self.running or ())
        if is_here:
            return ""
        return f"{name}: is not in the settings, so nothing is copied to him; he holds {self.absent[name]}"

    def unknown(self, name: str) -> str:
        """Return the refusal of a name that is not known."""
        return f"there is no follower {name}; there are: {', '.join(self.names)}"


def leaders_known(settings: Settings) -> list[str]:
    """Return the leaders by settings, and those of whom something is held."""
    try:
        held = held_of_leaders(settings.store.database)
    except DatabaseUnusable:  # the command itself says so
        return [*settings.leader_ids]
    return [*dict.fromkeys((*settings.leader_ids, *(leader for _, leader in held)))]


def known_followers(settings: Settings) -> Known:
    """Return the followers by settings, database and running copier; the settings alone without a database."""
    followers = {one.name: one for one in settings.followers}
    try:
        held = copies_held(settings.store.database)
        with open_to_read(settings.store.database) as connection:
            running = remembered(connection, RUNNING)
    except DatabaseUnusable:  # the command itself says so
        return Known(followers, None, {})
    runs = running is not None and is_running(settings.store.database)
    absent = {name: told for name, told in held.items() if name not in followers}
    return Known(followers, frozenset(filter(None, (running or "").split(","))) if runs else None, absent)
