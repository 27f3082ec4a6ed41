"""Which leader orders are legs of one group, by the times at which they were placed, and how their hedges stand."""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from copytrade.core.decide.case import LEADER_ENDED
from copytrade.core.decide.decisions import Mode
from copytrade.core.decide.legs.group import RESOLUTION, Group, GroupPolicy, Hedge, HedgeState
from copytrade.core.engine.context import Context
from copytrade.core.engine.copies.copy_book import CopyBook
from copytrade.core.engine.leader_orders import LeaderOrders
from copytrade.core.engine.work_queue import WorkQueue
from copytrade.core.ledger.closing_orders import is_closing
from copytrade.core.ledger.positions import Positions
from copytrade.core.model.copies import Copy, Stage
from copytrade.core.model.ledger import Allocation, Part
from copytrade.core.model.orders import Order, Side
from copytrade.core.model.reasons import Reason


class Groups:
    """The legs of each leader and underlying, in the order in which they were placed; nothing where groups are off.

    An underlying is known once the instrument master is: the legs are collected anew then.
    """

    def __init__(
        self,
        orders: LeaderOrders,
        positions: Positions,
        copy_book: CopyBook,
        context: Context,
        work_queue: WorkQueue,
    ) -> None:
        self._orders = orders
        self._positions = positions
        self._copy_book = copy_book
        self._context = context
        self._work_queue = work_queue
        self._legs: defaultdict[tuple[str, str], list[tuple[datetime, str]]] = defaultdict(list)
        #: When each leg was first known, by the broker's clock.
        self._known_at: dict[str, datetime] = {}
        self._is_on = self._is_any_grouped()

    def collect(self) -> None:
        """Collect all legs anew: instruments or settings have changed, or orders are forgotten."""
        known, self._known_at = self._known_at, {}
        self._legs.clear()
        self._is_on = self._is_any_grouped()
        if not self._is_on:
            return
        for order in self._orders.values():
            self.see(order, known.get(order.id))

    def see(self, order: Order, known_at: datetime | None = None) -> None:
        """Add a leg, if it is a new one; ``known_at`` is when it was first known, if that was earlier."""
        if (
            not self._is_on
            or self._policy(order) is None
            or order.id in self._known_at
            or order.is_ours
            or is_closing(order.id)
        ):
            return
        self._known_at[order.id] = known_at or order.observed_at + self._context.skew
        insort(self._legs[self._where(order)], (_placed_at(order), order.id))

    def mark_sold(self, order: Order) -> None:
        """Mark what sells beside a leg that buys, as it depends on that."""
        if self._is_on and order.side is Side.BUY and self._policy(order) is not None:
            self._work_queue.mark(leg.id for leg in self._beside(order) if leg.side is Side.SELL)

    def of(self, order: Order) -> Group | None:
        """Return the legs beside an order that sells; None where each is copied by itself."""
        policy = self._policy(order)
        if policy is None:
            return None
        bought = [leg for leg in self._beside(order) if leg.side is Side.BUY]
        placed_at, within = _placed_at(order), timedelta(seconds=policy.within)
        known_at = self._known_at.get(order.id, placed_at)
        return Group(
            hedges=tuple(self._hedge(leg) for leg in bought if self._is_entered(leg)),
            placed_at=placed_at,
            complete_at=max(placed_at + RESOLUTION, known_at) + within,
            makes_way=any(self._is_being_left(leg) for leg in bought),
        )

    def _is_any_grouped(self) -> bool:
        return any(one.policy.groups is not None for one in self._context.all)

    def _policy(self, order: Order) -> GroupPolicy | None:
        """Return how an order is grouped; an after-market order is in no group, as nothing fills before its release."""
        return None if order.after_market else self._context.of(order.leader).policy.groups

    def _where(self, order: Order) -> tuple[str, str]:
        return order.leader, self._context.underlying(order)

    def _beside(self, order: Order) -> Iterator[Order]:
        """Return the legs that were placed at about the same time as an order, and the order itself."""
        policy = self._policy(order)
        if policy is None:
            return
        placed_at, within = _placed_at(order), timedelta(seconds=policy.within)
        legs = self._legs.get(self._where(order), [])
        first = bisect_left(legs, placed_at - within, key=_time_of)
        for _, order_id in legs[first : bisect_right(legs, placed_at + within, key=_time_of)]:
            leg = self._orders.get(order_id)
            if leg is not None:
                yield leg

    def _is_entered(self, leg: Order) -> bool:
        """Whether any of a leg enters, as far as it is known."""
        allocation = self._positions.ledger.allocation(leg.id)
        return allocation is None or allocation.entry_of(leg.quantity) > 0

    def _is_being_left(self, leg: Order) -> bool:
        """Whether a leg that buys leaves a sold one, is live on both sides, or is just about to be sent."""
        allocation = self._positions.ledger.allocation(leg.id)
        if allocation is None or not allocation.is_exit:
            return False
        if self._work_queue.is_wanted(leg.id):
            return True
        exits = (copy for copy in self._copy_book.of(leg.id) if copy.part is Part.EXIT)
        return not leg.is_terminal and any(copy.is_open and not copy.seems_done for copy in exits)

    def _is_over(self, leg: Order) -> bool:
        follows_fills = self._context.of(leg.leader).policy.mode is Mode.FILLS
        return leg.status in LEADER_ENDED and not follows_fills

    def _hedge(self, leg: Order) -> Hedge:
        allocation = self._positions.ledger.allocation(leg.id)
        entries = [copy for copy in self._copy_book.of(leg.id) if copy.part is Part.ENTRY]
        sent = [copy.created_at for copy in entries if copy.stage is not Stage.NONE]
        filled, wanted = sum(copy.filled_quantity for copy in entries), allocation.due if allocation else 0
        return Hedge(
            leader_order_id=leg.id,
            state=_state(leg, allocation, entries, filled, is_over=self._is_over(leg)),
            since=min(sent, default=self._known_at.get(leg.id, _placed_at(leg))),
            filled=filled,
            wanted=wanted,
        )


def _state(
    leg: Order, allocation: Allocation | None, entries: Sequence[Copy], filled: int, *, is_over: bool
) -> HedgeState:
    """Return how a bought leg stands at the follower, by its orders or by why there are none.

    ``is_over``: the leader ended it, and nothing more is sent of it once anything was.
    """
    if allocation is not None and allocation.ratio is not None and 0 < allocation.due <= filled:
        return HedgeState.FILLED
    if any(copy.is_open for copy in entries):
        return HedgeState.PENDING
    if leg.status in LEADER_ENDED and not leg.filled_quantity:
        return HedgeState.GONE
    if allocation is not None and allocation.wanted and not allocation.due:
        return HedgeState.GONE
    if any(copy.is_final for copy in entries) or (is_over and any(copy.stage is Stage.ENDED for copy in entries)):
        return HedgeState.MISSING
    reasons = [copy.reason for copy in entries if copy.stage is Stage.NONE and copy.reason is not None]
    if Reason.LEADER_EXITED in reasons:
        return HedgeState.GONE
    if any(reason.is_passing for reason in reasons):
        return HedgeState.HELD
    if any(not reason.is_provisional for reason in reasons):
        return HedgeState.MISSING
    return HedgeState.SKIPPED if reasons else HedgeState.PENDING


def _placed_at(order: Order) -> datetime:
    return order.created_at or order.observed_at


def _time_of(leg: tuple[datetime, str]) -> datetime:
    return leg[0]
