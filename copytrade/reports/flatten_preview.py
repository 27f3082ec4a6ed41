"""The open orders and positions of each follower by copying, as ``flatten`` shows them before it asks."""

from collections.abc import Iterable
from datetime import date

from copytrade.common.counts import counted
from copytrade.reports.queries import copies_since, lines_of
from copytrade.reports.snapshot import open_to_read


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
            rest = f"{counted(resting, 'order')} {'rests' if resting == 1 else 'rest'}"
            lines.append(f"{follower}: {rest}, held: {', '.join(held) or 'nothing'}")
    return lines
