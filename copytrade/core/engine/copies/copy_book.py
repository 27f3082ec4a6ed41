"""All copies of one follower, by leader order and number and by the broker's ids.

A change of a copy is also counted in the ledger, in the limits used and in the unknown outcomes.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import msgspec

from copytrade.core.decide.case import LEADER_ENDED
from copytrade.core.decide.decisions import Skip
from copytrade.core.engine.copies import transitions
from copytrade.core.engine.copies.dry_run import is_shadow
from copytrade.core.engine.copies.limit_usage import LimitUsage
from copytrade.core.engine.copies.unknown_outcomes import UnknownOutcomes
from copytrade.core.ledger.positions import Positions
from copytrade.core.model.copies import Copy, CopyId, Stage
from copytrade.core.model.orders import IST, Order, order_of, trade_date
from copytrade.core.model.reasons import Reason


class Changed(msgspec.Struct, frozen=True):
    """A copy before and after a change."""

    before: Copy
    after: Copy
    leader: Order


class CopyBook:
    """The copies of one ``follower``."""

    def __init__(
        self, follower: str, positions: Positions, limit_usage: LimitUsage, unknown_outcomes: UnknownOutcomes
    ) -> None:
        self.follower = follower
        self._positions = positions
        self._limit_usage = limit_usage
        self._unknown_outcomes = unknown_outcomes
        self._copies: dict[str, tuple[Copy, ...]] = {}
        #: The leader order of each copy, by the broker's order id.
        self._leader_of: dict[str, str] = {}
        #: The copies that rest at the broker, and those whose last outcome is unknown.
        self.live: set[CopyId] = set()
        self.in_doubt: set[CopyId] = set()

    def __iter__(self) -> Iterator[Copy]:
        return (copy for copies in self._copies.values() for copy in copies)

    def of(self, order_id: str) -> Sequence[Copy]:
        """Return the copies of a leader order."""
        return self._copies.get(order_id, ())

    def copy(self, copy_id: CopyId) -> Copy:
        """Return a copy that exists."""
        copy = self.get(copy_id)
        if copy is None:
            raise KeyError(copy_id)
        return copy

    def get(self, copy_id: CopyId) -> Copy | None:
        """Return a copy, None if there is none of that number."""
        order_id, n = copy_id
        for copy in self.of(order_id):
            if copy.n == n:
                return copy
        return None

    def find(self, order: Order) -> Copy | None:
        """Return the copy that an order of the account is, by its ids; None if it is no copy."""
        for copy in self.of(self._leader_of.get(order.id, "")):
            if copy.order_id == order.id:
                return copy
        copy_id = self.named(order.correlation_id)
        return self.copy(copy_id) if copy_id else None

    def named(self, correlation_id: str) -> CopyId | None:
        """Return the copy to which a correlation id was given."""
        copy_id = order_of(correlation_id)
        copy = self.get(copy_id) if copy_id else None
        return copy_id if copy and copy.correlation_id == correlation_id else None

    def next_number(self, order_id: str) -> int:
        """Return the number of a further copy of a leader order."""
        return 1 + max(copy.n for copy in self._copies[order_id])

    def is_sent(self, order_id: str) -> bool:
        """Whether anything was sent for a leader order."""
        return any(copy.stage is not Stage.NONE for copy in self.of(order_id))

    def unsent(self, order_id: str) -> list[Copy]:
        """Return the copies that were not sent, or are to be sent again."""
        return [copy for copy in self.of(order_id) if copy.stage is Stage.NONE]

    def new(self, leader: Order, now: datetime) -> Copy:
        """Return a new copy, which is not kept yet."""
        day, quantity = trade_date(leader), leader.quantity
        return Copy(leader.id, self.follower, day, now, leader_quantity=quantity, leader=leader.leader)

    def skip(self, leader: Order, skip: Skip, now: datetime) -> list[Changed]:
        """Record why an order is not copied, if the reason is a new one."""
        unsent = self.unsent(leader.id) or [self.new(leader, now)]
        return [
            self.change(copy, transitions.skipped(copy, skip), leader)
            for copy in unsent
            if copy.reason is not skip.reason
        ]

    def skip_undecided(self, orders: Iterable[Order], now: datetime) -> list[Changed]:
        """Record why those of an earlier day are not copied: the copier ended before it decided them."""
        changed, today = list[Changed](), now.astimezone(IST).date()
        for order in (one for one in orders if trade_date(one) < today):
            ended = LEADER_ENDED.get(order.status) if not order.filled_quantity else None
            skip = Skip(
                ended or Reason.MISSED_TOO_OLD, f"the copier stopped on {trade_date(order)} before it was decided"
            )
            changed += self.skip(order, skip, now)
        return changed

    def forget_unsent(self, order_id: str) -> None:
        """Drop the reasons why nothing was sent for a leader order: a request begins."""
        self._positions.ledger.copies_changed(order_id)
        if sent := tuple(copy for copy in self.of(order_id) if copy.n):
            self._copies[order_id] = sent
        else:
            self._copies.pop(order_id, None)

    def forget(self, order_id: str) -> None:
        """Forget the copies of a leader order; all are over."""
        for copy in self._copies.pop(order_id, ()):
            self._leader_of.pop(copy.order_id, None)
            self._unknown_outcomes.forget((order_id, copy.n))
            self._unknown_outcomes.visibility.forget(copy.order_id)

    def change(self, before: Copy, after: Copy, leader: Order) -> Changed:
        """Keep a changed copy, and count its new fills."""
        if after.filled_quantity != before.filled_quantity:
            beside = sum(
                copy.filled_quantity for copy in self.of(leader.id) if copy.part is after.part and copy.n != after.n
            )
            self._positions.copy_filled(
                leader.id,
                after.part,
                beside + before.filled_quantity,
                beside + after.filled_quantity,
                after.product,
                is_late=before.stage is Stage.ENDED and leader.is_terminal and leader.filled_quantity > 0,
            )
        self.keep(after)
        return Changed(before, after, leader)

    def keep(self, copy: Copy) -> None:
        """Keep a copy whose fills the ledger has counted."""
        order_id, copies = copy.leader_order_id, self.of(copy.leader_order_id)
        copy_id = order_id, copy.n
        self._positions.ledger.copies_changed(order_id)
        if any(known.n == copy.n for known in copies):
            self._copies[order_id] = tuple(copy if known.n == copy.n else known for known in copies)
        else:
            self._copies[order_id] = (*copies, copy)
        if copy.order_id:
            self._leader_of[copy.order_id] = order_id
        self._limit_usage.count(copy_id, copy)
        if copy.stage is Stage.UNKNOWN and not copy.order_id:
            self._unknown_outcomes.begin(copy_id)
        else:
            self._unknown_outcomes.end(copy_id)
        is_awaited = copy.order is None or copy.awaits_end
        if copy.is_open and copy.order_id and is_awaited and not is_shadow(copy):
            self._unknown_outcomes.expect(copy_id, copy.order_id)
        else:
            self._unknown_outcomes.shown(copy_id)
        if copy.stage is Stage.ENDED:
            self._unknown_outcomes.forget(copy_id)
        for stage, members in ((Stage.UNKNOWN, self.in_doubt), (Stage.LIVE, self.live)):
            (members.add if copy.stage is stage else members.discard)(copy_id)
