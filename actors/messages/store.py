"""Records to write and copies to load, an operator's commands, and what the store is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from actors.messages.permits import RequestsLoaded
from actors.runtime.actor import ActorDied, ActorUp
from actors.runtime.address import Recipient
from copytrade.core.decide.risk_limits import Breach
from copytrade.core.model.copies import Copy
from copytrade.core.model.ledger import Allocation, Line
from copytrade.core.model.orders import Order
from copytrade.storage.records import CopyChanged, Record


@dataclass(frozen=True, slots=True)
class Writer:
    """An incarnation of an actor. A later one has a greater epoch, and an earlier one may write no more."""

    name: str
    epoch: int


@dataclass(frozen=True, slots=True)
class IntentRecorded:
    """The intent is durable: the request may leave."""

    token: int
    epoch: int


@dataclass(frozen=True, slots=True)
class RecordIntent:
    """Commit what is about to be sent and the ``records`` that it rests on; tell IntentRecorded then."""

    record: CopyChanged
    records: tuple[Record, ...]
    token: int
    writer: Writer
    reply_to: Recipient[IntentRecorded]


@dataclass(frozen=True, slots=True)
class Write:
    """Write records in order, before long; not if their writer has been replaced."""

    records: tuple[Record, ...]
    writer: Writer


@dataclass(frozen=True, slots=True)
class CopiesLoaded:
    """What is recorded of a follower's copies and ledger; ``begins`` are the leaders whom it has not copied before.

    ``undecided`` are the leaders' latest orders for which nothing was recorded before the copier ended.
    """

    copies: Sequence[Copy]
    lines: Sequence[Line]
    allocations: Sequence[Allocation]
    copying_since: Mapping[str, datetime]
    pause: str
    breach: Breach | None = None
    begins: frozenset[str] = frozenset()
    undecided: Sequence[Order] = ()


@dataclass(frozen=True, slots=True)
class EntriesSwitched:
    """An operator has paused a follower's entries, and how; "" says that they have been resumed."""

    pause: str


@dataclass(frozen=True, slots=True)
class CommandGiven:
    """An operator's command. The follower writes ``CommandAnswered`` when it is done or cannot be."""

    number: int
    name: str


@dataclass(frozen=True, slots=True)
class LoadCopies:
    """Tell a follower its copies and its ledger, and since when each of its ``leaders`` is copied."""

    follower: str
    writer: Writer
    reply_to: "Recipient[CopiesLoaded | EntriesSwitched | CommandGiven]"
    leaders: tuple[str, ...] = ("",)


@dataclass(frozen=True, slots=True)
class LoadRequests:
    """Tell the rate limiter when requests of the last day were answered."""

    reply_to: Recipient[RequestsLoaded]


@dataclass(frozen=True, slots=True)
class FollowSwitches:
    """Tell a follower from now on whether its entries are paused, and an operator's commands."""

    follower: str
    writer: Writer
    reply_to: "Recipient[CopiesLoaded | EntriesSwitched | CommandGiven]"


@dataclass(frozen=True, slots=True)
class Committed:
    """Records that are in the database now, of whoever."""

    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class StateLoaded:
    """All that a successor of a follower would need, as the database has it."""

    follower: str
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class LoadState:
    """Tell all that a successor of a follower would need."""

    follower: str
    reply_to: Recipient[StateLoaded]


StoreMessage = LoadState | RecordIntent | Write | LoadCopies | FollowSwitches | LoadRequests | ActorUp | ActorDied
