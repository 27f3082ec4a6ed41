"""The open orders and positions of each follower by copying, also of followers that the settings do not name."""

from collections.abc import Iterable
from datetime import date, timedelta

import peewee

from copytrade.common import wall_clock
from copytrade.core.model.orders import IST
from copytrade.reports.queries import copies_since, held_by, lines_of
from copytrade.reports.snapshot import open_to_read, rows_of
from copytrade.storage.database import DatabaseUnusable

#: What is told of orders that may be live at the broker.
RESTING = "orders that rest"


def held_and_resting(database: str, followers: Iterable[str], since: date) -> list[str]:
    """Return a line per follower: its open orders of the trading days from ``since`` on, and its positions.

    Raises DatabaseUnusable.
    """
    with open_to_read(database) as connection:
        lines = []
        for follower in followers:
            held = [
                f"{line.held} of {line.key.key.segment}:{line.key.key.security_id} {line.key.product}"
                for line in lines_of(connection, follower)
                if line.held
            ]
            resting = sum(copy.is_open for copy in copies_since(connection, follower, since))
            lines.append(f"{follower}: {resting} orders rest, held: {', '.join(held) or 'nothing'}")
    return lines


def copies_held(database: str) -> dict[str, str]:
    """Return what each follower holds by copying, and how many of his orders rest; none for one who has nothing.

    Raises DatabaseUnusable.
    """
    since = wall_clock.now().astimezone(IST).date() - timedelta(days=1)
    with open_to_read(database) as connection:
        names = _names(connection, since)
        return {name: told for name in names if (told := _told(connection, name, since))}


def absent_holders(database: str, followers: Iterable[str]) -> dict[str, str]:
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


def _told(connection: peewee.Database, follower: str, since: date) -> str:
    resting = sum(copy.is_open for copy in copies_since(connection, follower, since))
    return ", ".join([*held_by(connection, follower), *([f"{RESTING}: {resting}"] if resting else [])])
