"""Tells once that the copier has started, and with how many of its followers."""

from collections.abc import Collection
from datetime import timedelta

from copytrade.common.logs import alert
from copytrade.common.measures import PartOf, text_of
from copytrade.storage.files.status_file import CopierStatus

#: After so long it is told who is missing.
PATIENCE = timedelta(seconds=60)

#: States of a follower that copies, or does what its operator or its limits say.
_COPIES = ("live", "busy", "paused", "throttled")


class StartWatch:
    """Waits until everybody copies. ``left_out`` are followers that take no part."""

    def __init__(self, left_out: Collection[str]) -> None:
        self._left_out = list(left_out)
        self._is_told = False

    def look(self, copier: CopierStatus) -> None:
        """Tell how many copy, once all do or the patience is over."""
        if self._is_told:
            return
        missing = _missing(copier)
        if not missing or copier.at - copier.since >= PATIENCE:
            self._is_told = True
            self._tell(copier, [*missing, *(f"{name} left out" for name in self._left_out)])

    def _tell(self, copier: CopierStatus, missing: list[str]) -> None:
        total = len(copier.followers) + len(self._left_out)
        away = sum(not one.startswith(("the leader's feed", "the feed of leader")) for one in missing)
        how_many = f"Started, {text_of(PartOf(total - away, total))}".replace("/", " of ") + " followers"
        without = f": {', '.join(missing)}" if missing else ""
        alert("started", copier.leader, "{}{}", how_many, without, level="WARNING" if missing else "INFO")


def _missing(copier: CopierStatus) -> list[str]:
    """Return who does not copy yet, with their states."""
    found, several = [], len(copier.all_leaders) > 1
    for leader in copier.all_leaders:
        feed = copier.actor(f"feed-{leader}")
        if feed is None or feed.figures.get("gate") != "open":
            whose = f"the feed of leader {leader}" if several else "the leader's feed"
            found.append(f"{whose} {feed.state if feed else 'missing'}")
    for name in copier.followers:
        actor = copier.actor(name)
        if actor is None or actor.state not in _COPIES:
            found.append(f"{name} {actor.state if actor else 'missing'}")
    return found
