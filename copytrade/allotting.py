"""What the ledger gives a follower of one leader order: how much to enter, and how much to leave."""

from collections.abc import Sequence

from copytrade.blotter import Blotter
from copytrade.circumstances import Circumstances
from copytrade.copies import Copy, Stage
from copytrade.decisions import Allotted, Situation
from copytrade.leader_orders import LeaderOrders
from copytrade.ledger import Allotment, Line, LineKey, Part, Working
from copytrade.mirror import not_for_copying
from copytrade.orders import Order, Status
from copytrade.positions import Positions
from copytrade.sizing import Size


class Allotter:
    """Asks the ledger, for all that it has to be told: which entries work on a line, which exits, and their copies."""

    def __init__(
        self, orders: LeaderOrders, positions: Positions, blotter: Blotter, circumstances: Circumstances
    ) -> None:
        self._orders = orders
        self._positions = positions
        self._blotter = blotter
        self._circumstances = circumstances

    def allot(self, leader: Order, copies: Sequence[Copy], situation: Situation) -> Allotted | None:
        """Return what an order with these copies is given; one that is not for copying is not sized, and takes nothing.

        None while the positions are not known, or what the order is in.
        """
        allotment, instrument = self._positions.allotment(leader.id), situation.instrument
        if allotment is None or instrument is None:
            return None
        policy, capitals = self._circumstances.policy, self._circumstances.capitals
        if allotment.ratio is None and all(copy.stage is Stage.NONE for copy in copies):
            is_dead = leader.is_terminal and leader.status is not Status.TRADED and not leader.filled_quantity
            settled = any(copy.is_settled for copy in copies)
            if is_dead or settled or not_for_copying(leader, situation, policy):
                return Allotted(())
        entry = None
        if allotment.entry_of(leader.quantity) or allotment.ratio is not None:
            opening = allotment.ratio is None and not any(
                self._is_entering(member) for member in self._positions.working(allotment.line) if member != leader.id
            )
            entry = self._positions.size_entry(
                leader, instrument, policy.sizing, capitals, is_opening=opening, largest=situation.largest
            )
        exits = self._exits(allotment.line, situation) if allotment.exit_of(leader.quantity) else []
        return allotted(leader, self._positions, entry, exits)

    def _is_entering(self, order_id: str) -> bool:
        """Whether an entry of the line works, so that its ratio is in use."""
        order, allotment = self._orders.get(order_id), self._positions.allotment(order_id)
        if order is None or allotment is None or allotment.ratio is None:
            return False
        return not order.is_terminal or any(copy.is_open for copy in self._blotter.of(order_id))

    def _exits(self, line: LineKey, situation: Situation) -> list[Working]:
        """Return the exits of a line that are copied, in the order in which the leader placed them."""
        working = []
        for member in self._positions.working(line):
            order, allotment = self._orders.get(member), self._positions.allotment(member)
            if order is None or allotment is None or not allotment.is_exit or not allotment.exit_of(order.quantity):
                continue
            mine = self._blotter.of(member)
            copies = [copy for copy in mine if copy.stage is not Stage.NONE and copy.part is Part.EXIT]
            if not copies and not_for_copying(order, situation, self._circumstances.policy):
                continue
            left = 0 if order.is_terminal else allotment.exit_of(order.quantity) - allotment.leader_exited
            working.append(
                Working(
                    leader_order_id=member,
                    side=order.side,
                    is_stop=order.order_type.has_trigger,
                    leader_open=left,
                    has_filled=allotment.leader_exited > 0,
                    open=sum(copy.exposure for copy in copies),
                    is_final=any(copy.is_final for copy in copies),
                )
            )
        return working


def allotted(
    order: Order, positions: Positions, entry: tuple[Size, int] | None, exits: Sequence[Working]
) -> Allotted | None:
    """Return what the ledger gives of a leader order, None while the positions are not known."""
    allotment = positions.allotment(order.id)
    if allotment is None or not positions.is_known:
        return None
    parts = []
    if allotment.exit_of(order.quantity):
        parts.append(Part.EXIT)
    if allotment.entry_of(order.quantity):
        parts.append(Part.ENTRY)
    if allotment.excess:
        parts.append(Part.FLATTEN)
    size, at_most = entry or (None, 0)
    exit_open = positions.exit_of(order, exits) if Part.EXIT in parts else 0
    line = positions.line(allotment.line)
    return Allotted(
        parts=tuple(parts),
        entry=size,
        entry_at_most=at_most,
        exit_open=exit_open,
        exit_arithmetic=_exit_shown(line, allotment, order, exit_open) if exit_open else "",
        excess=allotment.excess,
        closed_elsewhere=line.lost > 0,
    )


def _exit_shown(line: Line, allotment: Allotment, order: Order, exit_open: int) -> str:
    """Return the arithmetic of an exit as an operator reads it."""
    leaving = 0 if order.is_terminal else allotment.exit_of(order.quantity) - allotment.leader_exited
    leader = f"leader holds {line.leader_position}, leaves {leaving} more"
    return f"{leader}; holds {line.held} where {line.level} belongs: exit {exit_open}"
