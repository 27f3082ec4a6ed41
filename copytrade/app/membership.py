"""Which followers take part, as the database remembers: their client ids, and from when each is copied to."""

from collections.abc import Iterable

from copytrade.core.model.commands import client_id_key, enabled_key, removed_key, since_key
from copytrade.reports.open_orders import copies_held
from copytrade.settings import Follower, Settings
from copytrade.storage.database import Database, DatabaseUnusable
from copytrade.storage.records import ConfigSet


def note_followers(database: Database, settings: Settings) -> None:
    """Remember the followers of the settings; one who was away, or has another client id, begins anew.

    Raises DatabaseUnusable if copies are held under a name that has another client id now.
    """
    known = database.configured(client_id_key(""))
    faults = strangers(known, settings.followers, copies_held(settings.store.database))
    if faults:
        raise DatabaseUnusable("; ".join(faults))
    now = {one.name: one.client_id for one in settings.followers}
    away = [name for name in known if known[name] != now.get(name, "")]
    database.write(
        [
            *(ConfigSet(since_key(name), "") for name in away if known[name]),
            *(record for name in away if database.config(removed_key(name)) == "true" for record in _resumed(name)),
            *(ConfigSet(client_id_key(name), now.get(name, "")) for name in {*away, *now}),
        ]
    )


def _resumed(name: str) -> list[ConfigSet]:
    """Return the end of the pause that a follower's removal began."""
    return [ConfigSet(enabled_key(name), "true"), ConfigSet(removed_key(name), "")]


def strangers(known: dict[str, str], followers: Iterable[Follower], held: dict[str, str]) -> list[str]:
    """Return a fault for each follower under whose name another client's copies are held."""
    return [
        f"follower {one.name}: client_id {known[one.name]} holds {held[one.name]} under this name; give {one.client_id}"
        " another name"
        for one in followers
        if one.name in held and known.get(one.name, "") not in ("", one.client_id)
    ]
