"""What the ledger gives a follower of one leader order: how much to enter, and how much to leave."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from copytrade.core.decide.decisions import Allocated, DecisionInput, Wait
from copytrade.core.engine.context import Context
from copytrade.core.engine.copies.copy_book import CopyBook
from copytrade.core.engine.exits.shares import ExitShare, Shares
from copytrade.core.engine.leader_orders import LeaderOrders
from copytrade.core.ledger.positions import Positions
from copytrade.core.ledger.reads.own_positions import recent
from copytrade.core.ledger.sizing import Size
from copytrade.core.model.copies import Copy, Stage
from copytrade.core.model.ledger import Allocation, Line, Part, line_of
from copytrade.core.model.orders import Order, Status

#: How old a last price may be that says whether an order is about to fill.
PRICE_IS_FRESH = timedelta(seconds=5)


class Allocator:
    """Asks the ledger for an order's size, and the shares of its line for its exit."""

    def __init__(
        self,
        orders: LeaderOrders,
        positions: Positions,
        copy_book: CopyBook,
        context: Context,
        shares: Shares,
    ) -> None:
        self._orders = orders
        self._positions = positions
        self._copy_book = copy_book
        self._context = context
        self._shares = shares

    def allocate(self, leader: Order, copies: Sequence[Copy], inputs: DecisionInput, now: datetime) -> Allocated | None:
        """Return what an order with these copies is allocated; a filtered order only gets its exit of copied positions.

        None while the positions or the instrument are not known.
        """
        allocation, instrument = self._positions.ledger.allocation(leader.id), inputs.instrument
        if instrument is None:
            return None
        if allocation is None:  # one that is never judged: of days before, or with an id of ours
            is_unsent = all(copy.stage is Stage.NONE for copy in copies)
            is_known = self._positions.of(leader.leader).is_known_on(line_of(leader))
            return Allocated(()) if is_unsent and is_known else None
        followed = self._context.of(leader.leader)
        is_refused = inputs.refused is not None
        leaves_copied = self._shares.leaves_copied(leader, allocation)
        is_unsent = all(copy.stage is Stage.NONE for copy in copies)
        if allocation.ratio is None and is_unsent:
            is_dead = leader.is_terminal and leader.status is not Status.TRADED and not leader.filled_quantity
            settled = any(copy.is_settled_as_exit if leaves_copied else copy.is_settled for copy in copies)
            if is_dead or settled or (is_refused and not leaves_copied):
                return Allocated(())
        entry = None
        is_entered = not is_refused or not is_unsent  # what was adopted has a size, whenever its order was placed
        if (allocation.entry_of(leader.quantity) and is_entered) or allocation.ratio is not None:
            opening = allocation.ratio is None and not any(
                self._is_entering(member)
                for member in self._positions.working.on(allocation.line)
                if member != leader.id
            )
            entry = self._positions.sizes.size(
                leader,
                instrument,
                followed.policy.sizing,
                followed.capitals,
                is_opening=opening,
                largest=inputs.largest,
            )
        skew = self._context.skew
        last_price = recent(leader.last_price, leader.observed_at, now - skew, PRICE_IS_FRESH)
        share = self._shares.exit_share(leader, allocation, now - skew, last_price)
        first = self._shares.come_first(leader, allocation)
        return allocated(leader, self._positions, entry, share, skew, leaves_copied=leaves_copied, exits_first=first)

    def _is_entering(self, order_id: str) -> bool:
        """Whether an entry of the line works, so that its ratio is in use."""
        order, allocation = self._orders.get(order_id), self._positions.ledger.allocation(order_id)
        if order is None or allocation is None or allocation.ratio is None:
            return False
        return not order.is_terminal or any(copy.is_open for copy in self._copy_book.of(order_id))


def allocated(
    order: Order,
    positions: Positions,
    entry: tuple[Size, int] | None,
    share: ExitShare,
    skew: timedelta = timedelta(0),
    *,
    leaves_copied: bool = False,
    exits_first: bool = False,
) -> Allocated | None:
    """Return what the ledger gives of a leader order, None while the positions are not known.

    ``share`` is what its exit has yet to take, timed by our clock; ``skew`` is the broker's clock minus ours.
    ``leaves_copied``: it takes from a copied position. ``exits_first``: exits of other orders have yet to be sent.
    """
    allocation = positions.ledger.allocation(order.id)
    if allocation is None or not positions.of(order.leader).is_known_on(allocation.line):
        return None
    parts = []
    if allocation.exit_of(order.quantity):
        parts.append(Part.EXIT)
    if allocation.entry_of(order.quantity):
        parts.append(Part.ENTRY)
    if allocation.excess:
        parts.append(Part.FLATTEN)
    size, at_most = entry or (None, 0)
    line = positions.ledger.line(allocation.line)
    return Allocated(
        parts=tuple(parts),
        entry=size,
        entry_at_most=at_most,
        exit_open=share.units,
        exit_arithmetic=_exit_shown(line, allocation, order, share.units) if share.units else "",
        excess=allocation.excess,
        closed_elsewhere=line.lost > 0,
        held_against=line.held * order.side.sign < 0,
        exits_first=exits_first,
        leaves_copied=leaves_copied,
        room=share.room,
        exit_waits=Wait(share.waits_for, share.until + skew if share.until else None) if share.waits_for else None,
    )


def _exit_shown(line: Line, allocation: Allocation, order: Order, exit_open: int) -> str:
    """Return the arithmetic of an exit as an operator reads it."""
    leaving = 0 if order.is_terminal else allocation.exit_of(order.quantity) - allocation.leader_exited
    leader = f"leader holds {line.leader_position}, leaves {leaving} more"
    return f"{leader}; holds {line.held} where {line.level} belongs: exit {exit_open}"
