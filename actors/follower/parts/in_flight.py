"""One follower's requests under way, from the decision to the outcome."""

import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from loguru import logger

from actors.follower.gateway import Gateway, request_for
from actors.follower.messages import FollowerInbox, RequestLeft
from actors.follower.parts.account_state import AccountState
from actors.follower.parts.outbox import Outbox
from actors.follower.parts.permits import Permits
from actors.messages.permits import PermitId
from actors.runtime.address import Address
from copytrade.core.decide.decisions import Cancel, Place, Skip
from copytrade.core.engine.copies import transitions
from copytrade.core.engine.engine import Action, CopyEngine
from copytrade.core.model.copies import Copy, CopyId
from copytrade.core.model.lane import Lane
from copytrade.core.model.orders import AmoTime, Order
from copytrade.core.model.reasons import Reason
from copytrade.reports.log_lines import order_log

#: Requests that may be under way beyond the account's connections: only cancellations, so that none waits for an entry.
CANCEL_RESERVE = 1

#: Remembered times of decisions from which on those that led to no request are dropped.
WORTH_SWEEPING = 64


@dataclass(slots=True)
class Flight:
    """A request between its decision and its outcome."""

    leader: Order
    action: Action
    permit: PermitId
    decided: float
    begun: float
    lane: Lane
    sent: bool = False

    @property
    def copy_id(self) -> CopyId:
        """The copy that it is for."""
        return self.leader.id, self.action.n


