"""Retention: a program that runs for weeks keeps today's orders and what may still matter, and forgets the rest.

Forgotten orders stay in the database and in the lines of the ledger. They must not come back as new: an unknown order
that ended before the day has been counted already.
"""

from collections.abc import Iterator, Set
from datetime import date, datetime, time, timedelta

import msgspec

from copytrade.core.decide.risk_limits import DAY_BEGINS
from copytrade.core.engine.context import Context
from copytrade.core.engine.copies.copy_book import CopyBook
from copytrade.core.engine.copies.holds import Holds
from copytrade.core.engine.copies.limit_usage import LimitUsage
from copytrade.core.engine.flattener import Flattener
from copytrade.core.engine.leader_orders import LeaderOrders
from copytrade.core.engine.work_queue import WorkQueue
from copytrade.core.ledger import closing_orders as closing
from copytrade.core.ledger.positions import Positions
from copytrade.core.model.copies import Copy
from copytrade.core.model.ledger import LineKey, Part
from copytrade.core.model.orders import Order, ended_before, trade_date

#: How far back a restart knows orders. What is older is not entered any more, whatever the settings say.
LOOK_BACK = timedelta(days=7)


class Forgotten(msgspec.Struct, frozen=True, gc=False):
    """Orders that ended before a ``day`` in India are forgotten, except the leader orders that are ``kept``."""

    day: date
    kept: frozenset[str] = frozenset()


