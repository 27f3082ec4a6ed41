"""A follower's desk: everything it knows about the leader's orders and its own copies, and what it wants to do next.

Pure: it is told what happened and asked what to do. Whoever sits at it sends, records and logs.
"""

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from copytrade import lifecycle
from copytrade.book import merge
from copytrade.budget import Lane
from copytrade.copies import Copy, Stage
from copytrade.instruments import Instruments
from copytrade.mirror import Cancel, Decision, Lookup, Modify, Place, Policy, Situation, Skip, decide
from copytrade.orders import Order, trade_date
from copytrade.sizing import Capitals

Action = Place | Modify | Cancel

#: Seconds after which an order that the broker took a cancellation for, and that still rests, is cancelled again.
CANCEL_PATIENCE = 5.0

_LANES = {Cancel: Lane.CANCEL, Modify: Lane.MODIFY, Place: Lane.ENTRY}


@dataclass(frozen=True, slots=True)
class Changed:
    """A copy is not what it was."""

    before: Copy
    after: Copy
    leader: Order


@dataclass(frozen=True, slots=True)
class Considered:
    """What came of deciding: copies that will not be made, and copies whose own order has to be read."""

    skipped: list[Changed]
    in_doubt: list[str]


class Desk:
    """The copies of one follower, by leader order id.

    News mark a leader order dirty; ``consider`` decides what is dirty; what then asks for a request is *wanted*, until
    ``pick`` takes the most urgent. A leader order is *busy* from ``begin`` to ``settle``, and *held* while a request
    that could not be made waits for its next try; neither is decided meanwhile.
    """

    def __init__(self, follower: str, policy: Policy, capitals: Capitals) -> None:
        self._follower = follower
        self._policy = policy
        self._capitals = capitals
        self._instruments: Instruments | None = None
        self._gate_open = False
        self._orders: dict[str, Order] = {}
        self._received: dict[str, float | None] = {}
        self._copies: dict[str, Copy] = {}
        self._by_correlation: dict[str, str] = {}
        self._dirty: dict[str, None] = {}
        self._wanted: dict[str, Lane] = {}
        self._busy: dict[str, str] = {}
        self._held: set[str] = set()
        self._doubted: dict[str, float] = {}
        self._in_doubt: set[str] = set()
        self._live: set[str] = set()

    # What is known around the orders; each change makes every order worth another look.

    def load(self, copies: Iterable[Copy], copying_since: datetime) -> None:
        """Take over the copies from the database. What was under way when they were written is in doubt."""
        self._policy = replace(self._policy, copying_since=copying_since)
        for copy in sorted(copies, key=lambda copy: copy.n):
            self._keep(lifecycle.reloaded(copy))
            if copy.correlation_id:
                self._by_correlation[copy.correlation_id] = copy.leader_order_id
        self.look_again()

    def know_instruments(self, instruments: Instruments) -> None:
        """Take the instrument master."""
        self._instruments = instruments
        self.look_again()

    def know_leader_capital(self, capital: Decimal) -> None:
        """Take the leader's start-of-day capital; a figure that is already known stays for the day."""
        self._capitals = Capitals(self._capitals.leader or capital, self._capitals.follower)
        self.look_again()

    def know_capital(self, capital: Decimal) -> None:
        """Take the follower's start-of-day capital; a figure that is already known stays for the day."""
        self._capitals = Capitals(self._capitals.leader, self._capitals.follower or capital)
        self.look_again()

    def set_gate(self, *, is_open: bool) -> None:
        """Open or close the entry gate."""
        self._gate_open = is_open
        self.look_again()

    def look_again(self) -> None:
        """Mark every leader order dirty whose copy is not settled."""
        for order_id in self._orders:
            copy = self._copies.get(order_id)
            if copy is None or not copy.is_settled:
                self._dirty[order_id] = None

    # News.

    def leader_changed(self, order: Order, received: float | None) -> Changed | None:
        """Take the leader's order as it is now; ``received`` is the monotonic time of a live update, else None."""
        known = self._orders.get(order.id)
        if known is None:
            self._received[order.id] = received
        else:
            order = merge(known, order)
        self._orders[order.id] = order
        self._dirty[order.id] = None
        if order.is_terminal:
            self._held.discard(order.id)  # a cancellation does not wait for what else had to be tried again
        copy = self._copies.get(order.id)
        if copy is None or not copy.n:
            return None
        return self._change(copy, lifecycle.with_leader(copy, order), order)

    def own_changed(self, order: Order) -> Changed | None:
        """Take the broker's word about one of this account's orders; None if it is none of our copies."""
        leader_order_id = self._by_correlation.get(order.correlation_id)
        if leader_order_id is None:
            return None
        copy = self._copies[leader_order_id]
        leader = self._orders.get(leader_order_id)
        if leader is not None and lifecycle.is_foreign(order, leader):
            return None
        self._held.discard(leader_order_id)
        self._dirty[leader_order_id] = None
        after = lifecycle.observed(copy, order, leader, busy=leader_order_id in self._busy)
        return self._change(copy, after, leader or _as_leader(copy, order))

    # Deciding.

    def consider(self, now: datetime) -> Considered:
        """Decide every dirty order."""
        considered = Considered([], [])
        dirty, self._dirty = self._dirty, {}
        for order_id in dirty:
            self._wanted.pop(order_id, None)
            leader = self._orders.get(order_id)
            if leader is None or order_id in self._busy or order_id in self._held:
                continue
            decision = self._decide(leader, now)
            match decision:
                case Place() | Modify() | Cancel():
                    self._wanted[order_id] = _LANES[type(decision)]
                case Lookup():
                    considered.in_doubt.append(order_id)
                case Skip() if self._is_news(leader, decision):
                    considered.skipped.append(self.skip(order_id, decision, now))
                case _:
                    pass
        return considered

    def lane(self) -> Lane | None:
        """Return the most urgent lane in which something could be sent now, None if there is nothing."""
        return min((self._wanted[order_id] for order_id in self._ready()), default=None)

    def pick(self, now: datetime) -> tuple[Order, Action] | None:
        """Return the most urgent leader order and what to send for it, decided afresh; None if nothing is left."""
        first_seen = {order_id: number for number, order_id in enumerate(self._received)}
        for order_id in sorted(self._ready(), key=lambda order_id: (self._wanted[order_id], first_seen[order_id])):
            leader = self._orders[order_id]
            decision = self._decide(leader, now)
            del self._wanted[order_id]
            if isinstance(decision, Place | Modify | Cancel):
                return leader, decision
            self._dirty[order_id] = None
        return None

    def is_overtaken(self, order_id: str, action: Action) -> bool:
        """Whether the leader's order has ended while a request for it was on its way to the sender."""
        leader = self._orders[order_id]
        if isinstance(action, Place):
            return leader.is_terminal and not leader.filled_quantity
        return isinstance(action, Modify) and leader.is_terminal

    # What is done.

    def begin(self, leader: Order, action: Action, strategy: str, now: datetime) -> Changed:
        """Note that a request is under way. Raises ValueError where no correlation id fits the leader's order id."""
        copy = self._copy(leader, now)
        match action:
            case Place():
                after = lifecycle.placing(lifecycle.with_leader(copy, leader), action, strategy)
                self._by_correlation[after.correlation_id] = leader.id
            case Modify():
                after = lifecycle.modifying(copy, action)
            case Cancel():
                after = lifecycle.cancelling(copy)
        self._busy[leader.id] = self.underlying(leader) if isinstance(action, Place) else ""
        return self._change(copy, after, leader)

    def book_read(self, began: float, order_ids: Set[str]) -> list[Changed]:
        """Take note of a complete read of our own book, begun at a monotonic time: it ends doubts older than that."""
        resolved = []
        for leader_order_id in sorted(self._in_doubt):
            copy = self._copies[leader_order_id]
            leader = self._orders.get(leader_order_id)
            if leader is None or copy.order_id not in order_ids:
                continue
            if self._doubted.get(leader_order_id, 0.0) < began:
                self._held.discard(leader_order_id)
                resolved.append(self._change(copy, lifecycle.was_read(copy), leader))
        for leader_order_id in sorted(self._live):
            copy = self._copies[leader_order_id]
            leader = self._orders.get(leader_order_id)
            overdue = began > self._doubted.get(leader_order_id, 0.0) + CANCEL_PATIENCE
            if leader is not None and copy.cancel_sent and overdue and copy.order_id in order_ids:
                resolved.append(self._change(copy, lifecycle.cancel_came_to_nothing(copy), leader))
        self.look_again()
        return resolved

    def everything(self) -> list[tuple[Copy, Order]]:
        """Return every copy with its leader order, for writing all of it down again."""
        return [(copy, self._orders[order_id]) for order_id, copy in self._copies.items() if order_id in self._orders]

    def settle(self, order_id: str, after: Copy, at: float) -> Changed:
        """Note a request's outcome, known at a monotonic time: the copy as it is after it."""
        self._busy.pop(order_id, None)
        self._doubted[order_id] = at
        self._dirty[order_id] = None
        return self._change(self._copies[order_id], after, self._orders[order_id])

    def skip(self, order_id: str, skip: Skip, now: datetime) -> Changed:
        """Note that an order is not copied, and why."""
        leader = self._orders[order_id]
        copy = self._copy(leader, now)
        return self._change(copy, lifecycle.skipped(copy, skip), leader)

    def skip_entries(self, skip: Skip, now: datetime) -> list[Changed]:
        """Note that nothing that waits to be placed is copied, and why."""
        entries = [order_id for order_id, lane in self._wanted.items() if lane is Lane.ENTRY]
        for order_id in entries:
            del self._wanted[order_id]
        return [self.skip(order_id, skip, now) for order_id in entries]

    def hold(self, order_id: str) -> None:
        """Leave an order alone until ``release``."""
        self._held.add(order_id)

    def release(self, order_id: str) -> None:
        """Look at a held order again."""
        self._held.discard(order_id)
        self._dirty[order_id] = None

    # Looking around.

    def copy(self, order_id: str) -> Copy:
        """Return the copy of a leader order that has one."""
        return self._copies[order_id]

    def order(self, order_id: str) -> Order:
        """Return a leader order."""
        return self._orders[order_id]

    def received(self, order_id: str) -> float | None:
        """Return when the live feed first told of a leader order, in monotonic seconds; None if it was recovered."""
        return self._received[order_id]

    def underlying(self, leader: Order) -> str:
        """Return what the order's instrument is about: entries in it go out one after the other."""
        instrument = (self._instruments or {}).get(leader.key)
        return instrument.underlying if instrument else f"{leader.key.segment}:{leader.key.security_id}"

    @property
    def in_doubt(self) -> int:
        """How many copies there are of which we do not know what became."""
        return len(self._in_doubt)

    @property
    def open_copies(self) -> int:
        """How many copies rest at the broker."""
        return len(self._live)

    def _ready(self) -> Iterator[str]:
        placing = set(self._busy.values())
        for order_id, lane in self._wanted.items():
            if lane is not Lane.ENTRY or self.underlying(self._orders[order_id]) not in placing:
                yield order_id

    def _decide(self, leader: Order, now: datetime) -> Decision:
        situation = Situation(
            instrument=(self._instruments or {}).get(leader.key),
            master_read=self._instruments is not None,
            capitals=self._capitals,
            gate_open=self._gate_open,
        )
        return decide(leader, self._copy(leader, now), situation, self._policy, now)

    def _copy(self, leader: Order, now: datetime) -> Copy:
        copy = self._copies.get(leader.id)
        return copy or Copy(leader.id, self._follower, trade_date(leader), now, leader_quantity=leader.quantity)

    def _is_news(self, leader: Order, skip: Skip) -> bool:
        copy = self._copies.get(leader.id)
        return copy is None or copy.reason is not skip.reason

    def _change(self, before: Copy, after: Copy, leader: Order) -> Changed:
        self._keep(after)
        return Changed(before, after, leader)

    def _keep(self, copy: Copy) -> None:
        self._copies[copy.leader_order_id] = copy
        for stage, members in ((Stage.UNKNOWN, self._in_doubt), (Stage.LIVE, self._live)):
            (members.add if copy.stage is stage else members.discard)(copy.leader_order_id)


def _as_leader(copy: Copy, order: Order) -> Order:
    """Stand in for a leader order of which nothing has been read yet since the start."""
    return replace(order, id=copy.leader_order_id, quantity=copy.leader_quantity, average_price=copy.leader_price)
