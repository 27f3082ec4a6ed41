"""Stands in for a quarantined follower: cancels its open orders whose leader order has ended, and nothing else."""

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from loguru import logger
from msgspec.structs import replace
from pydantic import SecretStr

from actors.follower.addresses import Peers
from actors.follower.gateway import CancelOrder, Gateway, audit_of
from actors.follower.messages import FollowerInbox, RequestFinished, Retry
from actors.messages.feeds import BookSnapshot, OrderUpdated, Subscribe
from actors.messages.followers import Drain, Drained
from actors.messages.permits import PermitDelayed, PermitGranted, PermitId, ReleasePermit, RequestPermit, SettlePermit
from actors.messages.store import CopiesLoaded, LoadCopies, Write, Writer
from actors.messages.tokens import CheckToken, TokenLost, TokenReplaced, WantToken
from actors.runtime.actor import QUARANTINED, ActorUp, GuardedActor, Incarnation
from actors.runtime.address import Address
from actors.runtime.timers import Clock
from copytrade.brokers.outcomes import Accepted, Refusal, Refused
from copytrade.common import wall_clock
from copytrade.common.logs import alert, fields
from copytrade.common.measures import Figure
from copytrade.core.decide.decisions import Cancel
from copytrade.core.engine.copies import transitions
from copytrade.core.engine.copies.holds import pause
from copytrade.core.model.copies import Copy, CopyId
from copytrade.core.model.lane import Lane
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import Order, Status, order_of
from copytrade.reports.log_lines import order_log
from copytrade.storage.records import CopyChanged

#: Failed cancellations of an order after which an alert is sent.
TRIES = 5


@dataclass(frozen=True, slots=True)
class _Flight:
    leader: Order
    copy: Copy
    permit: PermitId


