"""What the supervisor tells itself, and all that its inbox holds."""

from dataclasses import dataclass

from actors.messages.supervision import SupervisorMessage


@dataclass(frozen=True, slots=True)
class LogLines:
    """Log a line about every actor."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Look at every actor."""

    epoch: int


@dataclass(frozen=True, slots=True)
class TakeSnapshot:
    """Publish the status of every actor, and have them bring it up to date for the next time."""

    epoch: int


@dataclass(frozen=True, slots=True)
class RestartActor:
    """The wait before a restart is over."""

    name: str
    epoch: int


@dataclass(frozen=True, slots=True)
class DrainingTimedOut:
    """Followers have not finished in time: their requests under way stay pending."""


SupervisorInbox = SupervisorMessage | LogLines | Sweep | TakeSnapshot | RestartActor | DrainingTimedOut
