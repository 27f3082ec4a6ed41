"""What is written down and loaded, what an operator wants, and what the store is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from actors.messages.permits import RequestsLoaded
from actors.runtime.actor import ActorDied, ActorUp
from actors.runtime.address import Recipient
from copytrade.core.decide.risk_limits import Breach
from copytrade.core.model.copies import Copy
from copytrade.core.model.ledger import Allocation, Line
from copytrade.storage.records import CopyChanged, Record


@dataclass(frozen=True, slots=True)
class Writer:
    """An incarnation of an actor: its epoch is its token, and that of its successor is greater."""

    name: str
    epoch: int


@dataclass(frozen=True, slots=True)
class IntentRecorded:
    """The intent is durable: the request may leave."""

    token: int
    epoch: int


@dataclass(frozen=True, slots=True)
class RecordIntent:
    """Write down what is about to be sent with ``records`` that it rests on, and say when all of it is durable."""

    record: CopyChanged
    records: tuple[Record, ...]
    token: int
    writer: Writer
    reply_to: Recipient[IntentRecorded]


@dataclass(frozen=True, slots=True)
class Write:
    """Write records down, some time soon, in order; nothing of a writer that has been replaced."""

    records: tuple[Record, ...]
    writer: Writer


@dataclass(frozen=True, slots=True)
class CopiesLoaded:
    """What a follower had done when it last wrote."""

    copies: Sequence[Copy]
    lines: Sequence[Line]
    allocations: Sequence[Allocation]
    copying_since: datetime
    enabled: bool
    breach: Breach | None = None


@dataclass(frozen=True, slots=True)
class EntriesSwitched:
    """An operator has paused a follower's entries, or resumed them."""

    enabled: bool


@dataclass(frozen=True, slots=True)
class CommandGiven:
    """An operator wants something done; the follower writes ``CommandAnswered`` when it is, or cannot be."""

    number: int
    name: str


@dataclass(frozen=True, slots=True)
class LoadCopies:
    """Tell a follower what it had done."""

    follower: str
    writer: Writer
    reply_to: "Recipient[CopiesLoaded | EntriesSwitched | CommandGiven]"


@dataclass(frozen=True, slots=True)
class LoadRequests:
    """Tell the rate limiter what has been sent in the last day."""

    reply_to: Recipient[RequestsLoaded]


@dataclass(frozen=True, slots=True)
class FollowSwitches:
    """Tell a follower from now on what an operator switches and wants, and first of all how it stands."""

    follower: str
    writer: Writer
    reply_to: "Recipient[CopiesLoaded | EntriesSwitched | CommandGiven]"


StoreMessage = RecordIntent | Write | LoadCopies | FollowSwitches | LoadRequests | ActorUp | ActorDied
