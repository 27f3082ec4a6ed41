"""Commands that an operator gives to a running copier, and the keys under which the database keeps them."""

from dataclasses import dataclass

#: The command that closes everything a follower holds by copying, and the one that takes up a leader order again: its
#: id and the units of an entry follow the name.
FLATTEN, TRY_AGAIN = "flatten", "try_again"

#: The command that gives a quarantined follower another chance.
RETRY = "retry"


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


def pause_text(follower: str, note: str) -> str:
    """Return what a skip says of a pause: of whom, since when, by whom, and the command that ends it."""
    whom, command = (follower, f"resume {follower}") if follower else ("everybody", "resume")
    return f"entries of {whom} are paused{f' since {note}' if note else ''}; run.py {command} ends it"


def breach_key(follower: str) -> str:
    """Return the key in ``config`` of a follower's breach of the daily loss limit."""
    return f"loss_breach.{follower}"
