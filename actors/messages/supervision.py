"""What the supervisor is told."""

from dataclasses import dataclass

from actors.messages.followers import Drained
from actors.runtime.actor import ActorDied, ActorUp


@dataclass(frozen=True, slots=True)
class LogStatus:
    """Have every actor bring its figures up to date; after the interval again if this incarnation asked itself."""

    epoch: int = 0


@dataclass(frozen=True, slots=True)
class LogLines:
    """Log a line about every actor."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Look at every actor, again and again."""

    epoch: int


@dataclass(frozen=True, slots=True)
class RetryQuarantined:
    """Give a quarantined actor another chance; all of them for an empty name."""

    name: str


@dataclass(frozen=True, slots=True)
class RestartActor:
    """The wait before a restart is over."""

    name: str
    epoch: int


@dataclass(frozen=True, slots=True)
class StopAll:
    """Stop every actor in order."""


@dataclass(frozen=True, slots=True)
class DrainingTimedOut:
    """Whatever is still under way at the followers stays pending."""


SupervisorMessage = (
    ActorUp
    | ActorDied
    | LogStatus
    | LogLines
    | Sweep
    | RestartActor
    | RetryQuarantined
    | StopAll
    | Drained
    | DrainingTimedOut
)
