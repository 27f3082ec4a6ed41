"""What an operator may have done by a running copier, and the keys under which the database keeps it."""

from dataclasses import dataclass

#: The command that closes everything a follower holds by copying, and the one that takes up a leader order again: its
#: id and the units of an entry follow the name.
FLATTEN, TRY_AGAIN = "flatten", "try_again"


@dataclass(frozen=True, slots=True)
class Command:
    """What an operator has told a follower to do; ``given_at`` is epoch seconds."""

    number: int
    name: str
    follower: str
    given_at: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a command."""

    follower: str
    is_done: bool
    text: str


def enabled_key(follower: str) -> str:
    """Return the key in ``config`` that pauses a follower, or everybody for an empty name."""
    return f"copy_enabled.{follower}" if follower else "copy_enabled"


def breach_key(follower: str) -> str:
    """Return the key in ``config`` under which it stands that a follower's daily loss was reached."""
    return f"loss_breach.{follower}"
