"""How much each exit of a line is to take, computed once after each change of the line."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import msgspec

from copytrade.core.decide.decisions import Action, Mode, Place
from copytrade.core.engine.context import Context
from copytrade.core.engine.copies.copy_book import CopyBook
from copytrade.core.engine.leader_orders import LeaderOrders
from copytrade.core.ledger.arithmetic.exit_shares import exit_shares
from copytrade.core.ledger.positions import Positions
from copytrade.core.model.copies import Stage
from copytrade.core.model.ledger import Allocation, Line, LineKey, Part, Working
from copytrade.core.model.orders import Leg, Order, OrderType, Product
from copytrade.core.model.reasons import Reason

#: How long an exit gives way at most to orders of other hands that are about to fill.
GIVES_WAY = timedelta(seconds=5)


class ExitShare(NamedTuple):
    """How many units an exit is yet to take; ``room`` is how many in each product, None where all are in the line's.

    ``waits_for`` says what the rest waits for, "" where nothing has to; until ``until``, None for until it is known.
    """

    units: int
    room: Mapping[Product, int] | None = None
    waits_for: str = ""
    until: datetime | None = None


class _Reckoned(msgspec.Struct, frozen=True):
    """The exits of a line at one ``version`` of it, their shares, and the open units of limits and of stops.

    ``shares`` divide all that is held, ``bounded`` the units that are ``there`` by the last read of the positions.
    """

    version: int
    line: Line
    there: int
    exits: Mapping[str, Working]
    shares: Mapping[str, int]
    bounded: Mapping[str, int]
    open_limits: int
    open_stops: int


class Basis(msgspec.Struct, frozen=True, gc=False):
    """Everything that a decision depends on of its order's line, once the entry has a size."""

    allocation: Allocation
    exit_open: int
    closed_elsewhere: bool
    held_against: bool
    exits_first: bool


