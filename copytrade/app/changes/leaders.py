"""The names of leaders in the database: a leader's rows follow him to another name."""

from collections.abc import Mapping

from copytrade.core.model.commands import since_key
from copytrade.storage.database import Database, DatabaseUnusable
from copytrade.storage.leader_names import CLIENT_IDS, NAMES, ONLY, TABLES, away, joined, leader_key, renamings
from copytrade.storage.records import ConfigSet
from copytrade.storage.rows import Row


def note_leaders(database: Database, leaders: Mapping[str, str]) -> None:
    """Call leaders by these names, given with their client ids, before anything else is written.

    Raises DatabaseUnusable if copies are held under a name that another client id has now.
    """
    known, ids = database.configured(leader_key("")), joined(leaders.values())
    gone = away(known, leaders)
    for client_id in gone:
        if database.holds_of(known[client_id]):
            raise DatabaseUnusable(
                f"copies of client_id {client_id} are held under the leader's name {known[client_id]}:"
                f" give {leaders[known[client_id]]} another name"
            )
    only = next((one for one in leaders.values() if one == database.config(CLIENT_IDS)), "")
    renamed = renamings(known, leaders)
    if database.config(NAMES) is None and only:  # of an earlier version, which had one leader and no name in its rows
        renamed.append(("", next(name for name, client_id in leaders.items() if client_id == only)))
    now = {**gone, **{client_id: name for name, client_id in leaders.items()}}
    records = [ConfigSet(CLIENT_IDS, ids), ConfigSet(NAMES, joined(leaders))]
    records += [ConfigSet(leader_key(client_id), name) for client_id, name in now.items()]
    if len(leaders) == 1 or only:
        records.append(ConfigSet(ONLY, only or ids))
    database.rewrite([step for names in renamed for step in _renaming(database, *names)], records)


def _renaming(database: Database, old: str, new: str) -> list[tuple[str, Row]]:
    """Return the statements that give a leader's rows another name."""
    steps: list[tuple[str, Row]] = [
        (f"UPDATE {table} SET leader = ? WHERE leader = ?", (new, old))  # noqa: S608 (our own words)
        for table in TABLES
    ]
    for known in database.configured(since_key("")):
        follower, dot, leader = known.rpartition(".")
        if dot and leader == old:
            keys = since_key(follower, new), since_key(follower, old)
            steps.append(("UPDATE config SET key = ? WHERE key = ?", keys))
    return steps
