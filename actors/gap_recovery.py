"""The gap-recovery supervisor: sees to it that whatever a feed may have missed is read over REST.

Every loss is the same thing, a gap: the feed was down, the program has just started, the audit interval has passed. The
account's order book is read and handed to its feed, and what is missing follows from comparing states, not times.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from loguru import logger
from pydantic import SecretStr

from actors.account_reads import Finished, Request, carry_out
from actors.base import ActorDied, ActorUp, Address, GuardedActor, Incarnation
from actors.clock import Clock
from actors.messages import (
    BookRead,
    BookReadFinished,
    CapitalRead,
    CapitalReadFinished,
    CheckToken,
    FeedMessage,
    GapRecoveryMessage,
    NetReadFinished,
    PositionsReadFinished,
    ReadBook,
    ReadCapital,
    ReadNet,
    ReadPositions,
    ReadResult,
    ResultRead,
    ResultReadFinished,
    RetryRead,
    SearchAnswered,
    SearchFinished,
    SearchOrder,
    TokenKeeperMessage,
    TokenLost,
    TokenReplaced,
    WantToken,
)
from copytrade.dhan.backoff import Backoff
from copytrade.dhan.rest import DhanRest
from copytrade.logs import fields
from copytrade.orders import IST
from copytrade.records import LEADER


class GapRecovery(GuardedActor[GapRecoveryMessage]):
    """Coordinates reads; each account has one reader thread, so no account waits for another's.

    What is to be read of an account without a token that works waits for one.
    """

    def __init__(
        self,
        life: Incarnation[GapRecoveryMessage],
        clock: Clock,
        accounts: Mapping[str, DhanRest],
        feeds: Mapping[str, Address[FeedMessage]],
        tokens: Address[TokenKeeperMessage],
    ) -> None:
        super().__init__(life)
        self._tokens = tokens
        self._authorised: set[str] = set()
        self._waiting: dict[str, dict[object, Request]] = {account: {} for account in accounts}
        self._clock = clock
        self._accounts = accounts
        self._feeds = feeds
        self._readers: dict[str, ThreadPoolExecutor] = {}
        self._backoff = {account: Backoff() for account in accounts}
        self._reading: set[str] = set()
        self._next: dict[str, ReadBook] = {}
        self._want_positions: dict[tuple[str, bool], list[ReadPositions]] = {}
        self._reading_result: set[str] = set()
        self._reading_net: dict[tuple[str, bool], list[ReadNet]] = {}
        self._next_net: dict[tuple[str, bool], list[ReadNet]] = {}
        self._reads = self._failures = 0

    def set_up(self) -> None:
        """Give each account its reader."""
        for account in self._accounts:
            self._readers[account] = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"read-{account}")
        self._ask_for_tokens()

    def receive(self, message: GapRecoveryMessage) -> None:
        """Start a read, or hand on what was read."""
        if isinstance(message, Request) and message.account not in self._authorised:
            self._wait_for_token(message)
            return
        if isinstance(message, Finished) and message.problem is not None and message.problem.token_refused:
            self._token_refused(message)
            return
        match message:
            case ReadBook():
                self._read(message)
            case BookReadFinished():
                self._hand_on(message)
            case RetryRead(account):
                self._reading.discard(account)
                if request := self._next.pop(account, None):
                    self.receive(request)
            case SearchOrder() | ReadCapital():
                self._start(message)
            case SearchFinished():
                self._hand_on_search(message)
            case CapitalReadFinished():
                self._hand_on_capital(message)
            case ReadPositions(account, holdings):
                waiting = self._want_positions.setdefault((account, holdings), [])
                waiting.append(message)
                if len(waiting) == 1:  # whoever else asks meanwhile is told the same
                    self._start(message)
            case PositionsReadFinished():
                self._hand_on_positions(message)
            case ReadResult(account):
                if account not in self._reading_result:
                    self._reading_result.add(account)
                    self._start(message)
            case ResultReadFinished():
                self._hand_on_result(message)
            case ReadNet():
                self._read_net(message)
            case NetReadFinished():
                self._hand_on_net(message)
            case TokenReplaced(account, token):
                self._take_token(account, token)
            case TokenLost(account):
                self._authorised.discard(account)
            case ActorUp() if message.name == self._tokens.name:
                self._ask_for_tokens()
            case ActorUp() | ActorDied():
                pass

    def figures(self) -> str:
        """Return how many reads there were, and how many of them gave nothing."""
        return fields(reads=self._reads, failed=self._failures)

    def tear_down(self) -> None:
        """End the readers, and what they are reading."""
        for account, reader in self._readers.items():
            reader.shutdown(wait=False, cancel_futures=True)
            self._accounts[account].close()

    def _take_token(self, account: str, token: SecretStr) -> None:
        """Read what has waited for a token that works."""
        self._accounts[account].take_token(token)
        self._authorised.add(account)
        waiting, self._waiting[account] = self._waiting[account], {}
        for request in waiting.values():
            self.receive(request)

    def _ask_for_tokens(self) -> None:
        for account in self._accounts:
            self._tokens.tell(WantToken(account, self.seat))

    def _wait_for_token(self, request: Request) -> None:
        """Keep a request until there is a token; of several for the order book the latest."""
        key = ReadBook if isinstance(request, ReadBook) else request
        waiting = self._waiting[request.account].get(key)
        if isinstance(request, ReadBook) and isinstance(waiting, ReadBook) and request.generation < waiting.generation:
            return
        self._waiting[request.account][key] = request

    def _token_refused(self, finished: Finished) -> None:
        """Have the token seen to, and read again once there is one that works."""
        account = finished.request.account
        self._failures += 1
        if account in self._authorised:
            self._authorised.discard(account)
            self._tokens.tell(CheckToken(account, refused=True))
        requests: list[Request] = [finished.request]
        if isinstance(finished, BookReadFinished):
            self._reading.discard(account)
            if newer := self._next.pop(account, None):
                requests.append(newer)
        elif isinstance(finished, ResultReadFinished):
            self._reading_result.discard(account)
        elif isinstance(finished, NetReadFinished):
            requests += self._reading_net.pop((account, finished.request.holdings), [])
            requests += self._next_net.pop((account, finished.request.holdings), [])
        elif isinstance(finished, PositionsReadFinished):
            requests += self._want_positions.pop((account, finished.request.holdings), [])
        for request in requests:
            self._wait_for_token(request)

    def _start(self, request: Request) -> None:
        """Have the account's thread read what is asked for."""
        account = request.account
        self._readers[account].submit(carry_out, self._accounts[account], request, self.seat)

    def _read(self, request: ReadBook) -> None:
        if request.account in self._reading:
            waiting = self._next.get(request.account)
            if waiting is None or request.generation >= waiting.generation:
                self._next[request.account] = request
            return
        if request.after_gap and request.account == LEADER and request.since is not None:
            logger.info("Fetching orders placed since: {:%Y-%m-%d %H:%M:%S}", request.since.astimezone(IST))
        self._reading.add(request.account)
        self._start(request)

    def _hand_on(self, finished: BookReadFinished) -> None:
        account = finished.request.account
        self._reading.discard(account)
        self._reads += 1
        if finished.book is None:
            self._failures += 1
            delay = self._backoff[account].next_delay()
            problem = fields(account=account, problem=finished.problem and finished.problem.why)
            logger.warning("Order book unreadable, again in {:.1f}s {}", delay, problem)
            self._reading.add(account)  # whoever asks meanwhile is served by the retry
            self._next.setdefault(account, finished.request)
            self._clock.tell_later(delay, self.seat, RetryRead(account))
            return
        self._backoff[account].reset()
        read = BookRead(finished.request.generation, finished.began, finished.book, finished.skew)
        self._feeds[account].tell(read)
        if newer := self._next.pop(account, None):
            self._read(newer)

    def _hand_on_search(self, finished: SearchFinished) -> None:
        request = finished.request
        self._reads += 1
        if finished.problem:
            self._failures += 1
            problem = fields(account=request.account, id=request.correlation_id, problem=finished.problem.why)
            logger.warning("Search for an order failed {}", problem)
            return
        self._feeds[request.account].tell(SearchAnswered(request.correlation_id, finished.began, finished.orders))

    def _hand_on_capital(self, finished: CapitalReadFinished) -> None:
        account = finished.request.account
        if finished.capital is None:
            self._failures += 1
            delay = self._backoff[account].next_delay()
            problem = fields(account=account, problem=finished.problem and finished.problem.why)
            logger.warning("Capital unreadable, again in {:.1f}s {}", delay, problem)
            self._clock.tell_later(delay, self.seat, finished.request)
            return
        finished.request.reply_to.tell(CapitalRead(account, finished.capital))

    def _hand_on_positions(self, finished: PositionsReadFinished) -> None:
        account = finished.request.account
        waiting = self._want_positions.pop((account, finished.request.holdings), [])
        if finished.read is None:
            self._failures += 1
            delay = self._backoff[account].next_delay()
            problem = fields(account=account, problem=finished.problem and finished.problem.why)
            logger.warning("Positions unreadable, again in {:.1f}s {}", delay, problem)
            for request in waiting:
                self._clock.tell_later(delay, self.seat, request)
            return
        self._backoff[account].reset()
        for request in waiting:
            request.reply_to.tell(finished.read)

    def _hand_on_result(self, finished: ResultReadFinished) -> None:
        """Tell what was read; what could not be read is asked for again before long."""
        request = finished.request
        self._reading_result.discard(request.account)
        self._reads += 1
        if finished.result is None:
            self._failures += 1
            problem = fields(account=request.account, problem=finished.problem and finished.problem.why)
            logger.warning("Result of the day unreadable {}", problem)
            return
        request.reply_to.tell(ResultRead(request.account, finished.result))

    def _read_net(self, request: ReadNet) -> None:
        """Read for everybody who has asked by now; who asks later waits for the next read."""
        key = (request.account, request.holdings)
        if key in self._reading_net:
            self._next_net.setdefault(key, []).append(request)
            return
        self._reading_net[key] = [request]
        self._start(request)

    def _hand_on_net(self, finished: NetReadFinished) -> None:
        """Tell everybody for whom it was read; what could not be read is read again a little later."""
        account = finished.request.account
        key = (account, finished.request.holdings)
        served, waiting = self._reading_net.pop(key, []), self._next_net.pop(key, [])
        self._reads += 1
        if finished.read is None:
            self._failures += 1
            delay = self._backoff[account].next_delay()
            problem = fields(account=account, problem=finished.problem and finished.problem.why)
            logger.warning("Positions unreadable, again in {:.1f}s {}", delay, problem)
            for request in (*served, *waiting):
                self._clock.tell_later(delay, self.seat, request)
            return
        self._backoff[account].reset()
        for request in served:
            request.reply_to.tell(finished.read)
        if waiting:
            self._reading_net[key] = waiting
            self._start(waiting[0])
