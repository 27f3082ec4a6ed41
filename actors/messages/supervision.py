"""What the supervisor is told."""

from dataclasses import dataclass

from actors.messages.followers import Drained
from actors.runtime.actor import ActorDied, ActorUp


@dataclass(frozen=True, slots=True)
class LogStatus:
    """Have every actor bring its figures up to date; after the interval again if this incarnation asked itself."""

    epoch: int = 0


@dataclass(frozen=True, slots=True)
class RetryQuarantined:
    """Give a quarantined actor another chance; all of them for an empty name."""

    name: str


@dataclass(frozen=True, slots=True)
class StopAll:
    """Stop every actor in order."""


SupervisorMessage = ActorUp | ActorDied | LogStatus | RetryQuarantined | StopAll | Drained
