"""What the store tells itself, and all that its inbox holds."""

from dataclasses import dataclass

from actors.messages.store import StoreMessage


@dataclass(frozen=True, slots=True)
class Flush:
    """Commit the intents that wait and what they rest on, or ``everything``; ``again``: what could not be before."""

    everything: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class Linger:
    """Commit everything a little later: at a monotonic time."""

    at: float


@dataclass(frozen=True, slots=True)
class LookForSwitches:
    """See whether an operator has paused or resumed anybody, or given a command."""

    epoch: int


StoreInbox = StoreMessage | Flush | Linger | LookForSwitches
