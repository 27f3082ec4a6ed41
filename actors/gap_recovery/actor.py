"""The gap-recovery supervisor: has everything that a feed may have missed read over REST.

A lost connection, a start of the program and an audit are the same thing, a gap. The account's order book is read and
handed to its feed. What was missed follows from comparing states, not times.
"""

import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from loguru import logger
from pydantic import SecretStr

from actors.gap_recovery.messages import GapRecoveryInbox, Problem, ReadFinished, ReadGoesOn, ServeReads
from actors.gap_recovery.read_queue import ReadQueue, Wanted
from actors.gap_recovery.reads import carry_on, reading_of
from actors.messages.feeds import BookRead, FeedMessage, SearchAnswered
from actors.messages.positions import NetRead
from actors.messages.reads import (
    CapitalRead,
    ReadAccountJoined,
    ReadAccountLeft,
    ReadBook,
    ReadCapital,
    ReadNet,
    ReadRequest,
    ReadResult,
    ResultRead,
    SearchOrder,
)
from actors.messages.tokens import CheckToken, TokenKeeperMessage, TokenLost, TokenReplaced, WantToken
from actors.runtime.actor import ActorDied, ActorUp, GuardedActor, Incarnation
from actors.runtime.address import Recipient
from actors.runtime.timers import Clock
from copytrade.brokers.api import AccountReader, Net, OrderBook
from copytrade.brokers.budget import Window
from copytrade.brokers.outcomes import Refusal
from copytrade.brokers.read_budget import ReadBudget, ReadLane
from copytrade.common.logs import alert, fields, over
from copytrade.common.measures import Figure
from copytrade.core.model.accounts import Funds, Result
from copytrade.core.model.orders import IST
from copytrade.reports.log_lines import capital_log

#: What log lines call each kind of read.
_NAMES = {
    ReadBook: "Order book",
    ReadCapital: "Capital",
    ReadNet: "Positions",
    ReadResult: "Result of the day",
}


