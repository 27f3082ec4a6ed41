"""Commands that an operator gives to a running copier, and the keys under which the database keeps them."""

from collections.abc import Mapping
from dataclasses import dataclass

#: The command that closes everything a follower holds by copying, and the one that takes up a leader order again: its
#: id and the units of an entry follow the name.
FLATTEN, TRY_AGAIN = "flatten", "try_again"

#: The command that gives a quarantined follower another chance.
RETRY = "retry"

#: The command that cancels a follower's copies and leaves what he holds in his account, as his own. Like the one that
#: closes everything it is for what is copied of one leader if his name follows it.
LEAVE = "leave"

#: The command that reads the settings anew. It is for no follower.
RELOAD = "reload"

#: The key in ``config`` of the id that the bus's store of leases had last.
LEASE_STORE = "lease_store"

#: The key in ``config`` of the followers that the copier which used the database last runs, or ran.
RUNNING = "followers_running"


@dataclass(frozen=True, slots=True)
class Command:
    """What an operator has told a follower to do; ``given_at`` is epoch seconds."""

    number: int
    name: str
    follower: str
    given_at: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a command."""

    follower: str
    is_done: bool
    text: str


def enabled_key(follower: str) -> str:
    """Return the key in ``config`` that pauses a follower, or everybody for an empty name."""
    return f"copy_enabled.{follower}" if follower else "copy_enabled"


def pause_note_key(follower: str) -> str:
    """Return the key in ``config`` that says since when and by whom a follower, or everybody, is paused."""
    return f"pause_note.{follower}" if follower else "pause_note"


def untaken_key(follower: str) -> str:
    """Return the key in ``config`` that says why a follower's entries wait for ``run.py take``, "" if they do not."""
    return f"untaken.{follower}"


def untaken(config: Mapping[str, str]) -> dict[str, str]:
    """Return what a skip says of entries that wait for an operator to say that no other node trades, by follower."""
    waits = {key.removeprefix(untaken_key("")): why for key, why in config.items() if key.startswith(untaken_key(""))}
    return {one: f"{why}; entries of {one} wait for run.py take {one}" for one, why in waits.items() if why}


def lease_epoch_key(account: str) -> str:
    """Return the key in ``config`` of the greatest epoch of an account's lease, and the last by which we traded."""
    return f"lease_epoch.{account}"


def pause_text(follower: str, note: str) -> str:
    """Return what a skip says of a pause: of whom, since when, by whom, and the command that ends it."""
    whom, command = (follower, f"resume {follower}") if follower else ("everybody", "resume")
    return f"entries of {whom} are paused{f' since {note}' if note else ''}; run.py {command} ends it"


def since_key(follower: str, leader: str = "") -> str:
    """Return the key in ``config`` of the time from which a leader's orders are copied to a follower.

    ``leader`` is "" where there is only one.
    """
    return f"copying_since.{follower}.{leader}" if leader else f"copying_since.{follower}"


def book_delay_key(leader: str) -> str:
    """Return the key in ``config`` of the day, and the seconds by which the leader's order book was late on it."""
    return f"book_delay.{leader}"


def client_id_key(follower: str) -> str:
    """Return the key in ``config`` of the client id that a follower's name belongs to, "" while he is away."""
    return f"client_id.{follower}"


def removed_key(follower: str) -> str:
    """Return the key in ``config`` that says "true" while a follower is paused because he is being removed."""
    return f"removed.{follower}"


def breach_key(follower: str) -> str:
    """Return the key in ``config`` of a follower's breach of the daily loss limit."""
    return f"loss_breach.{follower}"


#: What the keys in ``config`` begin with that belong to one follower and go with him to another node.
_OF_FOLLOWER = ("copying_since.", "loss_breach.", "copy_enabled.", "pause_note.", "untaken.")


def follower_of_key(key: str) -> str:
    """Return the follower to whose state a key in ``config`` belongs, "" if it is none's."""
    for prefix in _OF_FOLLOWER:
        if key.startswith(prefix):
            return key.removeprefix(prefix).partition(".")[0]
    return ""
