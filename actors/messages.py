"""Every message, and the protocol of each actor: facts in the past tense, requests in the imperative."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pydantic import SecretStr

from actors.base import ActorDied, ActorUp, Address
from copytrade.agenda import CopyId
from copytrade.budget import Lane
from copytrade.copies import Copy
from copytrade.dhan.accounts import Profile
from copytrade.dhan.auth import Credentials, Token
from copytrade.dhan.codec import Unreadable
from copytrade.dhan.custody import Step
from copytrade.dhan.feed import FeedConnection, FeedEnded
from copytrade.dhan.outcomes import Outcome
from copytrade.dhan.rest import Cancelled, OrderBook, Placed
from copytrade.instrument_cache import Master
from copytrade.instruments import Instruments
from copytrade.ledger import Allotment, Baseline, Line, LineKey
from copytrade.orders import Order
from copytrade.protection import Breach, Result
from copytrade.records import CopyChanged, Record

# --- tokens ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TokenReplaced:
    """An account's token from now on; the one it had, if that was found to work. ``expires`` is None if unknown."""

    account: str
    token: SecretStr
    expires: datetime | None


@dataclass(frozen=True, slots=True)
class TokenLost:
    """An account has no token that the broker takes, and why; TokenReplaced will follow."""

    account: str
    why: str


TokenNews = TokenReplaced | TokenLost


@dataclass(frozen=True, slots=True)
class WantToken:
    """Tell me an account's token, and whatever becomes of it."""

    account: str
    reply_to: Address[TokenNews]


@dataclass(frozen=True, slots=True)
class CheckToken:
    """See whether an account's token works, and tell everybody.

    A request was ``refused`` for it, or a feed was dropped right after its login.
    """

    account: str
    refused: bool


@dataclass(frozen=True, slots=True)
class TokenChecked:
    """What the broker said when asked for the profile."""

    account: str
    outcome: Outcome[Profile]


@dataclass(frozen=True, slots=True)
class TokenFetched:
    """What the broker said when asked for another token."""

    account: str
    step: Step
    outcome: Outcome[Token]


@dataclass(frozen=True, slots=True)
class TellToken:
    """Say now that this token works."""

    account: str
    token: Token


@dataclass(frozen=True, slots=True)
class LookAfterToken:
    """There may be something to be done about an account's token; only the latest ``number`` counts."""

    account: str
    number: int


@dataclass(frozen=True, slots=True)
class CredentialsGiven:
    """How each account gets its tokens has been read again."""

    accounts: Mapping[str, Credentials]


TokenKeeperMessage = (
    WantToken
    | CheckToken
    | TokenChecked
    | TokenFetched
    | TellToken
    | LookAfterToken
    | CredentialsGiven
    | ActorUp
    | ActorDied
)

# --- feeds -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderUpdated:
    """An account's order is not what it was. ``received`` is the monotonic time at which we learnt of it."""

    account: str
    order: Order
    received: float
    recovered: bool


@dataclass(frozen=True, slots=True)
class BookSnapshot:
    """Everything the feed knows, at the moment of subscribing; every later change follows, in order."""

    account: str
    orders: Sequence[Order]
    gate_open: bool


@dataclass(frozen=True, slots=True)
class GateClosed:
    """The account's feed may have missed something: no entry until its book has been read."""

    account: str


@dataclass(frozen=True, slots=True)
class GateOpened:
    """A read of the account's book that began after the gap has been merged."""

    account: str


@dataclass(frozen=True, slots=True)
class BookMerged:
    """A read of the account's book, begun at a monotonic time, is merged; its changes were told before.

    ``complete``: every row could be read, so that what is not in it was not there. ``skew`` is the seconds to add to
    our time of day to have the broker's.
    """

    account: str
    began: float
    order_ids: frozenset[str]
    complete: bool
    skew: float


@dataclass(frozen=True, slots=True)
class SearchMerged:
    """The broker was asked for a correlation id at a monotonic time; what it showed was told before."""

    account: str
    correlation_id: str
    began: float
    found: bool


