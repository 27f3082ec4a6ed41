"""The reads of one account: their order, who has asked, and when they may be made."""

from dataclasses import dataclass, replace

from actors.gap_recovery.reads import Reading
from actors.messages.reads import ReadBook, ReadCapital, ReadNet, ReadRequest, ReadResult, SearchOrder
from copytrade.brokers.read_budget import ReadBudget, ReadLane
from copytrade.common.backoff import Backoff

#: Seconds after which a read that waits moves up by one lane, so that it is made in the end.
PATIENCE = 10.0

#: Seconds between the end of an urgent read and another urgent one of its kind.
URGENT_EVERY = 1.0

#: Requests with the same key have the same answer.
Key = tuple[object, ...]


@dataclass(slots=True)
class Wanted:
    """A read that waits or is under way. ``askers`` has the requests that it answers, by name of the asker.

    ``reading`` is set once the first of its requests to the broker has been made.
    """

    key: Key
    lane: ReadLane
    since: float
    not_before: float
    askers: dict[str, ReadRequest]
    reading: Reading | None = None

    @property
    def request(self) -> ReadRequest:
        """The first request: it says what is read."""
        return next(iter(self.askers.values()))

    def rank(self, now: float) -> tuple[int, float]:
        """Return the rank by which reads are sorted; the lowest goes first."""
        lane = self.lane
        if lane > ReadLane.AWAITED:
            lane = ReadLane(max(ReadLane.AWAITED, lane - int((now - self.since) / PATIENCE)))
        return lane, self.since

    def join(self, other: "Wanted") -> None:
        """Answer the requests of another read too."""
        if other.lane is ReadLane.URGENT:
            self.not_before = min(self.not_before, other.not_before)
        self.lane = min(self.lane, other.lane)
        self.since = min(self.since, other.since)
        for asker, request in other.askers.items():
            self.askers[asker] = _both(self.askers[asker], request) if asker in self.askers else request


class ReadQueue:
    """The reads of one account, one under way at a time. Times are monotonic seconds.

    A request joins a waiting read of the same kind. It does not join one that is under way, because its answer must
    come from a read that began after the request.
    """

    def __init__(self, budget: ReadBudget) -> None:
        self.budget = budget
        self._waiting: dict[Key, Wanted] = {}
        self._begun: dict[Key, Wanted] = {}
        self._under_way: Wanted | None = None
        self._backoffs: dict[str, Backoff] = {}
        self._urgent_until: dict[Key, float] = {}
        #: Whether the account has a token that works.
        self.is_authorised = False

    def __len__(self) -> int:
        return len(self._waiting) + len(self._begun)

    def add(self, request: ReadRequest, now: float) -> None:
        """Add a request."""
        wanted = Wanted(_key(request), _lane(request), now, now, {_asker(request): request})
        if waiting := self._waiting.get(wanted.key):
            waiting.join(wanted)
        else:
            self._waiting[wanted.key] = wanted

    def take(self, now: float) -> Wanted | None:
        """Return the read to make now, which is under way from then on; None if there is none."""
        if self._under_way is not None or not self.is_authorised:
            return None
        for wanted in sorted((*self._begun.values(), *self._waiting.values()), key=lambda one: one.rank(now)):
            if self._delay(wanted, now) <= 0:
                del (self._waiting if wanted.reading is None else self._begun)[wanted.key]
                self._under_way = wanted
                self.budget.begin(now, wanted.lane)
                return wanted
        return None

    def delay(self, now: float) -> float | None:
        """Return the seconds until a read may be made; None if none waits or one is under way."""
        if self._under_way is not None or not self.is_authorised:
            return None
        return min((self._delay(one, now) for one in (*self._begun.values(), *self._waiting.values())), default=None)

    def end(self, request: ReadRequest, now: float) -> Wanted | None:
        """End the read under way and return it; None if the request is not its own."""
        wanted = self._under_way
        if wanted is None or wanted.request is not request:
            return None
        self._under_way = None
        self.budget.end(now)
        if wanted.lane is ReadLane.URGENT:
            self._urgent_until[wanted.key] = now + URGENT_EVERY
        return wanted

    def go_on(self, wanted: Wanted) -> None:
        """Make the remaining requests of a read in their turn.

        An earlier read of the same kind that has been begun is joined to it.
        """
        if earlier := self._begun.pop(wanted.key, None):
            wanted.join(earlier)
        self._begun[wanted.key] = wanted

    def put_back(self, wanted: Wanted, not_before: float) -> None:
        """Repeat a read from the beginning, at a time or later; newer requests of the same kind join it."""
        wanted.not_before, wanted.reading = not_before, None
        if newer := self._waiting.pop(wanted.key, None):
            wanted.join(newer)
        self._waiting[wanted.key] = wanted

    def retry_delay(self, wanted: Wanted) -> float:
        """Return how many seconds to wait before a failed read is repeated, longer each time."""
        return self._backoffs.setdefault(str(wanted.key[0]), Backoff()).next_delay()

    def worked(self, wanted: Wanted) -> None:
        """Reset the waits: a read has succeeded."""
        self._backoffs.pop(str(wanted.key[0]), None)
        self.budget.accepted()

    def _delay(self, wanted: Wanted, now: float) -> float:
        waits_until = wanted.not_before
        if wanted.lane is ReadLane.URGENT and wanted.reading is None:
            waits_until = max(waits_until, self._urgent_until.get(wanted.key, waits_until))
        return max(waits_until - now, self.budget.delay(now, wanted.lane))


def _key(request: ReadRequest) -> Key:
    match request:
        case ReadBook():
            return ("book",)
        case SearchOrder(correlation_id=correlation_id):
            return ("search", correlation_id)
        case ReadCapital():
            return ("capital",)
        case ReadNet(holdings=holdings):
            return ("net", holdings)
        case ReadResult():
            return ("result",)


def _lane(request: ReadRequest) -> ReadLane:
    match request:
        case ReadBook(urgent=True) | ReadNet(urgent=True):
            return ReadLane.URGENT
        case ReadBook(lane=lane):
            return lane
        case SearchOrder() | ReadCapital():
            return ReadLane.AWAITED
        case ReadNet():
            return ReadLane.AUDIT
        case ReadResult():
            return ReadLane.RESULT


def _asker(request: ReadRequest) -> str:
    """Return who is told the answer; "" for the account's feed, which is told books and searches."""
    return "" if isinstance(request, ReadBook | SearchOrder) else request.reply_to.name


def _both(one: ReadRequest, other: ReadRequest) -> ReadRequest:
    """Return one request for two of the same asker."""
    if not isinstance(one, ReadBook) or not isinstance(other, ReadBook):
        return other
    newer = other if other.generation >= one.generation else one
    return replace(newer, urgent=one.urgent or other.urgent, lane=min(one.lane, other.lane))
