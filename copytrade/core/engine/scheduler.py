"""What a follower does next: decides every marked leader order, and picks the most urgent request."""

from datetime import datetime
from functools import partial

import msgspec

from copytrade.core.decide.decide import decide
from copytrade.core.decide.decisions import (
    Action,
    Cancel,
    Decision,
    Done,
    Flag,
    Modify,
    Place,
    Skip,
    Wait,
    not_grouped,
)
from copytrade.core.engine.allocator import Allocator
from copytrade.core.engine.context import Context
from copytrade.core.engine.copies import dry_run as shadow
from copytrade.core.engine.copies import transitions
from copytrade.core.engine.copies.copy_book import Changed, CopyBook
from copytrade.core.engine.copies.holds import Holds
from copytrade.core.engine.copies.lookups import SHOWN_WITHIN, Looks
from copytrade.core.engine.copies.unknown_outcomes import UnknownOutcomes
from copytrade.core.engine.exits.shares import Basis, Shares
from copytrade.core.engine.flattener import Flattener
from copytrade.core.engine.invalidation import Invalidation
from copytrade.core.engine.leader_orders import LeaderOrders
from copytrade.core.engine.work_queue import WorkQueue
from copytrade.core.ledger import closing_orders as closing
from copytrade.core.ledger.positions import Positions
from copytrade.core.model.copies import CopyId, Stage
from copytrade.core.model.lane import Lane
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import Order, Status
from copytrade.core.model.reasons import Reason


class Considered(msgspec.Struct, frozen=True):
    """The outcome of deciding: changed copies (skipped or flagged), copies to read now, and when to decide again.

    ``wanted`` are the leader orders for which a request is to be sent.
    """

    changed: list[Changed]
    in_doubt: list[CopyId]
    wake: list[tuple[str, datetime]]
    wanted: list[str]


