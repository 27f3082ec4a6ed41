"""The names of leaders in the tables. A leader is his client id: his rows follow him to another name.

Where there is only one leader, the engine knows him as "". His rows have his name all the same.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

#: The keys in ``config`` of the leaders' client ids and of their names, separated by commas.
CLIENT_IDS, NAMES = "leader_client_id", "leaders"

#: The key in ``config`` of the client id of the last leader who was the only one.
ONLY = "only_leader"

#: The tables whose rows say whose they are.
TABLES = ("copy_mappings", "ledger", "allotments")


class LeaderNames(NamedTuple):
    """How leaders are called: ``only`` is the name of the only one, "" where there are several.

    ``unnamed`` is whose rows those are that an engine wrote without a name.
    """

    only: str = ""
    unnamed: str = ""

    def stored(self, leader: str) -> str:
        """Return the name for a row of a leader as the engine knows him."""
        return leader or self.unnamed

    def known(self, stored: str) -> str:
        """Return how the engine knows the leader of a row."""
        return "" if stored == self.only else stored


def names_of(names: str | None, only: str | None) -> LeaderNames:
    """Return how leaders are called, by the value of their names in ``config`` and the name of the last only one."""
    alone = "" if names is None or "," in names else names
    return LeaderNames(alone, alone or only or "")


def leader_key(client_id: str) -> str:
    """Return the key in ``config`` of the name under which a leader's rows are."""
    return f"leader.{client_id}"


def joined(names: Iterable[str]) -> str:
    """Return names as one value of ``config``."""
    return ",".join(names)


def is_shared(theirs: str, ours: str) -> bool:
    """Whether two values of ``config`` have a leader in common."""
    return bool({*theirs.split(",")} & {*ours.split(",")})


def away(known: Mapping[str, str], leaders: Mapping[str, str]) -> dict[str, str]:
    """Return, by client id, the new names of leaders who have gone and whose name another one has now."""
    stay = set(leaders.values())
    taken = {client_id: name for client_id, name in known.items() if name in leaders and client_id not in stay}
    return {client_id: f"{name}.{client_id}" for client_id, name in taken.items()}


def renamings(known: Mapping[str, str], leaders: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the old and the new names of rows, one after another; ``known`` are names by client id, ``leaders`` now.

    Two leaders may have exchanged their names, so that each goes by another one in between.
    """
    moved = {client_id: name for name, client_id in leaders.items() if known.get(client_id, name) != name}
    between = {client_id: f"{known[client_id]}.{client_id}" for client_id in moved}
    first = [(known[client_id], name) for client_id, name in {**between, **away(known, leaders)}.items()]
    return first + [(between[client_id], name) for client_id, name in moved.items()]