FeedNews = OrderUpdated | BookSnapshot | GateClosed | GateOpened | BookMerged | SearchMerged

#: One gap of one incarnation of a feed; a read opens only the gate of the gap in which it began.
Generation = tuple[int, int]

#: A read that belongs to no gap.
NO_GAP: Generation = (0, 0)


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Send me your book and from then on every change."""

    subscriber: Address[FeedNews]


#: One connection of one incarnation of a feed.
ConnectionId = tuple[int, int]


@dataclass(frozen=True, slots=True)
class FeedConnected:
    """The feed's socket is open and the login was sent; the broker acknowledges neither."""

    connection: ConnectionId
    socket: FeedConnection


@dataclass(frozen=True, slots=True)
class FrameReceived:
    """A frame has come in on a connection, at a monotonic time: what it tells of."""

    connection: ConnectionId
    items: Sequence[Order | Unreadable]
    received: float


@dataclass(frozen=True, slots=True)
class FeedLost:
    """A connection has ended, or could not be made."""

    connection: ConnectionId
    end: FeedEnded


@dataclass(frozen=True, slots=True)
class Connect:
    """Try to connect again."""

    after: ConnectionId


@dataclass(frozen=True, slots=True)
class RereadBook:
    """Read the book once more on this connection: a login has no acknowledgement."""

    connection: ConnectionId


@dataclass(frozen=True, slots=True)
class AuditBook:
    """Read the book although nothing seems wrong."""

    epoch: int


@dataclass(frozen=True, slots=True)
class BookRead:
    """The account's whole order book, as it was at some moment after ``generation`` and ``began`` (monotonic)."""

    generation: Generation
    began: float
    book: OrderBook
    skew: float


@dataclass(frozen=True, slots=True)
class SearchAnswered:
    """What the broker showed when asked for a correlation id at a monotonic time."""

    correlation_id: str
    began: float
    orders: Sequence[Order]


FeedMessage = (
    Subscribe
    | FeedConnected
    | FrameReceived
    | FeedLost
    | Connect
    | RereadBook
    | AuditBook
    | BookRead
    | SearchAnswered
    | TokenNews
    | ActorUp
    | ActorDied
)

# --- gap recovery ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReadBook:
    """Read an account's order book and tell its feed. ``since`` and ``after_gap`` are for the log line alone."""

    account: str
    generation: Generation
    since: datetime | None
    after_gap: bool


@dataclass(frozen=True, slots=True)
class RetryRead:
    """An account's book that could not be read can be tried again."""

    account: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a read gave nothing; ``token_refused`` where another token is all that helps."""

    why: str
    token_refused: bool = False


@dataclass(frozen=True, slots=True)
class BookReadFinished:
    """A reader thread is done with an account's book; ``problem`` says why there is none."""

    request: ReadBook
    began: float
    book: OrderBook | None
    problem: Problem | None
    skew: float


@dataclass(frozen=True, slots=True)
class SearchOrder:
    """Ask the broker for the orders with a correlation id, and tell the account's feed."""

    account: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class SearchFinished:
    """A reader thread is done with a search; ``problem`` says why it proves nothing."""

    request: SearchOrder
    began: float
    orders: Sequence[Order]
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class CapitalRead:
    """An account's start-of-day capital in rupees is known."""

    account: str
    capital: Decimal


@dataclass(frozen=True, slots=True)
class ReadCapital:
    """Read an account's start-of-day capital."""

    account: str
    reply_to: Address[CapitalRead]


@dataclass(frozen=True, slots=True)
class CapitalReadFinished:
    """A reader thread is done with an account's capital; ``problem`` says why there is none."""

    request: ReadCapital
    capital: Decimal | None
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class PositionsRead:
    """An account's positions are known, apart from the day's orders."""

    account: str
    baseline: Baseline


@dataclass(frozen=True, slots=True)
class ReadPositions:
    """Read an account's positions; ``holdings`` too where shares are copied."""

    account: str
    holdings: bool
    reply_to: Address[PositionsRead]


