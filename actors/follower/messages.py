"""What a follower is told by itself and by its parts, and all that its inbox holds."""

from dataclasses import dataclass

from actors.messages.feeds import FeedNews
from actors.messages.followers import Drain, FailOnPurpose
from actors.messages.instruments import InstrumentsLoaded
from actors.messages.permits import PermitNews
from actors.messages.positions import NetRead
from actors.messages.reads import CapitalRead, ResultRead
from actors.messages.store import CommandGiven, CopiesLoaded, EntriesSwitched, IntentRecorded
from actors.messages.tokens import TokenNews
from actors.runtime.actor import ActorDied, ActorUp
from copytrade.brokers.api import Cancelled, Placed
from copytrade.brokers.outcomes import Outcome
from copytrade.core.model.copies import CopyId


@dataclass(frozen=True, slots=True)
class RequestLeft:
    """A request is on its way to the broker; told by a follower to itself, so that others' requests go first."""

    token: int
    epoch: int


@dataclass(frozen=True, slots=True)
class RequestFinished:
    """A sender thread has an outcome; ``finished`` is when the answer came, a monotonic time."""

    token: int
    epoch: int
    outcome: Outcome[Placed] | Outcome[Cancelled]
    started: float
    finished: float


@dataclass(frozen=True, slots=True)
class Retry:
    """The cancellation of an order can be tried again."""

    copy_id: CopyId
    epoch: int


@dataclass(frozen=True, slots=True)
class LookAgain:
    """A leader order waited for a certain time, which has come."""

    leader_order_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class LookAround:
    """The broker has had time to show what it accepted: see whether its order book does."""

    epoch: int


@dataclass(frozen=True, slots=True)
class KeepWarm:
    """See to it that connections are ready for the next order, however long ago the last one was."""

    epoch: int


@dataclass(frozen=True, slots=True)
class AdoptOrphanOrders:
    """Whatever the broker has taken in our name is visible by now: adopt what the database does not know."""

    epoch: int


@dataclass(frozen=True, slots=True)
class AuditPositions:
    """Compare once more what the account holds with what was copied."""

    epoch: int


@dataclass(frozen=True, slots=True)
class AuditAgain:
    """Read once more what a read of positions showed otherwise than the orders."""

    epoch: int


@dataclass(frozen=True, slots=True)
class PositionsOverdue:
    """Exits have waited long enough for the first read of the positions."""

    epoch: int


@dataclass(frozen=True, slots=True)
class CheckResult:
    """See again what the account has made of the day."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Resume:
    """The account has been left alone for long enough after the broker called for less."""

    epoch: int


FollowerInbox = (
    FeedNews
    | CapitalRead
    | ResultRead
    | NetRead
    | AuditPositions
    | AuditAgain
    | PositionsOverdue
    | CheckResult
    | InstrumentsLoaded
    | PermitNews
    | IntentRecorded
    | CopiesLoaded
    | EntriesSwitched
    | CommandGiven
    | RequestFinished
    | RequestLeft
    | Retry
    | LookAgain
    | LookAround
    | KeepWarm
    | AdoptOrphanOrders
    | FailOnPurpose
    | Resume
    | Drain
    | TokenNews
    | ActorUp
    | ActorDied
)
