"""What the supervisor tells itself, and all that its inbox holds."""

from collections.abc import Callable
from dataclasses import dataclass

from actors.messages.supervision import SupervisorMessage
from actors.supervisor.child import ChildSpec


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


@dataclass(frozen=True, slots=True)
class LeavingTimedOut:
    """A child that leaves has not finished in time: its requests under way stay pending."""

    name: str


@dataclass(frozen=True, slots=True)
class ChildrenJoin:
    """Start other children, in this order."""

    children: tuple[ChildSpec, ...]


@dataclass(frozen=True, slots=True)
class ChildLeaves:
    """Let a child finish what is under way, stop it and then the ``others``; ``then`` is called after that."""

    name: str
    others: tuple[str, ...]
    then: Callable[[], object]


SupervisorInbox = (
    SupervisorMessage
    | LogLines
    | Sweep
    | TakeSnapshot
    | RestartActor
    | DrainingTimedOut
    | LeavingTimedOut
    | ChildrenJoin
    | ChildLeaves
)
