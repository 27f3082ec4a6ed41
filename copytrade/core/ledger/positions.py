"""What the leader and one follower hold, kept up to date line by line, and what each leader order allocates from it."""

from collections.abc import Iterable
from datetime import date, datetime
from fractions import Fraction
from typing import NamedTuple

from msgspec.structs import replace

from copytrade.core.ledger import closing_orders as closing
from copytrade.core.ledger.arithmetic import entries
from copytrade.core.ledger.arithmetic.corrections import filled_beside_leader
from copytrade.core.ledger.arithmetic.fills import follower_filled, leader_filled, with_all_ahead
from copytrade.core.ledger.arithmetic.roles import first_sight, judged_again, may_be_slices
from copytrade.core.ledger.corporate_actions import scaled
from copytrade.core.ledger.entry_sizing import EntrySizes
from copytrade.core.ledger.holdings import Holdings
from copytrade.core.ledger.ledger import Ledger
from copytrade.core.ledger.reads.leader_positions import Corrected, LeaderPositions
from copytrade.core.ledger.working_orders import WorkingOrders
from copytrade.core.model.ledger import Allocation, Line, LineKey, Part, line_of
from copytrade.core.model.orders import Order, Product


class _Latest(NamedTuple):
    """The latest leader order of a line, and when the first order was placed that it may be a slice of."""

    order: Order
    placed: datetime
    since: datetime