class Shares:
    """The shares of every line, kept until the line changes."""

    def __init__(self, orders: LeaderOrders, positions: Positions, copy_book: CopyBook, context: Context) -> None:
        self._orders = orders
        self._positions = positions
        self._copy_book = copy_book
        self._context = context
        self._reckoned: dict[LineKey, _Reckoned] = {}
        self._gives_way: dict[str, datetime] = {}
        #: How often the shares of a line have been computed.
        self.reckonings = 0

    def exit_share(
        self, order: Order, allocation: Allocation, now: datetime, last_price: Decimal | None = None
    ) -> ExitShare:
        """Return what an order's exit is yet to take; ``last_price`` is the instrument's of just now, if it is known.

        It is limited to what the account has. If only the last read shows less than was copied, the rest waits for more
        reads; units that other orders of the account are about to close wait for those.
        """
        if not allocation.exit_of(order.quantity):
            return ExitShare(0)
        known = self._of(allocation.line)
        whole = _open(known, order, known.shares, abs(known.line.held))
        units, waits_for, until = _open(known, order, known.bounded, known.there), "", None
        if units < whole:
            self._positions.holdings.want(allocation.line, now)
            waits_for = "the account's positions lack what was copied and are read once more"
        filling = self._positions.holdings.about_to_fill(known.line, order.side, last_price) if units else {}
        if filling:
            gives_way_until = self._positions.holdings.want(allocation.line, now) + GIVES_WAY
            if now < gives_way_until:
                units, until = max(0, units - sum(filling.values())), gives_way_until
                waits_for = "another order of the account is about to close the position"
                self._gives_way[order.id] = gives_way_until
            else:
                filling = {}
        elif not waits_for:
            self._gives_way.pop(order.id, None)
            self._positions.holdings.is_wanted_no_more(allocation.line)
        return ExitShare(units, self._room(known, order, filling), waits_for, until)

    def gave_way_in_vain(self, leader_order_id: str, now: datetime) -> bool:
        """Return whether an exit leaves now after waiting in vain for another order, and forget that it waited."""
        until = self._gives_way.get(leader_order_id)
        if until is None or now < until:
            return False
        del self._gives_way[leader_order_id]
        return True

    def leaves_unread(self, order_id: str, action: Action) -> bool:
        """Return whether an exit leaves without the reads that it waited for; True once for each leader order."""
        if not isinstance(action, Place) or action.part not in (Part.EXIT, Part.CLOSE):
            return False
        return self._context.exit_reads.take_unread(order_id)

    def leaves_beside(self, order_id: str, action: Action, now: datetime) -> bool:
        """Return whether an exit leaves after it waited in vain for another order of the account; True once each time.

        It is False for a part that leaves while the rest still waits.
        """
        if not isinstance(action, Place) or action.part is not Part.EXIT:
            return False
        return self.gave_way_in_vain(order_id, now - self._context.skew)

    def _room(self, known: _Reckoned, order: Order, filling: Mapping[Product, int]) -> dict[Product, int] | None:
        """Return how many units an exit can take in each product, less what other exits of its kind may take there."""
        exits = [
            (copy, member)
            for member, exit_ in known.exits.items()
            if exit_.is_stop is order.order_type.has_trigger
            for copy in self._copy_book.of(member)
            if copy.part is Part.EXIT and copy.is_open
        ]
        if not known.line.elsewhere and not any(copy.product for copy, _ in exits):
            return None
        room = self._positions.holdings.by_product(known.line)
        for copy, member in exits:
            product = copy.product or known.line.key.product
            if member != order.id and product in room:
                room[product] -= copy.exposure
        return {product: max(0, units - filling.get(product, 0)) for product, units in room.items()}

    def exit_open(self, order: Order, allocation: Allocation) -> int:
        """Return how many units an order's exit can take by what the account has, 0 where it has none."""
        if not allocation.exit_of(order.quantity):
            return 0
        known = self._of(allocation.line)
        return _open(known, order, known.bounded, known.there)

    def basis(self, order: Order, *, exits_first: bool | None = None) -> Basis | None:
        """Return what a decision depends on of its order's line, None if that is not known.

        An entry without a size yet depends on more than this. ``exits_first`` is what ``come_first`` said just now.
        """
        allocation = self._positions.ledger.allocation(order.id)
        if allocation is None or (allocation.ratio is None and allocation.entry_of(order.quantity)):
            return None
        exit_open, line = self.exit_open(order, allocation), self._positions.ledger.line(allocation.line)
        crosses = allocation.is_exit and allocation.entry_of(order.quantity) > 0
        held_against = crosses and line.held * order.side.sign < 0
        first = self.come_first(order, allocation) if exits_first is None else exits_first
        return Basis(allocation, exit_open, line.lost > 0, held_against, first)

    def come_first(self, order: Order, allocation: Allocation) -> bool:
        """Whether an entry has to wait: the broker has not yet accepted exits of what is held on the other side.

        An exit in doubt may have to be sent again. If a read shows a larger position of the leader than his orders do,
        this entry may be an exit: a book that is behind lacks orders of his.
        """
        if not allocation.entry_of(order.quantity):
            return False
        if self._positions.of(order.leader).may_be_exit(allocation.line, order.side):
            return True
        line = self._positions.ledger.line(allocation.line)
        if line.held * order.side.sign >= 0:
            return False
        known = self._of(allocation.line)
        return any(share > self._taken(member) for member, share in known.bounded.items())

    def _taken(self, leader_order_id: str) -> int:
        """Return how many units of an order's exits rest at the broker."""
        copies = self._copy_book.of(leader_order_id)
        return sum(copy.exposure for copy in copies if copy.part is Part.EXIT and copy.stage is Stage.LIVE)

    def forget(self) -> None:
        """Forget computed shares: orders are forgotten."""
        self._reckoned.clear()
        self._gives_way = {order_id: until for order_id, until in self._gives_way.items() if order_id in self._orders}

    def _of(self, key: LineKey) -> _Reckoned:
        line = self._positions.holdings.reconciled(key)
        version = self._positions.ledger.version(key)
        there = self._positions.holdings.really_held(line)
        known = self._reckoned.get(key)
        if known is None or known.version != version or known.line != line or known.there != there:
            known = self._reckoned[key] = self._reckon(line, version, there)
        return known

    def _reckon(self, line: Line, version: int, there: int) -> _Reckoned:
        self.reckonings += 1
        exits = {exit_.leader_order_id: exit_ for exit_ in self.exits(line.key)}
        shares = exit_shares(line, list(exits.values()), abs(line.held))
        is_whole = there == abs(line.held)
        return _Reckoned(
            version=version,
            line=line,
            there=there,
            exits=exits,
            shares=shares,
            bounded=shares if is_whole else exit_shares(line, list(exits.values()), there),
            open_limits=sum(exit_.open for exit_ in exits.values() if not exit_.is_stop),
            open_stops=sum(exit_.open for exit_ in exits.values() if exit_.is_stop),
        )

    def leaves_copied(self, order: Order, allocation: Allocation) -> bool:
        """Whether a leader order exits a position that was copied or may be soon: filters do not apply.

        A leg whose entry was not copied exits that entry only, as long as the leader has any of the position.
        """
        if order.is_ours or not allocation.is_exit:
            return False
        line, sign = self._positions.ledger.line(allocation.line), order.side.sign
        if line.leader_position * sign < 0 and self.is_beside(order):
            return False
        return line.held * sign < 0 or self._may_yet_be_held(allocation)

    def is_beside(self, order: Order) -> bool:
        """Whether an order is the leg of a family whose entry was not copied."""
        if order.leg not in (Leg.STOP_LOSS, Leg.TARGET) or not order.parent_id:
            return False
        if self._copy_book.is_sent(order.parent_id):
            return False
        parent = self._orders.get(order.parent_id)
        if parent is not None and self._context.is_refused(parent):
            return True
        return any(copy.reason not in (None, Reason.ZERO_LOTS) for copy in self._copy_book.unsent(order.parent_id))

    def _may_yet_be_held(self, allocation: Allocation) -> bool:
        """Whether a copied entry that a leader order would exit is pending or rests."""
        return any(
            (other := self._positions.ledger.allocation(member)) is not None
            and other.side is not allocation.side
            and any(copy.is_open and copy.part is Part.ENTRY for copy in self._copy_book.of(member))
            for member in self._positions.working.on(allocation.line)
        )

    def exits(self, key: LineKey) -> list[Working]:
        """Return the exits of a line that are copied, in the order in which the leader placed them."""
        working = []
        for member in self._positions.working.on(key):
            order, allocation = self._orders.get(member), self._positions.ledger.allocation(member)
            if order is None or allocation is None or not allocation.is_exit or not allocation.exit_of(order.quantity):
                continue
            mine = self._copy_book.of(member)
            copies = [copy for copy in mine if copy.stage is not Stage.NONE and copy.part is Part.EXIT]
            if not copies and self._context.is_refused(order) and not self.leaves_copied(order, allocation):
                continue
            is_left = order.is_terminal or self._context.of(order.leader).policy.mode is Mode.FILLS
            left = 0 if is_left else allocation.exit_of(order.quantity) - allocation.leader_exited
            working.append(
                Working(
                    leader_order_id=member,
                    side=order.side,
                    is_stop=order.order_type.has_trigger,
                    leader_open=left,
                    has_filled=allocation.leader_exited > 0,
                    open=sum(copy.exposure for copy in copies),
                    is_final=any(copy.is_final for copy in copies),
                    at_market=order.order_type is OrderType.MARKET,
                )
            )
        return working


def _open(known: _Reckoned, order: Order, shares: Mapping[str, int], held: int) -> int:
    """Return an exit's share of the ``held`` units, less what other exits of its kind may still take."""
    open_beside = known.open_stops if order.order_type.has_trigger else known.open_limits
    own = known.exits.get(order.id)
    beside = open_beside - (own.open if own else 0)
    return min(shares.get(order.id, 0), max(0, held - beside))
