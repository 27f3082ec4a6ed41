"""The open orders and positions of each follower by copying, also of followers that the settings do not name."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

import peewee

from copytrade.common import wall_clock
from copytrade.common.counts import counted
from copytrade.core.model.orders import IST
from copytrade.reports.drift.history import lines_of
from copytrade.reports.queries import copies_since, held_by
from copytrade.reports.snapshot import leader_names, open_to_read, rows_of
from copytrade.storage.database import DatabaseUnusable


class Copied(NamedTuple):
    """What a follower has by copying: a text for each line that is held, and how many orders may be live."""

    held: list[str]
    resting: int

    @property
    def texts(self) -> list[str]:
        """What is held, and the orders that rest."""
        return [*self.held, *([f"orders that rest: {self.resting}"] if self.resting else [])]

    def __str__(self) -> str:
        return ", ".join(self.texts) or "nothing"


def held_and_resting(database: str, followers: Iterable[str], since: date) -> list[str]:
    """Return a line per follower: its open orders of the trading days from ``since`` on, and its positions.

    Raises DatabaseUnusable.
    """
    with open_to_read(database) as connection:
        lines = []
        for follower in followers:
            held = [
                f"{line.held} of {line.key.key.segment}:{line.key.key.security_id} {line.key.product}"
                f"{f' by {line.key.leader}' if line.key.leader else ''}"
                for line in lines_of(connection, follower)
                if line.held
            ]
            resting = sum(copy.is_open for copy in copies_since(connection, follower, since))
            rest = f"{counted(resting, 'order')} {'rests' if resting == 1 else 'rest'}"
            lines.append(f"{follower}: {rest}, held: {', '.join(held) or 'nothing'}")
    return lines


def copies_held(database: str) -> dict[str, Copied]:
    """Return what each follower has by copying; nobody who has nothing.

    Raises DatabaseUnusable.
    """
    since = wall_clock.now().astimezone(IST).date() - timedelta(days=1)
    with open_to_read(database) as connection:
        names = _names(connection, since)
        copied = {name: _copied(connection, name, since) for name in names}
    return {name: one for name, one in copied.items() if one.texts}


def held_of_leaders(database: str) -> dict[tuple[str, str], list[str]]:
    """Return what each follower has by copying each leader, by both names: held lines, and how many orders may rest.

    Raises DatabaseUnusable.
    """
    since = wall_clock.now().astimezone(IST).date() - timedelta(days=1)
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    resting = Counter[tuple[str, str]]()
    with open_to_read(database) as connection:
        query = "SELECT follower, leader, held, security_id, product FROM ledger WHERE held <> 0"
        for follower, leader, held, security_id, product in rows_of(connection, query):
            found[follower, leader].append(f"{held} of {security_id} {product}")
        only = leader_names(connection).only
        for follower in _names(connection, since):
            open_copies = [copy for copy in copies_since(connection, follower, since) if copy.is_open]
            resting.update((follower, copy.leader or only) for copy in open_copies)
    for whose, count in resting.items():
        found[whose].append(f"orders that rest: {count}")
    return found


def absent_holders(database: str, followers: Iterable[str]) -> dict[str, Copied]:
    """Return what is held by those who are none of these ``followers``; nothing for a database that cannot be read."""
    try:
        held = copies_held(database)
    except DatabaseUnusable:
        return {}
    return {name: told for name, told in held.items() if name not in set(followers)}


def _names(connection: peewee.Database, since: date) -> list[str]:
    query = (
        "SELECT follower FROM ledger WHERE held <> 0"
        " UNION SELECT follower FROM copy_mappings WHERE trade_date >= ? ORDER BY follower"
    )
    return [name for (name,) in rows_of(connection, query, since.isoformat())]


def _copied(connection: peewee.Database, follower: str, since: date) -> Copied:
    resting = sum(copy.is_open for copy in copies_since(connection, follower, since))
    return Copied(held_by(connection, follower), resting)