@dataclass(frozen=True, slots=True)
class PositionsReadFinished:
    """A reader thread is done with an account's positions; ``problem`` says why there are none."""

    request: ReadPositions
    read: PositionsRead | None
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class ResultRead:
    """What an account has made of the day is known."""

    account: str
    result: Result


@dataclass(frozen=True, slots=True)
class ReadResult:
    """Read what an account has made of the day, if that is not being read already."""

    account: str
    reply_to: Address[ResultRead]


@dataclass(frozen=True, slots=True)
class ResultReadFinished:
    """A reader thread is done with an account's result; ``problem`` says why there is none."""

    request: ReadResult
    result: Result | None
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class NetRead:
    """What an account holds, whoever traded it, is known: units by line, short ones negative."""

    account: str
    net: Mapping[LineKey, int]


@dataclass(frozen=True, slots=True)
class ReadNet:
    """Read what an account holds, if that is not being read already; ``holdings`` too where shares are copied."""

    account: str
    holdings: bool
    reply_to: Address[NetRead]


@dataclass(frozen=True, slots=True)
class NetReadFinished:
    """A reader thread is done with what an account holds; ``problem`` says why it is not known."""

    request: ReadNet
    read: NetRead | None
    problem: Problem | None


GapRecoveryMessage = (
    ReadBook
    | RetryRead
    | BookReadFinished
    | SearchOrder
    | SearchFinished
    | TokenNews
    | ReadCapital
    | CapitalReadFinished
    | ReadPositions
    | PositionsReadFinished
    | ReadNet
    | NetReadFinished
    | ReadResult
    | ResultReadFinished
    | ActorUp
    | ActorDied
)

# --- instruments -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InstrumentsLoaded:
    """The instrument master has been read."""

    instruments: Instruments


@dataclass(frozen=True, slots=True)
class WantInstruments:
    """Tell me the instruments once they are read."""

    reply_to: Address[InstrumentsLoaded]


@dataclass(frozen=True, slots=True)
class LoadInstruments:
    """Read the instrument master: told by one incarnation to itself."""

    epoch: int


@dataclass(frozen=True, slots=True)
class MasterRead:
    """The reader thread has the instrument master, or says why not; ``kept`` is then what there is of another day."""

    epoch: int
    master: Master | None
    problem: str = ""
    kept: Master | None = None


InstrumentMasterMessage = WantInstruments | LoadInstruments | MasterRead | PositionsRead | ActorUp | ActorDied

# --- rate limiter ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PermitId:
    """One permit of one incarnation of a follower."""

    epoch: int
    number: int


@dataclass(frozen=True, slots=True)
class PermitGranted:
    """One request may be sent."""

    permit: PermitId


@dataclass(frozen=True, slots=True)
class RequestPermit:
    """Grant a permit as soon as the budget allows. Asking again with the same id moves the request to a new lane."""

    follower: str
    permit: PermitId
    lane: Lane
    reply_to: Address[PermitGranted]


@dataclass(frozen=True, slots=True)
class SettlePermit:
    """The permit's request has been answered, at a monotonic time."""

    follower: str
    permit: PermitId
    at: float


@dataclass(frozen=True, slots=True)
class ReleasePermit:
    """The permit was not needed."""

    follower: str
    permit: PermitId


@dataclass(frozen=True, slots=True)
class ServeWaiting:
    """A place in a follower's budget may have become free."""

    follower: str


@dataclass(frozen=True, slots=True)
class RequestsLoaded:
    """When the requests of the last day were answered, in monotonic seconds, by account."""

    answered: Mapping[str, Sequence[float]]


RateLimiterMessage = RequestPermit | SettlePermit | ReleasePermit | ServeWaiting | RequestsLoaded | ActorUp | ActorDied

# --- store -------------------------------------------------------------------------------------------------------


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
    reply_to: Address[IntentRecorded]


@dataclass(frozen=True, slots=True)
class Write:
    """Write records down, some time soon, in order; nothing of a writer that has been replaced."""

    records: tuple[Record, ...]
    writer: Writer


