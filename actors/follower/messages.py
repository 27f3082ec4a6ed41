"""What a follower is told by itself and by its parts, and all that its inbox holds."""

from dataclasses import dataclass

from actors.follower.account import FollowerAccount
from actors.messages.feeds import FeedNews
from actors.messages.followers import Drain, FailOnPurpose
from actors.messages.instruments import InstrumentsLoaded
from actors.messages.leases import LeaseRenewed
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
    """A request is on its way to the broker. A follower tells itself, so that others' requests go first."""

    token: int
    epoch: int


@dataclass(frozen=True, slots=True)
class RequestFinished:
    """A request has an outcome; ``started`` and ``finished`` are monotonic times."""

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
    """The time for which a leader order had to wait has come."""

    leader_order_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class LookAround:
    """The broker has had time to show what it accepted: read the order book to see whether it does."""

    epoch: int


@dataclass(frozen=True, slots=True)
class KeepWarm:
    """Replace connections that have been idle for too long."""

    epoch: int


@dataclass(frozen=True, slots=True)
class AdoptOrphanOrders:
    """Everything sent before this run is visible by now: adopt the orders that the database does not know."""

    epoch: int


@dataclass(frozen=True, slots=True)
class AuditPositions:
    """Compare again what the account holds with what was copied."""

    epoch: int


@dataclass(frozen=True, slots=True)
class AuditAgain:
    """Repeat a read of positions that differed from the orders."""

    epoch: int


@dataclass(frozen=True, slots=True)
class PositionsOverdue:
    """Exits have waited long enough for the first read of the positions."""

    epoch: int


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Read the account's result of the day again."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Resume:
    """A wait after the broker's rate limit, or of a suspended account, is over."""

    epoch: int


@dataclass(frozen=True, slots=True)
class AccountChanged:
    """Copy by other settings from now on."""

    account: FollowerAccount


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
    | LeaseRenewed
    | AdoptOrphanOrders
    | FailOnPurpose
    | Resume
    | AccountChanged
    | Drain
    | TokenNews
    | ActorUp
    | ActorDied
)
