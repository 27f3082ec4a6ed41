"""Which followers take part, as the database remembers: their client ids, and from when each is copied to."""

from collections.abc import Iterable, Mapping

from copytrade.core.model.commands import client_id_key, enabled_key, pause_note_key, removed_key, since_key
from copytrade.reports.flatten_preview import copies_held
from copytrade.settings import Follower, Settings
from copytrade.storage.database import Database, DatabaseUnusable
from copytrade.storage.records import ConfigSet

_ONE_BY_ONE = "take the old block out first, reload, and then put the new one in"


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
    keys = {enabled_key(name): "true", pause_note_key(name): "", removed_key(name): ""}
    return [ConfigSet(key, value) for key, value in keys.items()]


def strangers(known: dict[str, str], followers: Iterable[Follower], held: Mapping[str, object]) -> list[str]:
    """Return a fault for each follower under whose name another client's copies are held."""
    return [
        f"follower {one.name}: client_id {known[one.name]} holds {held[one.name]} under this name; give {one.client_id}"
        " another name"
        for one in followers
        if one.name in held and known.get(one.name, "") not in ("", one.client_id)
    ]


def who_may_not(
    come: Iterable[Follower], go: Iterable[Follower], leaving: Iterable[Follower], copied: Mapping[str, object]
) -> list[str]:
    """Return a fault for each follower who may not come or go yet.

    ``leaving`` are those who have gone and have yet to finish what is under way; ``copied`` is what followers have.
    """
    faults = [
        f"follower {one.name} holds {copied[one.name]}: keep his block with enabled = false until he is flat, or run"
        f" first: run.py remove {one.name} --leave or --flatten"
        for one in go
        if one.name in copied
    ]
    for one in come:
        if any(one.name == other.name or one.client_id == other.client_id for other in leaving):
            faults.append(f"follower {one.name} is leaving: reload again in a moment")
        for other in go:
            if one.name == other.name:
                faults.append(f"follower {one.name} has another client_id: {_ONE_BY_ONE}")
            elif one.client_id == other.client_id:
                faults.append(f"follower {one.name} has the client_id of {other.name}: {_ONE_BY_ONE}")
    return faults