@dataclass(frozen=True, slots=True)
class Flush:
    """Commit the intents that wait and what they rest on, or ``everything``; ``again``: what could not be before."""

    everything: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class Linger:
    """Commit everything a little later."""


@dataclass(frozen=True, slots=True)
class CopiesLoaded:
    """What a follower had done when it last wrote."""

    copies: Sequence[Copy]
    lines: Sequence[Line]
    allotments: Sequence[Allotment]
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
class LookForSwitches:
    """See whether an operator has paused or resumed anybody, or given a command."""

    epoch: int


@dataclass(frozen=True, slots=True)
class LoadCopies:
    """Tell a follower what it had done."""

    follower: str
    writer: Writer
    reply_to: "Address[CopiesLoaded | EntriesSwitched | CommandGiven]"


@dataclass(frozen=True, slots=True)
class LoadRequests:
    """Tell the rate limiter what has been sent in the last day."""

    reply_to: Address[RequestsLoaded]


@dataclass(frozen=True, slots=True)
class FollowSwitches:
    """Tell a follower from now on what an operator switches and wants, and first of all how it stands."""

    follower: str
    writer: Writer
    reply_to: "Address[CopiesLoaded | EntriesSwitched | CommandGiven]"


StoreMessage = (
    RecordIntent
    | Write
    | Flush
    | Linger
    | LoadCopies
    | FollowSwitches
    | LoadRequests
    | LookForSwitches
    | ActorUp
    | ActorDied
)

# --- follower ----------------------------------------------------------------------------------------------------


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
    """An order that was set aside for a while can be looked at again."""

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
class AdoptStrangers:
    """Whatever the broker has taken in our name is visible by now: adopt what the database does not know."""

    epoch: int


@dataclass(frozen=True, slots=True)
class AuditPositions:
    """Compare once more what the account holds with what was copied."""

    epoch: int


@dataclass(frozen=True, slots=True)
class CheckResult:
    """See again what the account has made of the day."""

    epoch: int


@dataclass(frozen=True, slots=True)
class FailOnPurpose:
    """Hang for so many seconds, or crash for none: a paper session shows how that is healed."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Resume:
    """The account has been left alone for long enough after the broker called for less."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Drained:
    """A follower has nothing under way any more."""

    name: str


@dataclass(frozen=True, slots=True)
class Drain:
    """Begin nothing new; say when everything under way has ended."""

    reply_to: Address[Drained]


FollowerMessage = (
    FeedNews
    | CapitalRead
    | PositionsRead
    | ResultRead
    | NetRead
    | AuditPositions
    | CheckResult
    | InstrumentsLoaded
    | PermitGranted
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
    | AdoptStrangers
    | FailOnPurpose
    | Resume
    | Drain
    | TokenNews
    | ActorUp
    | ActorDied
)

# --- notifier ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell somebody; ``kind`` and ``who`` say which alerts are the same one."""

    kind: str
    who: str
    text: str


NotifierMessage = Notify | ActorUp | ActorDied

# --- supervisor --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LogStatus:
    """Have every actor bring its figures up to date; after the interval again if this incarnation asked itself."""

    epoch: int = 0


@dataclass(frozen=True, slots=True)
class LogLines:
    """Log a line about every actor."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Look at every actor, again and again."""

    epoch: int


@dataclass(frozen=True, slots=True)
class RetryQuarantined:
    """Give a quarantined actor another chance; all of them for an empty name."""

    name: str


@dataclass(frozen=True, slots=True)
class RestartActor:
    """The wait before a restart is over."""

    name: str
    epoch: int


@dataclass(frozen=True, slots=True)
class StopAll:
    """Stop every actor in order."""


@dataclass(frozen=True, slots=True)
class DrainingTimedOut:
    """Whatever is still under way at the followers stays pending."""


SupervisorMessage = (
    ActorUp
    | ActorDied
    | LogStatus
    | LogLines
    | Sweep
    | RestartActor
    | RetryQuarantined
    | StopAll
    | Drained
    | DrainingTimedOut
)