class InFlight:
    """A part of a follower, in its thread. Each request has a token until its outcome is known."""

    def __init__(
        self,
        address: Address[FollowerInbox],
        epoch: int,
        engine: CopyEngine,
        outbox: Outbox,
        permits: Permits,
        account_state: AccountState,
        amo_time_of: Callable[[str], AmoTime],
        connections: int,
        *,
        dry_run: bool,
    ) -> None:
        self._address = address
        self._epoch = epoch
        self._engine = engine
        self._outbox = outbox
        self._permits = permits
        self._account_state = account_state
        #: Returns when after-market copies of a leader's orders are released.
        self.amo_time_of = amo_time_of
        self._connections = connections
        self._dry_run = dry_run
        self._gateway: Gateway
        self._tokens = itertools.count(1)
        self._in_flight: dict[int, Flight] = {}
        self._decided: dict[str, float] = {}
        self._worth_sweeping = WORTH_SWEEPING
        #: How many requests have been sent.
        self.requests = 0

    def connect(self, gateway: Gateway) -> None:
        """Send through this gateway from now on."""
        self._gateway = gateway

    def __len__(self) -> int:
        """Return how many are under way."""
        return len(self._in_flight)

    def get(self, token: int) -> Flight | None:
        """Return a request that is under way, None if it is not."""
        return self._in_flight.get(token)

    def have_room(self, lane: Lane) -> bool:
        """Whether another request of this lane may be begun.

        A request that waits for the database holds a permit, so it counts against requests that are no more urgent. A
        cancellation waits only for other cancellations, while no more exits are under way than there are connections.
        """
        if lane is Lane.CANCEL:
            return sum(flight.sent for flight in self._in_flight.values()) < self._connections + CANCEL_RESERVE
        return sum(flight.sent or flight.lane <= lane for flight in self._in_flight.values()) < self._connections

    def decided(self, order_ids: Iterable[str]) -> None:
        """Remember when requests for these leader orders were decided, until they are begun."""
        now = time.monotonic()
        for order_id in order_ids:
            self._decided[order_id] = now
        if len(self._decided) > self._worth_sweeping:
            self._decided = {
                order_id: at for order_id, at in self._decided.items() if self._engine.work_queue.is_wanted(order_id)
            }
            self._worth_sweeping = 2 * max(len(self._decided), WORTH_SWEEPING)

    def begin(self, permit: PermitId, now: datetime) -> None:
        """Begin the most urgent request with a permit, or give the permit back."""
        picked = self._engine.scheduler.pick(now)
        if picked is None:
            self._permits.release(permit)
            return
        leader, action = picked
        if self._dry_run:
            self._keep_back(leader, action, permit, now)
            return
        token = next(self._tokens)
        try:
            changed = self._engine.begin(leader, action, now)
        except ValueError as error:
            self._permits.release(permit)
            self._outbox.note(*self._engine.copies.skip(leader, Skip(Reason.BAD_ORDER_ID, str(error)), now))
            return
        if self._engine.shares.leaves_unread(leader.id, action):
            order_log.left_unread(changed.after)
        if self._engine.shares.leaves_beside(leader.id, action, now):
            order_log.left_beside(changed.after)
        begun = time.monotonic()
        lane = self._engine.scheduler.lane_of(leader, action)
        flight = Flight(leader, action, permit, self._decided.pop(leader.id, begun), begun, lane)
        self._in_flight[token] = flight
        if isinstance(action, Cancel):
            logger.info("Processing cancellation for leader order: {} {}", leader.id, order_log.who(changed.after))
            self._outbox.note(changed)
            self._send(token, flight)
        else:
            self._outbox.intend(token, changed.after, leader)

    def _keep_back(self, leader: Order, action: Action, permit: PermitId, now: datetime) -> None:
        """Dry run: send nothing, and go on as if it had been sent."""
        self._permits.release(permit)
        try:
            changed = self._engine.keep_back(leader, action, now)
        except ValueError as error:
            changed = self._engine.copies.skip(leader, Skip(Reason.BAD_ORDER_ID, str(error)), now)
        else:
            order_log.kept_back(action, changed[0])
        self._outbox.note(*changed)

    def intended(self, token: int) -> bool:
        """Send a request whose intent is durable; return False if it was given up."""
        self.land_what_must_not_leave()
        flight = self._in_flight.get(token)
        if flight is None:
            return False
        if not flight.sent:
            self._send(token, flight)
        return True

    def intend_again(self) -> None:
        """Record the intents of unsent requests again, with a restarted store."""
        for token, flight in self._in_flight.items():
            if not flight.sent:
                self._outbox.intend(token, self._engine.copies.copy(flight.copy_id), flight.leader)

    def _send(self, token: int, flight: Flight) -> None:
        copy = self._engine.copies.copy(flight.copy_id)
        flight.sent = True
        self.requests += 1
        self._address.tell(RequestLeft(token, self._epoch))
        amo_time = self.amo_time_of(flight.leader.leader)
        self._gateway.send(token, request_for(flight.action, copy, flight.leader, amo_time), flight.lane)

    def left(self, token: int) -> None:
        """After a request has been sent: read its answer, ask for the next permit, write its log line."""
        self._gateway.listen(token)
        self._permits.request(Lane.SPARE)
        flight = self._in_flight.get(token)
        if flight is not None and isinstance(flight.action, Place):
            order_log.placing(self._engine.copies.copy(flight.copy_id), flight.leader)

    def land_what_must_not_leave(self) -> None:
        """Give up unsent requests if the account may not send, or their leader order has ended.

        The cancellation of such a leader order then need not wait for them.
        """
        is_barred = self._account_state.is_barred
        for token, flight in list(self._in_flight.items()):
            if not flight.sent and (is_barred or self._engine.scheduler.is_overtaken(flight.leader.id, flight.action)):
                copy = self._engine.copies.copy(flight.copy_id)
                unsent = transitions.not_sent if isinstance(flight.action, Place) else transitions.modify_not_sent
                self.land(token, unsent(copy))
                self._permits.release(flight.permit)

    def land(self, token: int, after: Copy) -> None:
        """End a request; ``after`` is its copy after the outcome."""
        flight = self._in_flight.pop(token)
        self._outbox.note(*self._engine.execution.settle(flight.copy_id, after, time.monotonic()))