class Retention:
    """Forgets finished leader orders and their copies, and finished orders of the account.

    A leader order is over when it has ended and been decided, no request is pending, wanted or awaited for it, no copy
    may be live, and it is too old to be entered. On a line that holds something, the exit that would close an overdue
    remainder is kept.
    """

    def __init__(
        self,
        orders: LeaderOrders,
        positions: Positions,
        copy_book: CopyBook,
        work_queue: WorkQueue,
        context: Context,
        flattener: Flattener,
        limit_usage: LimitUsage,
        holds: Holds,
    ) -> None:
        self._orders = orders
        self._positions = positions
        self._copy_book = copy_book
        self._work_queue = work_queue
        self._context = context
        self._flattener = flattener
        self._limit_usage = limit_usage
        self._holds = holds
        #: What has been forgotten, None before the first time.
        self.forgotten: Forgotten | None = None

    def forget_before(self, day: date) -> int:
        """Forget what was over before a day; return how many more leader orders are forgotten.

        Everything the broker shows of the days before must have been taken in.
        """
        if not self._are_positions_known() or self._flattener.is_at_work:
            return 0
        last = self.forgotten
        if last is None or day > last.day:
            known = frozenset(self._of_before(day))
        else:
            day, known = last.day, last.kept
        self.forgotten = Forgotten(day, self._without_what_is_over(known, day))
        if last is None or day > last.day:
            self._forget_own(day)
        return len(known) - len(self.forgotten.kept)

    def _are_positions_known(self) -> bool:
        leaders = self._positions.leaders.values()
        return all(leader.is_known for leader in leaders) and self._positions.holdings.are_known

    def is_forgotten(self, order: Order) -> bool:
        """Whether a leader order is over and forgotten."""
        if self.forgotten is None or order.id in self._orders or order.id in self.forgotten.kept:
            return False
        if not ended_before(order, self.forgotten.day):
            return False
        return not self._copy_book.of(order.id) and self._positions.ledger.allocation(order.id) is None

    def is_forgotten_own(self, order: Order) -> bool:
        """Whether an order of the account is over and forgotten."""
        if self.forgotten is None or self._positions.holdings.account.was_told_of(order.id):
            return False
        return self._is_over_own(order, self.forgotten.day)

    def _of_before(self, day: date) -> Iterator[str]:
        """Yield all known leader orders of days before one."""
        yield from (order.id for order in self._orders.values() if trade_date(order) < day)
        yield from (copy.leader_order_id for copy in self._copy_book if copy.trade_date < day)
        yield from self._positions.ledger.allocated_before(day)

    def _without_what_is_over(self, order_ids: Set[str], day: date) -> frozenset[str]:
        """Forget those of the leader orders that are over, and return the others."""
        enterable = min(day, self._enterable_on(day))
        over = {order_id for order_id in order_ids if self._is_over(order_id, day, enterable)}
        over -= self._last_exits(over)
        for order_id in over:
            self._copy_book.forget(order_id)
            self._orders.forget(order_id)
            self._context.found_late.discard(order_id)
            self._positions.forget(order_id)
            self._work_queue.forget(order_id)
            self._holds.forget(order_id)
        return frozenset(order_ids - over)

    def _enterable_on(self, day: date) -> date:
        """Return the earliest day whose orders may still be entered on a given day."""
        policies = [followed.policy for followed in self._context.leaders.values()]
        latest = max(max(policy.late_after, policy.max_missed_age) for policy in policies)
        age = min(latest, LOOK_BACK.total_seconds())
        return (datetime.combine(day, time.min) + DAY_BEGINS - timedelta(seconds=age)).date()

    def _is_over(self, order_id: str, day: date, enterable: date) -> bool:
        """Whether nothing can come of a leader order, unless it has to close an overdue remainder of its line.

        After a restart, an order that the leader's book no longer shows is known by its copies alone; an order of ours
        that closes a line may have none.
        """
        leader, copies = self._orders.get(order_id), self._copy_book.of(order_id)
        if self._work_queue.is_on(order_id) or any(copy.is_open or _is_of(copy, day) for copy in copies):
            return False
        allocation = self._positions.ledger.allocation(order_id)
        is_beside = closing.is_closing(order_id) or (leader is not None and self._orders.is_his_copy(leader))
        if (allocation and allocation.doubled) or not (copies or is_beside):
            return False
        if leader is not None:
            return ended_before(leader, enterable)
        return all(copy.is_settled for copy in copies) or not (allocation and allocation.is_exit)

    def _last_exits(self, over: Set[str]) -> set[str]:
        """Return exits that may still have to close a remaining position; these are kept."""
        kept: set[str] = set()
        for key in {key for order_id in over if (key := self._exited_line(order_id))}:
            working = list(self._positions.working.on(key))
            if self._positions.ledger.line(key).held or any(member not in over for member in working):
                last = next((member for member in reversed(working) if self._may_be_asked(member)), None)
                kept |= {
                    order_id for order_id in (last, self._positions.working.latest_exit(key)) if order_id is not None
                }
        return kept

    def _exited_line(self, order_id: str) -> LineKey | None:
        allocation = self._positions.ledger.allocation(order_id)
        return allocation.line if allocation and allocation.leader_exited else None

    def _may_be_asked(self, order_id: str) -> bool:
        """Whether an exit of the leader may have to close what is overdue: not if its copy has failed."""
        if order_id not in self._orders or self._exited_line(order_id) is None:
            return False
        sent = [copy for copy in self._copy_book.of(order_id) if copy.n and copy.part is Part.EXIT]
        if sent:
            return not any(copy.is_final for copy in sent)
        return not any(copy.is_settled for copy in self._copy_book.of(order_id))

    def _forget_own(self, day: date) -> None:
        """Forget the account's finished orders: later reads of its positions include their fills."""
        self._positions.holdings.account.forget(
            [order.id for order in self._positions.holdings.account.orders if self._is_over_own(order, day)]
        )
        self._limit_usage.forget_before(day)

    def _is_over_own(self, order: Order, day: date) -> bool:
        """Whether an order of the account ended before a day, and its copy, if any, has recorded that."""
        if not ended_before(order, day):
            return False
        copy = self._copy_book.find(order)
        return copy is None or not copy.is_open


def _is_of(copy: Copy, day: date) -> bool:
    """Whether anything has happened to a copy's order since a day began, so that the broker may show it again."""
    return copy.order is not None and not ended_before(copy.order, day)