class Scheduler:
    """Decides marked orders, and keeps a decision for ``pick`` as long as time and order are the same."""

    def __init__(
        self,
        orders: LeaderOrders,
        positions: Positions,
        copy_book: CopyBook,
        context: Context,
        flattener: Flattener,
        work_queue: WorkQueue,
        invalidation: Invalidation,
        unknown_outcomes: UnknownOutcomes,
        holds: Holds,
        looks: Looks,
        shares: Shares,
    ) -> None:
        self._orders = orders
        self._positions = positions
        self._copy_book = copy_book
        self._context = context
        self._flattener = flattener
        self._work_queue = work_queue
        self._invalidation = invalidation
        self._unknown_outcomes = unknown_outcomes
        self._holds = holds
        self._looks = looks
        self._shares = shares
        self._allocator = Allocator(orders, positions, copy_book, context, shares)
        #: What each order's last decision took from its line.
        self._bases: dict[str, Basis] = {}
        #: How many orders have been decided.
        self.decisions = 0
        self._decided: dict[str, tuple[datetime, Action]] = {}

    def consider(self, now: datetime) -> Considered:
        """Decide every marked order."""
        considered = Considered([], [], [], [])
        if self._decided and next(iter(self._decided.values()))[0] != now:
            self._decided.clear()  # of another time, and not fresh any more
        if self._flattener.is_at_work:
            self._flattener.go_on(now)
        while marked := self._work_queue.take_marked():  # a decision may concern the other legs of its group
            for order_id, on_its_own in marked.items():
                leader = self._orders.get(order_id)
                if leader is not None and (on_its_own or self._is_concerned(leader)):
                    self._work_queue.want_nothing(order_id)
                    self._note(leader, self._decide(leader, now), considered, now)
        return considered

    def forget(self) -> None:
        """Forget what decisions took from their lines, for orders that are forgotten."""
        self._bases = {order_id: basis for order_id, basis in self._bases.items() if order_id in self._orders}
        self._invalidation.forget()

    def _is_concerned(self, leader: Order) -> bool:
        """Whether a change of other orders of its line may change the decision about an order."""
        if self._invalidation.merely_rests(leader):
            return False
        if self._context.is_limited or self._flattener.is_at_work:
            return True
        basis = self._shares.basis(leader)
        return basis is None or basis != self._bases.get(leader.id)

    def _note(self, leader: Order, decision: Decision, considered: Considered, now: datetime) -> None:
        match decision:
            case Place() | Modify() | Cancel():
                underlying = self._context.underlying(leader)
                self._work_queue.want(leader.id, self.lane_of(leader, decision), underlying)
                considered.wanted.append(leader.id)
                self._decided[leader.id] = now, decision
                self._invalidation.groups.mark_sold(leader)
            case Flag(n):
                copy = self._copy_book.copy((leader.id, n))
                considered.changed.append(self._copy_book.change(copy, transitions.flagged(copy, decision), leader))
                self._note(leader, self._decide(leader, now), considered, now)
                return
            case Done() if self._invalidation.is_settled(leader):
                self._positions.retire(leader.id)
                self._bases.pop(leader.id, None)
                self._invalidation.is_over(leader.id)
                self._work_queue.rest(leader.id)
                self._holds.forget(leader.id)
            case Skip():
                considered.changed.extend(self._copy_book.skip(leader, decision, now))
            case _:
                pass
        until = self._again_at(leader, decision, considered, now)
        if until is not None and self._work_queue.wake(leader.id, until):
            considered.wake.append((leader.id, until))

    def _again_at(self, leader: Order, decision: Decision, considered: Considered, now: datetime) -> datetime | None:
        """Return when to decide an order again for which nothing is sent now, None if only a change can matter."""
        if isinstance(decision, Place | Modify | Cancel):
            return None
        moments = [self._holds.end(leader.id, now), *self._look(leader, considered, now)]
        if isinstance(decision, Wait | Skip):
            moments.append(decision.until)
        return min((moment for moment in moments if moment is not None), default=None)

    def _look(self, leader: Order, considered: Considered, now: datetime) -> list[datetime]:
        """Add the copies whose outcome is unknown and due to be read; return when to read each again."""
        if self._context.dry_run or self._orders.is_set_aside(leader.id):
            return []
        moments = []
        for copy in self._copy_book.of(leader.id):
            copy_id = leader.id, copy.n
            if self._work_queue.is_under_way(copy_id):
                continue
            if copy.stage is Stage.UNKNOWN or copy.awaits_sight:
                wait = 0.0 if copy.stage is Stage.UNKNOWN else SHOWN_WITHIN
                window = self._unknown_outcomes.searched_after if copy.order_id else self._unknown_outcomes.window
                if self._looks.take(copy_id, now, window, wait):
                    considered.in_doubt.append(copy_id)
                moments.append(self._looks.due(copy_id))
            elif copy.n:
                self._looks.end(copy_id)
        return moments

    def _is_held(self, leader: Order, action: Action, now: datetime) -> bool:
        """Whether a request failed before, and its next try has to wait."""
        part = action.part if isinstance(action, Place) else self._copy_book.copy((leader.id, action.n)).part
        return self._holds.is_held(leader.id, action, now, is_exit=part is not Part.ENTRY)

    def _decide(self, leader: Order, now: datetime) -> Decision:
        self._work_queue.subject = leader.id
        self.decisions += 1
        if self._orders.is_set_aside(leader.id):
            if self._copy_book.is_sent(leader.id):
                return Done()
            return Skip(Reason.POISON, "the follower crashed over it again and again")
        copies, policy = self._copy_book.of(leader.id), self._context.of(leader.leader).policy
        under_way = self._work_queue.waiting(leader.id)
        inputs = self._context.inputs(
            leader,
            under_way,
            lambda action: self._is_held(leader, action, now),
            now,
            self._orders.piece_at(leader.id),
            not_grouped if policy.groups is None else partial(self._invalidation.groups.of, leader),
        )
        if closing.is_closing(leader.id):
            return self._flattener.decide(leader, copies, inputs, policy, now)
        if self._context.dry_run and any(copy.is_open and not shadow.is_shadow(copy) for copy in copies):
            return Wait("nothing is sent, and what rests at the broker is left as it is")
        if self._flattener.concerns(leader.leader):
            return self._flattener.call_off(leader.leader, copies, inputs)
        allocated = self._allocator.allocate(leader, copies, inputs, now)
        first = allocated.exits_first if allocated is not None else None
        if (basis := self._shares.basis(leader, exits_first=first)) is not None:
            self._bases[leader.id] = basis
        return decide(leader, copies, allocated, inputs, policy, now)

    def lane(self) -> Lane | None:
        """Return the most urgent lane in which something could be sent now, None if there is nothing."""
        following = self._work_queue.next()
        return following[1] if following else None

    def pick(self, now: datetime) -> tuple[Order, Action] | None:
        """Return the most urgent leader order and what to send for it, decided again; None if nothing is left.

        A decision that ``consider`` made at the same ``now`` is used as it is.
        """
        while following := self._work_queue.next():
            order_id, _ = following
            leader = self._orders[order_id]
            decision = self._decided_at(order_id, now) or self._decide(leader, now)
            self._work_queue.take(order_id)
            if isinstance(decision, Place | Modify | Cancel):
                return leader, decision
        return None

    def _decided_at(self, order_id: str, now: datetime) -> Decision | None:
        at, decision = self._decided.pop(order_id, (None, None))
        return decision if at == now and not self._work_queue.is_marked(order_id) else None

    def was_taken(self) -> None:
        """Note that a request begins: with limits, decisions that were made without it are dropped."""
        if self._context.is_limited:
            self._decided.clear()

    def is_overtaken(self, order_id: str, action: Action) -> bool:
        """Whether a request is obsolete because the leader's order has ended since it was decided."""
        leader = self._orders[order_id]
        if self._flattener.concerns(leader.leader) and isinstance(action, Place) and action.part is Part.ENTRY:
            return True
        if not leader.is_terminal or leader.status is Status.TRADED:
            return False
        if isinstance(action, Place):
            return not leader.filled_quantity
        return isinstance(action, Modify) and self._copy_book.copy((order_id, action.n)).part is Part.ENTRY

    def skip_unsent(self, skip: Skip, now: datetime) -> list[Changed]:
        """Record why nothing that waits to be placed is copied; exits keep waiting all the same."""
        waiting = [*self._work_queue.take_entries(), *self._work_queue.exits()]
        unsent = [order_id for order_id in waiting if not self._copy_book.is_sent(order_id)]
        return [changed for order_id in unsent for changed in self._copy_book.skip(self._orders[order_id], skip, now)]

    def waiting_in(self, lane: Lane) -> list[str]:
        """Return the leader orders with a request waiting in a lane or a less urgent one."""
        return self._work_queue.wanted_in(lane)

    def note_waiting(self, lane: Lane, skip: Skip, now: datetime) -> list[Changed]:
        """Record why requests in a lane or a less urgent one have not been sent yet; they keep waiting."""
        unsent = [order_id for order_id in self._work_queue.wanted_in(lane) if not self._copy_book.is_sent(order_id)]
        return [changed for order_id in unsent for changed in self._copy_book.skip(self._orders[order_id], skip, now)]

    def lane_of(self, leader: Order, action: Action) -> Lane:
        """Return how urgent a request is."""
        match action:
            case Cancel():
                return Lane.CANCEL
            case Place(part=part):
                return Lane.ENTRY if part is Part.ENTRY else Lane.EXIT
            case Modify(n):
                return Lane.MODIFY if self._copy_book.copy((leader.id, n)).part is Part.ENTRY else Lane.EXIT
