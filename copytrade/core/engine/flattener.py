"""Closing everything: which copies to cancel, which lines to close, and when it is over."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from copytrade.core.decide import flatten
from copytrade.core.decide.decide import decide
from copytrade.core.decide.decisions import Allocated, Decision, DecisionInput, Policy, Wait
from copytrade.core.engine.copies.copy_book import CopyBook
from copytrade.core.engine.leader_orders import LeaderOrders, as_leader
from copytrade.core.engine.work_queue import WorkQueue
from copytrade.core.ledger import closing_orders as closing
from copytrade.core.ledger.closing_orders import Closed
from copytrade.core.ledger.positions import Positions
from copytrade.core.model.copies import Copy, Stage
from copytrade.core.model.instruments import Instrument
from copytrade.core.model.ledger import Allocation, Line, LineKey, Part, line_of
from copytrade.core.model.orders import IST, InstrumentKey, Order
from copytrade.core.model.reasons import Reason


class Flattener:
    """Has every copy cancelled, and what is held by copying closed by one order a line.

    With ``for_good`` the engine does nothing else: nothing is copied.
    """

    def __init__(
        self,
        orders: LeaderOrders,
        positions: Positions,
        copy_book: CopyBook,
        work_queue: WorkQueue,
        *,
        for_good: bool = False,
    ) -> None:
        self._orders = orders
        self._positions = positions
        self._copy_book = copy_book
        self._work_queue = work_queue
        self._for_good = for_good
        self._leaves = False
        #: The leaders whose copies are closed, None for all.
        self._only: set[str] | None = None
        self._lines: dict[LineKey, str] = {}
        self._called_off_before = 0
        #: Whether copying is suspended, and whether the outcome of closing is yet to be taken.
        self.is_at_work = for_good
        self.is_awaited = False

    def begin(self, *, leaves: bool = False, leader: str | None = None) -> None:
        """Begin to close everything, or what is copied of one leader, or go on.

        With ``leaves`` copies are cancelled and what is held stays.
        """
        self._leaves = leaves
        if not self.is_awaited:
            self._called_off_before = self._called_off()
            self._only = None if leader is None else {leader}
        elif leader is None:
            self._only = None
        elif self._only is not None:
            self._only.add(leader)
        self.is_at_work = self.is_awaited = True

    def concerns(self, leader: str) -> bool:
        """Whether copying a leader is suspended."""
        return self.is_at_work and (self._for_good or self._closes_for(leader))

    def _closes_for(self, leader: str) -> bool:
        return self._only is None or leader in self._only

    def reload(self, allocations: Iterable[Allocation]) -> None:
        """Take over closing orders from the database; if one may be live, closing goes on."""
        for allocation in allocations:
            if not closing.is_closing(allocation.leader_order_id):
                continue
            if any(copy.is_open for copy in self._copy_book.of(allocation.leader_order_id)):
                self.begin(leader=allocation.line.leader or None)
                self._close(allocation)
            else:
                self._stand_in(closing.order_of(allocation, None))

    def go_on(self, now: datetime) -> None:
        """Close every line on which no copy is live any more."""
        for copy in self._without_leader():
            if copy.order is not None:
                self._stand_in(as_leader(copy, copy.order))
        for allocation in self._due(now):
            self._close(allocation)

    def _close(self, allocation: Allocation) -> None:
        """Create the order that closes a line."""
        self._lines[allocation.line] = allocation.leader_order_id
        self._stand_in(closing.order_of(allocation, self._last_price(allocation)))

    def _stand_in(self, order: Order) -> None:
        self._orders.stand_in(order)
        self._work_queue.mark([order.id])

    def call_off(self, leader: str, copies: Sequence[Copy], inputs: DecisionInput) -> Decision:
        """Decide about the copies of a leader's order while copying is suspended."""
        if self.is_awaited and self._closes_for(leader):
            return flatten.called_off(copies, inputs)
        return Wait("nothing is copied here")

    def decide(
        self, leader: Order, copies: Sequence[Copy], inputs: DecisionInput, policy: Policy, now: datetime
    ) -> Decision:
        """Decide about a closing order: no more than is held, and nothing once closing is over."""
        allocation = self._positions.ledger.allocation(leader.id)
        if allocation is None or not self._closes(leader.id):
            return flatten.overtaken(copies)
        total = self._positions.holdings.still_to_close(allocation, sum(copy.filled_quantity for copy in copies))
        inputs = replace(inputs, refused=None)
        line = self._positions.ledger.line(allocation.line)
        room = (
            self._positions.holdings.by_product(line)
            if line.elsewhere or any(copy.product for copy in copies)
            else None
        )
        closing_all = Allocated((Part.CLOSE,), closing=total, room=room)
        return decide(leader, copies, closing_all, inputs, policy, now)

    def _last_price(self, allocation: Allocation) -> Decimal | None:
        known = (order for order in self._orders.values() if order.key == allocation.line.key)
        return next((order.last_price for order in known if order.last_price), None)

    def _closes(self, order_id: str) -> bool:
        """Whether a closing order is the current one of its line."""
        return self.is_awaited and order_id in self._lines.values()

    def _without_leader(self) -> list[Copy]:
        """Return copies that may be live and whose leader order is unknown, if the engine only closes."""
        if not (self._for_good and self.is_awaited):
            return []
        unled = (copy for copy in self._meant() if copy.leader_order_id not in self._orders)
        return [copy for copy in unled if copy.is_open and self._positions.holdings.account.was_told_of(copy.order_id)]

    def _due(self, now: datetime) -> list[Allocation]:
        """Return an allocation for each held line on which no copy is live, to close it."""
        if self._leaves or not (self.is_awaited and self._positions.holdings.are_known):
            return []
        busy = {self._line_of(copy.leader_order_id) for copy in self._live(now)}
        lines = [line for line in self._held() if line.key not in busy and self._wants_another(line)]
        return [self._positions.holdings.close(line, now) for line in lines]

    def _held(self) -> list[Line]:
        return [line for line in self._positions.holdings.lines_held() if self._closes_for(line.key.leader)]

    def _meant(self) -> list[Copy]:
        return [copy for copy in self._copy_book if self._closes_for(copy.leader)]

    def _live(self, now: datetime) -> list[Copy]:
        """Return the copies that may be live; not one that seems done, nor an unshown one of an earlier day."""
        today = now.astimezone(IST).date()
        return [
            copy
            for copy in self._meant()
            if copy.is_open
            and not copy.seems_done
            and (
                copy.created_at.astimezone(IST).date() >= today
                or self._positions.holdings.account.was_told_of(copy.order_id)
            )
        ]

    def _line_of(self, order_id: str) -> LineKey | None:
        """Return the line of a leader order, from the order itself or from the database."""
        if order := self._orders.get(order_id):
            return line_of(order)
        allocation = self._positions.ledger.allocation(order_id)
        return allocation.line if allocation else None

    def _wants_another(self, line: Line) -> bool:
        """Whether a held line needs a closing order: it has had none, or more was filled after the last."""
        copies = self._of(line.key)
        if line.key not in self._lines:
            return True
        return bool(copies) and all(copy.stage is Stage.ENDED and not copy.is_final for copy in copies)

    def take_outcome(self, instruments: Mapping[InstrumentKey, Instrument], now: datetime) -> Closed | None:
        """Return the outcome of closing, once; None while it goes on, and if nothing is being closed."""
        if not (self.is_awaited and self._positions.holdings.are_known):
            return None
        held = self._held()
        if self._live(now):
            return None
        if self._leaves:
            return self._leave(held, instruments)
        if not all(self._has_failed(line.key) for line in held):
            return None
        left = [f"{line.held} {_name(line.key, instruments)} ({self._why_left(line.key)})" for line in held]
        closed = [f"{done} {_name(key, instruments)}" for key in self._lines if (done := self._filled(key))]
        for key in self._lines:
            self._positions.holdings.closed(key)
        self._work_queue.mark(self._lines.values())  # what has not been sent of them is not any more
        self._lines.clear()
        self.is_at_work, self.is_awaited = self._for_good, False
        return Closed(self._called_off() - self._called_off_before, tuple(closed), tuple(left))

    def _leave(self, held: Sequence[Line], instruments: Mapping[InstrumentKey, Instrument]) -> Closed:
        """Take nothing as copied any more, now that nothing rests."""
        for line in held:
            self._positions.holdings.leave(line)
        self.is_at_work, self.is_awaited, self._leaves = self._for_good, False, False
        left = tuple(f"{line.held} {_name(line.key, instruments)} ({line.key.key.security_id})" for line in held)
        return Closed(self._called_off() - self._called_off_before, (), (), left)

    def _has_failed(self, key: LineKey) -> bool:
        """Whether the closing order of a line has failed or may not be sent."""
        return any(copy.is_final or (copy.stage is Stage.NONE and copy.reason is not None) for copy in self._of(key))

    def _called_off(self) -> int:
        return sum(copy.reason is Reason.FLATTENED for copy in self._copy_book)

    def _filled(self, key: LineKey) -> int:
        return sum(copy.filled_quantity for copy in self._of(key))

    def _why_left(self, key: LineKey) -> str:
        return next((f"{copy.reason}: {copy.error}" for copy in self._of(key) if copy.reason is not None), "not closed")

    def _of(self, key: LineKey) -> Sequence[Copy]:
        """Return the copies of the order that closes a line."""
        return self._copy_book.of(self._lines.get(key, ""))


def _name(key: LineKey, instruments: Mapping[InstrumentKey, Instrument]) -> str:
    instrument = instruments.get(key.key)
    return instrument.symbol if instrument else f"{key.key.segment}:{key.key.security_id}"