class GapRecovery(GuardedActor[GapRecoveryInbox]):
    """Coordinates reads; each account has one reader thread, so no account waits for another's.

    Each account has a queue. A read waits in it for a working token, for more urgent reads and for the rate limit.
    """

    def __init__(
        self,
        life: Incarnation[GapRecoveryInbox],
        clock: Clock,
        accounts: Mapping[str, AccountReader],
        feeds: Mapping[str, Recipient[FeedMessage]],
        tokens: Recipient[TokenKeeperMessage],
        windows: Sequence[Window],
    ) -> None:
        """``windows`` limit how often each account is read, the shortest first."""
        super().__init__(life)
        self._tokens = tokens
        self._clock = clock
        self._accounts = dict(accounts)
        self._feeds = feeds
        self._windows = windows
        self._readers: dict[str, ThreadPoolExecutor] = {}
        self._queues = {account: ReadQueue(ReadBudget(windows)) for account in accounts}
        self._serves_at: dict[str, float] = {}
        self._reads = self._failures = 0
        self._held_off: set[str] = set()
        self._capital_said: set[tuple[str, bool]] = set()

    def set_up(self) -> None:
        """Start the reader of each account."""
        for account, queue in self._queues.items():
            self._readers[account] = _reader_thread(account)
            if self.epoch > 1:
                queue.budget.assume_full(time.monotonic())
        self._ask_for_tokens()

    def receive(self, message: GapRecoveryInbox) -> None:
        """Start a read, or hand on what was read."""
        if _account_of(message) not in (None, *self._accounts):
            return  # it has left
        match message:
            case ReadAccountJoined(account, reader):
                self._join(account, reader)
            case ReadAccountLeft(account):
                self._end_account(account)
            case ReadFinished(request):
                self._take(message)
                self._serve(request.account)
            case ReadGoesOn(request):
                if wanted := self._queues[request.account].end(request, time.monotonic()):
                    self._queues[request.account].go_on(wanted)
                self._serve(request.account)
            case ServeReads(account):
                self._serves_at.pop(account, None)
                self._serve(account)
            case TokenReplaced(account, token):
                self._take_token(account, token)
                self._serve(account)
            case TokenLost(account):
                self._queues[account].is_authorised = False
            case ActorUp() if message.name == self._tokens.name:
                self._ask_for_tokens()
            case ActorUp() | ActorDied():
                pass
            case _:
                self._queues[message.account].add(message, time.monotonic())
                self._serve(message.account)

    def figures(self) -> dict[str, Figure]:
        """Return how many reads were made, failed and wait, and which accounts are not read for now."""
        now = time.monotonic()
        paused = [account for account, queue in self._queues.items() if queue.budget.is_paused(now)]
        return {
            "reads": self._reads,
            "failed": self._failures,
            "waiting": sum(len(queue) for queue in self._queues.values()) or "",
            "paused": ",".join(paused),
        }

    def tear_down(self) -> None:
        """Stop the readers, and break off what they read."""
        for account, reader in self._readers.items():
            reader.shutdown(wait=False, cancel_futures=True)
            self._accounts[account].close()

    def _join(self, account: str, reader: AccountReader) -> None:
        """Read another account from now on."""
        if account in self._accounts:  # this incarnation has begun with it
            reader.close()
            return
        self._accounts[account] = reader
        self._queues[account] = ReadQueue(ReadBudget(self._windows))
        self._readers[account] = _reader_thread(account)
        self._tokens.tell(WantToken(account, self.address))

    def _end_account(self, account: str) -> None:
        """Read an account no more, and break off what is read."""
        self._readers.pop(account).shutdown(wait=False, cancel_futures=True)
        self._accounts.pop(account).close()
        del self._queues[account]
        self._serves_at.pop(account, None)

    def _take_token(self, account: str, token: SecretStr) -> None:
        """Use a token that works for the reads that wait for one."""
        self._accounts[account].take_token(token)
        self._queues[account].is_authorised = True

    def _ask_for_tokens(self) -> None:
        for account in self._accounts:
            self._tokens.tell(WantToken(account, self.address))

    def _serve(self, account: str) -> None:
        """Start the account's most urgent read, or come back when one may be made."""
        queue, now = self._queues[account], time.monotonic()
        if wanted := queue.take(now):
            self._start(wanted)
        elif (delay := queue.delay(now)) is not None and now + delay < self._serves_at.get(account, math.inf):
            self._serves_at[account] = now + delay
            self._clock.tell_later(delay, self.address, ServeReads(account))

    def _start(self, wanted: Wanted) -> None:
        request = wanted.request
        if isinstance(request, ReadBook) and request.after_gap and request.since:
            logger.info("Fetching orders placed since: {:%Y-%m-%d %H:%M:%S}", request.since.astimezone(IST))
        if wanted.reading is None:
            wanted.reading = reading_of(self._accounts[request.account], request)
        self._readers[request.account].submit(carry_on, wanted.reading, request, self.address)

    def _take(self, finished: ReadFinished) -> None:
        """Tell the answer to everybody who asked, or handle the failure."""
        queue, now = self._queues[finished.request.account], time.monotonic()
        wanted = queue.end(finished.request, now)
        if wanted is None:
            return  # begun by a predecessor
        self._reads += 1
        if isinstance(finished.answer, Problem):
            self._failures += 1
            self._cope(queue, wanted, finished.answer, now)
            return
        queue.worked(wanted)
        if (account := wanted.request.account) in self._held_off:
            self._held_off.discard(account)
            over("reads", account, "Broker answers reads again {}", fields(account=account))
        for request in wanted.askers.values():
            self._hand_on(request, finished)

    def _cope(self, queue: ReadQueue, wanted: Wanted, problem: Problem, now: float) -> None:
        """Repeat a failed read once that may help. A search is not repeated: the follower asks again."""
        request = wanted.request
        what = fields(account=request.account, problem=problem.why)
        if problem.refusal is Refusal.TOKEN:
            if queue.is_authorised:
                queue.is_authorised = False
                self._tokens.tell(CheckToken(request.account, refused=True))
            queue.put_back(wanted, now)
        elif problem.refusal is Refusal.RATE_LIMITED:
            pause = queue.budget.refused(now)
            self._held_off.add(request.account)
            alert(
                "reads",
                request.account,
                "Broker's rate limit, reading nothing for {:.0f}s {}",
                pause,
                what,
                level="ERROR",
            )
            queue.put_back(wanted, now)
        elif isinstance(request, SearchOrder):
            logger.warning("Search for an order failed {} {}", fields(id=request.correlation_id), what)
        else:
            delay = queue.retry_delay(wanted)
            logger.warning("{} unreadable, again in {:.1f}s {}", _NAMES[type(request)], delay, what)
            queue.put_back(wanted, now + delay)

    def _hand_on(self, request: ReadRequest, finished: ReadFinished) -> None:
        began = finished.began
        match request, finished.answer:
            case ReadBook(account, generation), OrderBook() as book:
                glance = request.lane is ReadLane.NEWS and not request.urgent
                self._feeds[account].tell(BookRead(generation, began, book, finished.skew, glance))
            case SearchOrder(account, correlation_id), tuple() as orders:
                self._feeds[account].tell(SearchAnswered(correlation_id, began, orders))
            case ReadCapital(account, reply_to, with_collateral), Funds() as funds:
                if (account, with_collateral) not in self._capital_said:
                    self._capital_said.add((account, with_collateral))
                    capital_log.counted(account, funds, with_collateral=with_collateral)
                reply_to.tell(CapitalRead(account, funds.capital(with_collateral=with_collateral), funds))
            case ReadResult(account, reply_to), Result() as result:
                reply_to.tell(ResultRead(account, result))
            case ReadNet(account, _, reply_to), Net(units, multipliers, result):
                reply_to.tell(NetRead(account, units, began, multipliers, result))


def _reader_thread(account: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"read-{account}")


def _account_of(message: GapRecoveryInbox) -> str | None:
    """Return the account that a message is about, None if it is about none, or about one that joins."""
    match message:
        case ReadAccountJoined() | ActorUp() | ActorDied():
            return None
        case ReadFinished(request) | ReadGoesOn(request):
            return request.account
        case _:
            return message.account
