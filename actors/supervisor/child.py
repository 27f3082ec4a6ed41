"""What a supervisor is told of a child, and what it remembers of one."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Protocol

from actors.runtime.actor import Incarnation
from actors.runtime.address import Address
from actors.supervisor.restarts import RestartPolicy, Restarts

#: Deaths over one subject after which the next incarnation of an actor leaves the subject alone.
POISONOUS = 3


class StartActor(Protocol):
    """Starts an incarnation of one child at its address."""

    def __call__(self, life: Incarnation[Any]) -> object:
        """Start the actor; it takes its address before its thread runs."""
        ...


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """An actor to keep alive.

    ``deadline`` is how many seconds one message may take before the actor counts as hung. A ``core`` child that cannot
    be kept alive stops the process. An ``intake`` child brings work in, and is stopped first. A child that ``drains``
    answers Drain when nothing of its own is under way. One that is not ``awaited`` may come later than the copier is
    ready. ``stand_in`` starts what has the address while the child is
    quarantined.
    """

    address: Address[Any]
    start: StartActor
    restart_policy: RestartPolicy
    deadline: float
    core: bool
    intake: bool = False
    drains: bool = False
    stand_in: StartActor | None = None
    awaited: bool = True


class Kept:
    """What the supervisor remembers of a child."""

    def __init__(self, child: ChildSpec) -> None:
        self.child = child
        self.restarts = Restarts(child.restart_policy)
        self.crashes = 0
        #: What is shown of it instead of its own state, "" for that.
        self.state = ""
        #: The state that was logged last.
        self.shown = ""
        #: When it was last asked for its figures for a snapshot, in monotonic seconds.
        self.asked_at = 0.0
        #: The epoch of the last incarnation whose death was handled.
        self.handled_death = 0
        self.died_over: Counter[str] = Counter()

    @property
    def set_aside(self) -> frozenset[str]:
        """The subjects that incarnations died over too often."""
        return frozenset(subject for subject, deaths in self.died_over.items() if deaths >= POISONOUS)
