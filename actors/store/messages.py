"""What the store tells itself, and all that its inbox holds."""

from dataclasses import dataclass

from actors.messages.store import StoreMessage


@dataclass(frozen=True, slots=True)
class Flush:
    """Commit the waiting intents and what they rest on, or ``everything``.

    ``again`` retries a commit that failed.
    """

    everything: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class Linger:
    """Commit everything at a monotonic time."""

    at: float


@dataclass(frozen=True, slots=True)
class LookForSwitches:
    """See whether an operator has paused or resumed a follower, or given a command."""

    epoch: int


StoreInbox = StoreMessage | Flush | Linger | LookForSwitches
