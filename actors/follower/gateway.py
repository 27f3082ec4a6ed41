"""Sends one follower's requests to the broker, so that the follower never waits for an answer."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from loguru import logger
from pydantic import SecretStr

from actors.follower.messages import FollowerInbox, RequestFinished
from actors.runtime.address import Address
from copytrade.brokers.api import Cancelled, NewOrder, OrderChange, OrderGateway, PendingRequest, Placed
from copytrade.brokers.outcomes import HttpExchange, Outcome, Refusal, Refused, Unknown
from copytrade.common import wall_clock
from copytrade.core.decide.decisions import Cancel, Modify, Place
from copytrade.core.engine.engine import Action
from copytrade.core.lease.lease import Fence
from copytrade.core.model.copies import Copy
from copytrade.core.model.lane import Lane
from copytrade.core.model.orders import AmoTime, Order
from copytrade.storage.records import RequestMade


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Place a new order."""

    order: NewOrder


@dataclass(frozen=True, slots=True)
class ModifyOrder:
    """Modify an order."""

    order_id: str
    change: OrderChange


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Cancel an order."""

    order_id: str


Request = PlaceOrder | ModifyOrder | CancelOrder

AnyCall = PendingRequest[Placed] | PendingRequest[Cancelled]
AnyOutcome = Outcome[Placed] | Outcome[Cancelled]


class Gateway:
    """The connections of one account; each outcome is told as RequestFinished.

    The poller reads the answer to a request that left on a ready connection. A thread waits for the others. Where
    other nodes may have the account, the ``fence`` is asked right before each request.
    """

    def __init__(
        self,
        broker: OrderGateway,
        address: Address[FollowerInbox],
        epoch: int,
        threads: int,
        fence: Fence | None = None,
    ) -> None:
        self._broker = broker
        self._fence = fence
        self._address = address
        self._epoch = epoch
        self._begun: dict[int, tuple[AnyCall, float, Lane]] = {}
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=f"send-{address.name}")
        self._warming = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"warm-{address.name}")
        self._count = threads
        self.keep_warm(0.0)

    def keep_warm(self, fresh_for: float) -> None:
        """Have connections ready, with TLS established, for ``fresh_for`` seconds to come."""
        if not self._broker.is_warm(self._count, fresh_for):
            self._warming.submit(self._broker.warm, self._count, fresh_for)

    def send(self, token: int, request: Request, lane: Lane) -> None:
        """Send a request without waiting; its outcome is told with the same token after :meth:`listen`."""
        if self._address.epoch != self._epoch:
            return  # a later incarnation owns this account now
        started = time.monotonic()
        if (fenced := self._fenced(token, lane, started)) is not None:
            self._address.tell(fenced)
            return
        try:
            self._begun[token] = self._begin(request), started, lane
        except Exception as error:  # the request may have left all the same
            self._address.tell(self._failed(token, started, error))

    def take_token(self, access_token: SecretStr) -> None:
        """Use another access token from the next request on."""
        self._broker.take_token(access_token)

    def listen(self, token: int) -> None:
        """Have the answer to a request read. It is apart from sending, so that others' requests are sent first."""
        if token not in self._begun:
            return
        call, started, lane = self._begun.pop(token)
        if call.is_under_way:
            self._address.watch(call.fileno(), partial(self._advance, token, call, started), call.deadline)
        else:
            self._threads.submit(self._wait, token, call, started, lane)

    def close(self) -> None:
        """Send nothing more, and break off requests under way: their outcome is then unknown."""
        for threads in (self._threads, self._warming):
            threads.shutdown(wait=False, cancel_futures=True)
        self._broker.close()

    def _begin(self, request: Request) -> AnyCall:
        match request:
            case PlaceOrder(order):
                return self._broker.place(order)
            case ModifyOrder(order_id, change):
                return self._broker.modify(order_id, change)
            case CancelOrder(order_id):
                return self._broker.cancel(order_id)

    def _advance(self, token: int, call: AnyCall, started: float, now: float) -> float | None:
        """Read what has come of an answer; return until when to wait for more, None once it is complete."""
        try:
            outcome = call.advance(now)
            if outcome is None:
                return call.deadline
            finished = self._finished(token, outcome, started)
        except Exception as error:
            finished = self._failed(token, started, error)
        self._address.tell(finished)
        return None

    def _fenced(self, token: int, lane: Lane, now: float) -> RequestFinished | None:
        """Return the end of a request that the lease does not let leave now, None if it may."""
        why = self._fence.refusal(lane, now) if self._fence is not None else ""
        if not why:
            return None
        refused = Refused(Refusal.NOT_SENT, "", why, exchange=HttpExchange("", "", "", None, "", 0.0))
        return RequestFinished(token, self._epoch, refused, now, now)

    def _wait(self, token: int, call: AnyCall, started: float, lane: Lane) -> None:
        try:
            # It leaves only now, and the thread may have had to wait.
            finished = self._fenced(token, lane, time.monotonic()) or self._finished(token, call.outcome(), started)
        except Exception as error:
            finished = self._failed(token, started, error)
        self._address.tell(finished)

    def _finished(self, token: int, outcome: AnyOutcome, started: float) -> RequestFinished:
        return RequestFinished(token, self._epoch, outcome, started, started + outcome.exchange.duration_ms / 1000)

    def _failed(self, token: int, started: float, error: Exception) -> RequestFinished:
        logger.opt(exception=error).error("Sending failed unexpectedly")
        exchange = HttpExchange("", "", "", None, "", (time.monotonic() - started) * 1000)
        outcome = Unknown(f"{type(error).__name__}: {error}", exchange=exchange)
        return RequestFinished(token, self._epoch, outcome, started, time.monotonic())


def request_for(action: Action, copy: Copy, leader: Order, amo_time: AmoTime) -> Request:
    """Build the request for an action: the desired order, with what is taken over from the leader's."""
    match action:
        case Place(desired=desired):
            return PlaceOrder(
                NewOrder(
                    correlation_id=copy.correlation_id,
                    side=copy.side(leader),
                    key=leader.key,
                    product=copy.product or leader.product,
                    order_type=desired.order_type,
                    quantity=desired.quantity,
                    price=desired.price,
                    validity=desired.validity,
                    trigger_price=desired.trigger_price,
                    disclosed_quantity=desired.disclosed_quantity,
                    after_market=leader.after_market,
                    amo_time=amo_time,
                )
            )
        case Modify(desired=desired):
            return ModifyOrder(
                copy.order_id,
                OrderChange(
                    order_type=desired.order_type,
                    quantity=desired.quantity,
                    price=desired.price,
                    validity=desired.validity,
                    trigger_price=desired.trigger_price,
                    disclosed_quantity=desired.disclosed_quantity,
                ),
            )
        case Cancel():
            return CancelOrder(copy.order_id)


def audit_of(follower: str, action: Action, exchange: HttpExchange) -> RequestMade:
    """Return the record of a request and its reply."""
    return RequestMade(
        account=follower,
        action=type(action).__name__.lower(),
        request=f"{exchange.method} {exchange.path} {exchange.payload_json}".strip(),
        response=exchange.response_text,
        status_code=exchange.status,
        duration_ms=exchange.duration_ms,
        at=wall_clock.now(),
    )