class CancelOnlyFollower(GuardedActor[FollowerInbox]):
    """Knows only whether each leader order has ended, so that little can go wrong in it.

    It reads no order books. A cancellation that is refused is tried again, later each time, which does no harm. After a
    few refusals an alert is sent.
    """

    def __init__(
        self,
        life: Incarnation[FollowerInbox],
        peers: Peers,
        clock: Clock,
        make_gateway: Callable[[Address[FollowerInbox], int], Gateway],
    ) -> None:
        super().__init__(life)
        self._peers = peers
        self._authorised = self._begun = False
        self._clock = clock
        self._make_gateway = make_gateway
        self._writer = Writer(life.address.name, life.epoch)
        self._numbers = itertools.count(1)
        self._loaded = False
        self._resting: dict[str, dict[str, Copy]] = {}
        self._ended: dict[str, Order] = {}
        self._due: deque[tuple[Order, Copy]] = deque()
        self._waiting: dict[CopyId, tuple[Order, Copy]] = {}
        self._in_flight: dict[int, _Flight] = {}
        self._tries: dict[str, int] = {}
        self._cancelled = 0

    def set_up(self) -> None:
        """Ask for a token. The open orders are loaded once there is one."""
        self._gateway = self._make_gateway(self.address, self.epoch)
        self._peers.tokens.tell(WantToken(self.address.name, self.address))
        self.health.state = QUARANTINED

    def tear_down(self) -> None:
        """Close the connections."""
        if hasattr(self, "_gateway"):
            self._gateway.close()

    def receive(self, message: FollowerInbox) -> None:
        """See which leader orders have ended."""
        match message:
            case CopiesLoaded(copies) if not self._loaded:
                self._loaded = True
                for copy in copies:
                    if copy.is_open and copy.part is not Part.FLATTEN:
                        self._resting.setdefault(copy.leader_order_id, {})[copy.correlation_id] = copy
                self._subscribe()
            case BookSnapshot(account, orders):
                for order in orders:
                    self._see(account, order)
            case OrderUpdated(account, order):
                self._see(account, order)
            case PermitDelayed(_, lane, seconds):
                waiting = [leader.id for leader, _ in self._due]
                order_log.rate_limited(self.address.name, lane, seconds, waiting, is_long=False)
            case PermitGranted(permit):
                self._send(permit)
            case RequestFinished() if message.epoch == self.epoch:
                self._finish(message)
            case Retry(copy_id, epoch) if epoch == self.epoch:
                self._try_again(copy_id)
            case TokenReplaced(_, token):
                self._take_token(token)
            case TokenLost():
                self._authorised = False
            case ActorUp(name):
                self._on_actor_up(name)
            case Drain(reply_to):
                reply_to.tell(Drained(self.address.name))
            case _:
                pass

    def figures(self) -> dict[str, Figure]:
        """Return how many orders are open, and how many have been cancelled."""
        return {"open": sum(map(len, self._resting.values())), "cancelled": self._cancelled}

    def _take_token(self, token: SecretStr) -> None:
        self._gateway.take_token(token)
        was_authorised, self._authorised = self._authorised, True
        if not self._begun:
            self._begun = True
            self._peers.store.tell(LoadCopies(self.address.name, self._writer, self.address, self._peers.leader_names))
        elif not was_authorised:
            for _ in range(len(self._due)):
                self._ask()

    def _subscribe(self) -> None:
        for feed in self._peers.feeds:
            feed.tell(Subscribe(self.address))

    def _on_actor_up(self, name: str) -> None:
        """Ask a restarted peer again for what its predecessor may not have answered."""
        if name == self._peers.tokens.name:
            self._peers.tokens.tell(WantToken(self.address.name, self.address))
        elif name == self._peers.store.name and self._begun and not self._loaded:
            self._peers.store.tell(LoadCopies(self.address.name, self._writer, self.address, self._peers.leader_names))
        elif any(name == feed.name for feed in self._peers.feeds) and self._loaded:
            self._subscribe()
        elif name == self._peers.limiter.name:
            for _ in self._due:
                self._ask()

    def _see(self, account: str, order: Order) -> None:
        if not self._loaded:
            return  # meant for the predecessor; all is told again once the open orders are loaded
        if account not in self._peers.leaders:
            self._see_own(order)
        elif self._resting.get(order.id) and self._has_ended(order):
            self._ended[order.id] = order
            for copy in list(self._resting[order.id].values()):
                self._call_off(copy)

    def _has_ended(self, order: Order) -> bool:
        """Whether a leader order has ended unfilled and was not known to have."""
        return order.is_terminal and order.status is not Status.TRADED and order.id not in self._ended

    def _see_own(self, order: Order) -> None:
        """Learn the id of an order that was sent just before the follower died, or that an order has ended."""
        named = order_of(order.correlation_id)
        if named and order.is_terminal:
            self._waiting.pop(named, None)
        copy = self._resting.get(named[0], {}).get(order.correlation_id) if named else None
        if copy is None:
            return
        if order.is_terminal:
            del self._resting[copy.leader_order_id][copy.correlation_id]
        elif not copy.order_id:
            copy = replace(copy, order_id=order.id)
            self._resting[copy.leader_order_id][copy.correlation_id] = copy
            if copy.leader_order_id in self._ended:
                self._call_off(copy)

    def _call_off(self, copy: Copy) -> None:
        """Cancel a copy whose leader order has ended. One without an id is cancelled once its id is known."""
        if copy.order_id:
            del self._resting[copy.leader_order_id][copy.correlation_id]
            self._due.append((self._ended[copy.leader_order_id], copy))
            self._ask()
        else:
            self._alert(copy)

    def _alert(self, copy: Copy) -> None:
        who = order_log.who(copy), fields(id=copy.correlation_id)
        alert(
            "uncancelled", self.address.name, "Order of a quarantined follower may rest, cancel it by hand {} {}", *who
        )

    def _ask(self) -> None:
        permit = PermitId(self.epoch, next(self._numbers))
        self._peers.limiter.tell(RequestPermit(self.address.name, permit, Lane.CANCEL, self.address))

    def _send(self, permit: PermitId) -> None:
        if not self._due or not self._authorised:
            self._peers.limiter.tell(ReleasePermit(self.address.name, permit))
            return
        leader, copy = self._due.popleft()
        copy = transitions.cancelling(copy, Cancel(copy.n))
        logger.info("Processing cancellation for leader order: {} {}", leader.id, order_log.who(copy))
        token = next(self._numbers)
        self._in_flight[token] = _Flight(leader, copy, permit)
        self._gateway.send(token, CancelOrder(copy.order_id), Lane.CANCEL)
        self._gateway.listen(token)

    def _finish(self, finished: RequestFinished) -> None:
        flight = self._in_flight.pop(finished.token)
        self._peers.limiter.tell(SettlePermit(self.address.name, flight.permit, finished.finished))
        action, copy = Cancel(flight.copy.n), flight.copy
        audit = audit_of(self.address.name, action, finished.outcome.exchange)
        match finished.outcome:
            case Accepted():
                copy = transitions.cancel_accepted(copy)
                self._cancelled += 1
                order_log.cancelled(copy)
            case Refused(Refusal.TOKEN):
                self._due.append((flight.leader, copy))
                if self._authorised:
                    self._authorised = False
                    self._peers.tokens.tell(CheckToken(self.address.name, refused=True))
            case Refused(_, code, text):
                self._again(flight, f"{code} {text}".strip())
            case unknown:
                self._again(flight, f"outcome unknown: {unknown.cause}")
        self._peers.store.tell(Write((audit, CopyChanged(copy, flight.leader, wall_clock.now())), self._writer))

    def _again(self, flight: _Flight, error: str) -> None:
        copy = flight.copy
        order_log.failed(Cancel(copy.n), copy, error)
        tries = self._tries[copy.order_id] = self._tries.get(copy.order_id, 0) + 1
        if tries == TRIES:
            self._alert(copy)
        copy_id = copy.leader_order_id, copy.n
        self._waiting[copy_id] = flight.leader, copy
        self._clock.tell_later(pause(tries), self.address, Retry(copy_id, self.epoch))

    def _try_again(self, copy_id: CopyId) -> None:
        """Repeat a cancellation that was refused, unless the order is known to have ended meanwhile."""
        if waiting := self._waiting.pop(copy_id, None):
            self._due.append(waiting)
            self._ask()