class Positions:
    """The ledger of one follower, beside the leader's and the follower's own net positions.

    Both follow from orders, whose fills are counted once each, in whatever order they become known. Reads of the
    positions correct them, line by line.
    """

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.working = WorkingOrders(self.ledger)
        self.leader = LeaderPositions(self.ledger, self.working)
        self.holdings = Holdings(self.ledger)
        self.sizes = EntrySizes(self.ledger, self.holdings)
        self._latest: dict[LineKey, _Latest] = {}

    def load(self, lines: Iterable[Line], allocations: Iterable[Allocation], day: date | None = None) -> None:
        """Take over what was written down; if it is of this trading ``day``, its lines tell what the leader holds."""
        ordered = sorted(allocations, key=lambda allocation: (allocation.created_at, allocation.leader_order_id))
        self.ledger.load(lines, ordered)
        for allocation in ordered:
            self.leader.is_loaded_today = self.leader.is_loaded_today or allocation.trade_date == day
            if closing.is_closing(allocation.leader_order_id):
                continue
            if allocation.trade_date == ordered[-1].trade_date:  # older orders come back when the broker tells of them
                self.working.add(allocation.line, allocation.leader_order_id, None)
            if allocation.leader_exited:
                self.working.exited(allocation.line, allocation.leader_order_id)

    # Reads of the positions.

    @property
    def are_known(self) -> bool:
        """Whether the positions of leader and follower have been read, or nothing waits for them."""
        return self.leader.is_known and self.holdings.are_known

    @property
    def are_read(self) -> bool:
        """Whether the positions of leader and follower have been read."""
        return self.leader.is_known and self.holdings.account.is_read

    def assume(self) -> None:
        """Go by the ledger on its lines: the positions cannot be read soon enough.

        On any other line nothing is held by copying, so that no exit waits there.
        """
        self.leader.assume()
        self.holdings.assume()

    def confirm_leader(self, book_read: datetime) -> list[Corrected]:
        """Accept what reads of the leader's positions and a read of his book agree on; return what it corrects.

        What may be a split waits for a read of the account's positions.
        """
        return self.leader.confirm(book_read, self._awaits_own())

    def confirm_own(self, book_read: datetime) -> list[tuple[Line, Line]]:
        """Accept what reads of the account's positions and a read of its book agree on; return the changed lines."""
        return self.holdings.confirm(book_read, self._awaits_leader())

    @property
    def needs_leader_read(self) -> bool:
        """Whether a difference of the leader's positions waits for another read."""
        return self.leader.reads.needs_another() or bool(self._awaits_leader())

    @property
    def needs_own_read(self) -> bool:
        """Whether a difference of the account's own positions, or an exit, waits for another read."""
        return self.holdings.need_read or bool(self._awaits_own())

    @property
    def lag(self) -> float:
        """The longest lag of positions that was seen, in seconds: reads have to be that far apart to agree."""
        return max(self.leader.reads.lag, self.holdings.account.reads.lag).total_seconds()

    def saw_lag(self, seconds: float) -> None:
        """Note that the broker showed an order so late."""
        for reads in (self.leader.reads, self.holdings.account.reads):
            reads.saw_lag(seconds)

    # Splits.

    def scale(self, key: LineKey, factor: Fraction) -> tuple[Line, Line]:
        """Scale a line after a split or a bonus; return it as it was and as it is."""
        before = self.ledger.line(key)
        after = scaled(before, factor)
        self.ledger.keep(after)
        self.leader.reads.settle(key)
        self.holdings.account.reads.settle(key)
        return before, after

    def scalings(self, day: date) -> list[tuple[LineKey, Fraction]]:
        """Return the lines of shares that the last reads show multiplied by one small factor in both accounts.

        Shares are split overnight: lines on which either account has traded on the ``day`` are left out.
        """
        return [
            (key, factor)
            for key in self.leader.reads.suspected
            if (factor := self.leader.factor(key)) is not None
            and factor == self.holdings.account.factor(key, self.ledger.copied())
            and not self.leader.reads.was_filled_on(key, day)
            and not self.holdings.account.reads.was_filled_on(key, day)
        ]

    def _awaits_own(self) -> set[LineKey]:
        """Return the lines that may have been split by the leader's positions and wait for a read of the account's."""
        suspected = [key for key in self.leader.reads.suspected if self.leader.factor(key) is not None]
        return {key for key in suspected if self.leader.reads.is_newer(key, self.holdings.account.reads)}

    def _awaits_leader(self) -> set[LineKey]:
        """Return the lines that may have been split by the account's positions and wait for a read of the leader's."""
        account = self.holdings.account
        if not account.reads.suspected:
            return set()
        copied = self.ledger.copied()
        suspected = [key for key in account.reads.suspected if copied.get(key) and account.factor(key, copied)]
        return {key for key in suspected if account.reads.is_newer(key, self.leader.reads)}

    # Orders and fills.

    def leader_seen(
        self, order: Order, at: datetime, happened_at: datetime | None = None, *, is_beside: bool = False
    ) -> list[str]:
        """Judge a leader order at first sight, and count what has been filled of it since.

        ``at`` is the latest time at which that happened, ``happened_at`` the broker's time. An order that ``is_beside``
        leaves what was not copied. The fills of an order with an id of ours are not part of the leader's position.
        Returns the orders of the same line that are exits from now on.
        """
        allocation = self.ledger.allocation(order.id)
        if allocation is None and self.leader.is_before_first_read(order):
            return []
        self.leader.told(order, at, happened_at or at)
        line = self.ledger.line(line_of(order))
        if order.is_ours:
            if order.filled_quantity > self.leader.counted(order):
                self.ledger.keep(filled_beside_leader(line, order))
            return []
        if allocation is None:
            allocation = self._first_seen(line, order)
        elif (latest := self._latest.get(line.key)) is None or allocation.created_at > latest.placed:
            self._latest[line.key] = _Latest(order, allocation.created_at, allocation.created_at)
        self.working.add(line.key, order.id, order)
        working = self.working.orders(line.key)
        self.ledger.line_changed(line.key)
        if allocation.sized_alone:
            if entries.wanted_of(order) != allocation.leader_quantity:
                allocation = entries.resized_alone(allocation, order)
                self.ledger.keep(allocation)
        elif allocation.ratio is not None and order.quantity != allocation.leader_quantity:
            line, allocation = entries.sized(line, allocation, order, allocation.ratio, line.lot_size)
            self.ledger.keep(line, allocation)
        others = (self.ledger.allocations[member] for member in working if member != order.id)
        line, changed = leader_filled(line, allocation, order.filled_quantity, others, is_beside=is_beside)
        turned = []
        if changed:
            self.ledger.keep(line, *changed)
            if self.ledger.allocations[order.id].leader_exited > allocation.leader_exited:
                self.working.exited(line.key, order.id)
                turned.append(order.id)
        if line.ahead and order.is_terminal and not self._may_cross(line, order.id):
            line = with_all_ahead(line)
            self.ledger.keep(line)
        if line.leader_position * order.side.sign < 0 or (changed and line.leader_position):
            again = list(judged_again(line, (self.ledger.allocations[member] for member in working), working))
            self.ledger.keep(*again)
            turned += [one.leader_order_id for one in again]
        return turned

    def _may_cross(self, line: Line, without: str) -> bool:
        """Whether the leader may yet reach the side that the follower has entered ahead of him, by a live order."""
        return any(
            self.ledger.allocations[member].side.sign * line.ahead > 0
            for member, order in self.working.orders(line.key).items()
            if member != without and not (order and order.is_terminal)
        )

    def _first_seen(self, line: Line, order: Order) -> Allocation:
        """Judge an order at first sight; note the order placed right before it if both may be slices of one."""
        allocation, latest = first_sight(line, order), self._latest.get(line.key)
        since = placed = allocation.created_at
        if latest is not None and may_be_slices(latest.order, latest.since, order):
            since = latest.since
            allocation = replace(allocation, slice_after=latest.order.id)
        self._latest[line.key] = _Latest(order, placed, since)
        self.ledger.keep(allocation)
        return allocation

    def copy_filled(
        self,
        leader_order_id: str,
        part: Part,
        before: int,
        after: int,
        product: Product | None = None,
        *,
        is_late: bool = False,
    ) -> None:
        """Count fills of the copies of one part of a leader order: their sum before and after.

        ``product`` is that of the filled copy, None for the leader order's. A fill ``is_late`` if order and copy were
        over before it became known: it is not due as far as the leader has left since.
        """
        allocation = self.ledger.allocation(leader_order_id)
        if allocation is None or before == after:
            return
        line = self.ledger.line(allocation.line)
        if is_late and part is Part.ENTRY:
            allocation = entries.at_most(line, allocation, after - before)
        self.ledger.keep(*follower_filled(line, allocation, part, before, after, product))

    def retire(self, leader_order_id: str) -> None:
        """Note that an order is over for the leader and for the follower."""
        allocation = self.ledger.allocation(leader_order_id)
        if allocation is not None:
            if self.working.retire(allocation):
                self.holdings.is_wanted_no_more(allocation.line)
            self.sizes.forget(leader_order_id)

    def forget(self, leader_order_id: str) -> None:
        """Forget how a leader order was judged; its effect on the line stays."""
        self.retire(leader_order_id)
        self.leader.forget(leader_order_id)
        allocation = self.ledger.allocations.pop(leader_order_id, None)
        if allocation is None:
            return
        self.working.forget(allocation)
        if (latest := self._latest.get(allocation.line)) and latest.order.id == leader_order_id:
            del self._latest[allocation.line]

    def take_up_again(self, leader_order_id: str, units: int) -> bool:
        """Let an order that was over get more, an entry up to ``units`` more; return False if it never had a size.

        What the leader has left since is not entered: in all no more than his remaining position comes to.
        """
        allocation = self.ledger.allocation(leader_order_id)
        if allocation is None or not (allocation.wanted or allocation.leader_exited):
            return False
        self.working.add(allocation.line, leader_order_id, None)
        again = entries.at_most(self.ledger.line(allocation.line), allocation, units)
        if again is not allocation:
            self.ledger.keep(again)
        return True
