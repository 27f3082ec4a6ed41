"""What the system and the supervisor tell a follower."""

from dataclasses import dataclass

from actors.runtime.address import Recipient


@dataclass(frozen=True, slots=True)
class FailOnPurpose:
    """Hang for so many seconds, or crash for 0: a paper session shows how that is healed."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Drained:
    """A follower has nothing under way any more."""

    name: str


@dataclass(frozen=True, slots=True)
class Drain:
    """Begin nothing new; say when everything under way has ended."""

    reply_to: Recipient[Drained]
