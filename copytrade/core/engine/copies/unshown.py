"""Orders that the broker has accepted, by their ids, and that neither feed nor order book nor a search ever shows.

An entry is given up: it is not sent again. An exit has to happen: it is sent again, for what a later read of the
account's positions still shows. If the first turns up after all, it is a duplicate: it is cancelled, and what it
has filled is reversed.
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from copytrade.core.engine.copies import transitions
from copytrade.core.engine.copies.copy_book import Changed, CopyBook
from copytrade.core.engine.copies.unknown_outcomes import UnknownOutcomes
from copytrade.core.engine.invalidation import Invalidation
from copytrade.core.engine.leader_orders import LeaderOrders
from copytrade.core.engine.work_queue import WorkQueue
from copytrade.core.ledger.positions import Positions
from copytrade.core.model.copies import Copy, CopyId, Stage
from copytrade.core.model.ledger import LineKey, Part, line_of
from copytrade.core.model.orders import Order
from copytrade.core.model.reasons import Reason

#: Orders that enter, or that are to be cancelled: nothing is sent in their place.
_NOT_SENT_AGAIN = (Part.ENTRY, Part.TWIN)


class Unshown:
    """Ends the copies that nothing shows, or has them sent again."""

    def __init__(
        self,
        orders: LeaderOrders,
        positions: Positions,
        copy_book: CopyBook,
        unknown_outcomes: UnknownOutcomes,
        work_queue: WorkQueue,
        invalidation: Invalidation,
    ) -> None:
        self._orders = orders
        self._positions = positions
        self._copy_book = copy_book
        self._unknown_outcomes = unknown_outcomes
        self._work_queue = work_queue
        self._invalidation = invalidation

    def give_up(self) -> list[Changed]:
        """End the entries that reads and a search have not shown, and no longer measure any order's delay by them.

        Nobody sees whether a cancellation of such an order was carried out: it is sent once more, and then believed.
        """
        changed = []
        for copy_id in self._unknown_outcomes.missing():
            copy, leader = self._copy_book.copy(copy_id), self._orders.get(copy_id[0])
            self._unknown_outcomes.visibility.forget(copy.order_id)
            if leader is None or self._work_queue.is_under_way(copy_id):
                continue
            if copy.awaits_end and self._unknown_outcomes.cancels_again(copy_id):
                changed.append(self._copy_book.change(copy, transitions.cancel_came_to_nothing(copy), leader))
                self._invalidation.copy_changed(changed[-1])
            elif copy.cancel_sent or copy.part in _NOT_SENT_AGAIN:
                changed.append(self._end(copy, leader))
        return changed

    def wants_positions(self, copy_id: CopyId, at: float) -> bool:
        """Whether a read of positions begun at a monotonic time can decide that an order is sent again."""
        if self._unknown_outcomes.missing_for(copy_id, at) < self._patience(copy_id):
            return False
        return self._copy_book.copy(copy_id).part not in _NOT_SENT_AGAIN

    def net_read(self, net: Mapping[LineKey, int], began: float) -> list[Changed]:
        """Take in the account's positions, read from a monotonic time on; end the exits that are to be sent again."""
        changed = []
        for copy_id in self._unknown_outcomes.missing():
            copy, leader = self._copy_book.copy(copy_id), self._orders.get(copy_id[0])
            if leader is None or self._work_queue.is_under_way(copy_id) or not self.wants_positions(copy_id, began):
                continue
            line = line_of(leader)
            of_leader = net.get(line.account, 0) - self._positions.holdings.of_other_leaders(line)
            still = max(0, -of_leader * copy.side(leader).sign)
            if still or copy.part is Part.CLOSE:
                self._positions.holdings.bound(line, still)
                changed.append(self._end(copy, leader))
            elif copy.reason is not Reason.INVISIBLE:  # it seems to be done, whatever was answered since
                seems_done = replace(
                    copy, reason=Reason.INVISIBLE, stage=Stage.LIVE, accepted=copy.accepted or copy.desired
                )
                changed.append(self._copy_book.change(copy, seems_done, leader))
        return changed

    def take_back_write_off(self, copy: Copy, order: Order, filled_at: datetime) -> None:
        """Hold again what an exit that is shown late had closed, if reads have written that off since.

        ``filled_at`` is by our clock, as far as the broker's can be converted; never before the order was sent.
        """
        more = order.filled_quantity - copy.filled_quantity
        if more <= 0 or self.turned_up(copy).part is not Part.EXIT or copy.product is not None:
            return
        was_read = self._positions.holdings.account.reads.shows(max(filled_at, copy.created_at))
        if was_read or copy.reason is Reason.INVISIBLE:
            units, is_counted = more * order.side.opposite.sign, was_read and copy.seems_done
            line = line_of(order).of(copy.leader)
            self._positions.holdings.take_back_write_off(line, units, is_counted=is_counted)

    def turned_up(self, copy: Copy) -> Copy:
        """Return a copy that is shown after all: a duplicate, if another was sent in its place."""
        if copy.reason is not Reason.INVISIBLE:
            return copy
        later = (other for other in self._copy_book.of(copy.leader_order_id) if other.n > copy.n)
        is_replaced = copy.part not in _NOT_SENT_AGAIN and any(other.part is copy.part for other in later)
        return transitions.turned_up(copy, Part.TWIN if is_replaced else copy.part)

    def _patience(self, copy_id: CopyId) -> float:
        """Return the seconds to wait for an exit, doubled for each earlier one that was not shown."""
        order_id, _ = copy_id
        before = sum(copy.reason is Reason.INVISIBLE and not copy.is_open for copy in self._copy_book.of(order_id))
        return self._unknown_outcomes.exit_patience * 2.0 ** min(before, 5)

    def _end(self, copy: Copy, leader: Order) -> Changed:
        changed = self._copy_book.change(copy, transitions.invisible(copy), leader)
        self._invalidation.copy_changed(changed)
        return changed
