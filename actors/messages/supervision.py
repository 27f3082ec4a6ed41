"""What others tell the supervisor."""

from dataclasses import dataclass

from actors.messages.followers import Drained
from actors.runtime.actor import ActorDied, ActorUp


@dataclass(frozen=True, slots=True)
class LogStatus:
    """Log the status of every actor; with the supervisor's own epoch, again after the interval."""

    epoch: int = 0


@dataclass(frozen=True, slots=True)
class RetryQuarantined:
    """Give a quarantined actor another chance; an empty name means all of them."""

    name: str


@dataclass(frozen=True, slots=True)
class StatusEvery:
    """Log the status of every actor at another interval, in seconds."""

    interval: float


@dataclass(frozen=True, slots=True)
class StopAll:
    """Stop every actor in order."""


SupervisorMessage = ActorUp | ActorDied | LogStatus | RetryQuarantined | StatusEvery | StopAll | Drained
