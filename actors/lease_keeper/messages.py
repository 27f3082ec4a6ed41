"""What the lease keeper is told by itself and by the bus, and all that its inbox holds."""

from dataclasses import dataclass

from actors.messages.leases import AccountLeft, LeaseUnwanted, LeaseWanted, MoveLease
from actors.messages.permits import RequestsCounted
from actors.messages.store import Committed, StateLoaded
from actors.messages.tokens import LoginTried
from actors.runtime.actor import ActorDied, ActorUp
from copytrade.bus.keys import Read, Written
from copytrade.core.lease.candidacy import WriteLease


@dataclass(frozen=True, slots=True)
class LookAtLeases:
    """Do what is due for each lease."""

    epoch: int


@dataclass(frozen=True, slots=True)
class LeaseRead:
    """The bus's record of a lease; None where the bus did not answer."""

    account: str
    read: Read | None


@dataclass(frozen=True, slots=True)
class LeaseWritten:
    """The bus's answer to a write of a lease that was ``began`` at a monotonic time."""

    account: str
    write: WriteLease
    began: float
    written: Written | None


@dataclass(frozen=True, slots=True)
class MoveRead:
    """What the bus has of a wish that an account be moved; None where it did not answer."""

    account: str
    read: Read | None


@dataclass(frozen=True, slots=True)
class StateRead:
    """What the bus has of a follower's state."""

    account: str
    read: Read | None


@dataclass(frozen=True, slots=True)
class StateWritten:
    """The bus's answer to a write of one key of a follower's state."""

    account: str
    key: str
    value: bytes
    written: Written | None


LeaseKeeperInbox = (
    LeaseWanted
    | LeaseUnwanted
    | AccountLeft
    | MoveLease
    | LoginTried
    | RequestsCounted
    | Committed
    | StateLoaded
    | LookAtLeases
    | LeaseRead
    | LeaseWritten
    | MoveRead
    | StateRead
    | StateWritten
    | ActorUp
    | ActorDied
)
