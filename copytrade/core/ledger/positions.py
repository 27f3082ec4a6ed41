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
from copytrade.core.ledger.reads.position_reads import PositionReads
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

    def __init__(self, leaders: Iterable[str] = ("",)) -> None:
        self.ledger = Ledger()
        self.working = WorkingOrders(self.ledger)
        #: The positions of each leader who is followed, by name; "" is the name where there is only one.
        self.leaders = {name: LeaderPositions(self.ledger, self.working, name) for name in leaders}
        self._gone: dict[str, LeaderPositions] = {}
        self.holdings = Holdings(self.ledger)
        self.sizes = EntrySizes(self.ledger, self.holdings)
        self._latest: dict[LineKey, _Latest] = {}

    def of(self, leader: str) -> LeaderPositions:
        """Return a leader's positions; nothing is read of one who is not followed any more."""
        known = self.leaders.get(leader)
        if known is not None:
            return known
        return self._gone.setdefault(leader, LeaderPositions(self.ledger, self.working, leader))

    def load(self, lines: Iterable[Line], allocations: Iterable[Allocation], day: date | None = None) -> None:
        """Take over what was written down; if it is of this trading ``day``, its lines tell what the leader holds."""
        ordered = sorted(allocations, key=lambda allocation: (allocation.created_at, allocation.leader_order_id))
        self.ledger.load(lines, ordered)
        for allocation in ordered:
            leader = self.of(allocation.line.leader)
            leader.is_loaded_today = leader.is_loaded_today or allocation.trade_date == day
            if closing.is_closing(allocation.leader_order_id):
                continue
            if allocation.trade_date == ordered[-1].trade_date:  # older orders come back when the broker tells of them
                self.working.add(allocation.line, allocation.leader_order_id, None)
            if allocation.leader_exited:
                self.working.exited(allocation.line, allocation.leader_order_id)

    # Reads of the positions.

    @property
    def are_known(self) -> bool:
        """Whether the positions of all leaders and of the follower have been read, or nothing waits for them."""
        return self.are_of_leaders_read and self.holdings.are_known

    @property
    def are_read(self) -> bool:
        """Whether the positions of all leaders and of the follower have been read."""
        return self.are_of_leaders_read and self.holdings.account.is_read

    @property
    def are_of_leaders_read(self) -> bool:
        """Whether the positions of all leaders have been read."""
        return all(leader.is_known for leader in self.leaders.values())

    def assume(self) -> None:
        """Go by the ledger on its lines: the positions cannot be read soon enough.

        On any other line nothing is held by copying, so that no exit waits there.
        """
        for leader in self.leaders.values():
            leader.assume()
        self.holdings.assume()

    def confirm_leader(self, book_read: datetime, leader: str = "") -> list[Corrected]:
        """Accept what reads of a leader's positions and a read of his book agree on; return what it corrects.

        What may be a split waits for reads of the account's positions, and of other leaders' on that line.
        """
        one = self.of(leader)
        return one.confirm(book_read, self._awaits_others(one))

    def confirm_own(self, book_read: datetime) -> list[tuple[Line, Line]]:
        """Accept what reads of the account's positions and a read of its book agree on; return the changed lines."""
        waiting = {key for leader in self.leaders for key in self._awaits_leader(leader)}
        return self.holdings.confirm(book_read, waiting)

    def needs_leader_read(self, leader: str = "") -> bool:
        """Whether a difference of a leader's positions waits for another read."""
        return self.of(leader).reads.needs_another() or bool(self._awaits_leader(leader))

    @property
    def need_leader_reads(self) -> bool:
        """Whether a difference of any leader's positions waits for another read."""
        return any(self.needs_leader_read(leader) for leader in self.leaders)

    @property
    def needs_own_read(self) -> bool:
        """Whether a difference of the account's own positions, or an exit, waits for another read."""
        return self.holdings.need_read or any(self._awaits_others(leader) for leader in self.leaders.values())

    @property
    def lag(self) -> float:
        """The longest lag of positions that was seen, in seconds: reads have to be that far apart to agree."""
        return max(reads.lag for reads in self._all_reads()).total_seconds()

    def saw_lag(self, seconds: float) -> None:
        """Note that the broker showed an order so late."""
        for reads in self._all_reads():
            reads.saw_lag(seconds)

    def _all_reads(self) -> list[PositionReads]:
        return [*(leader.reads for leader in self.leaders.values()), self.holdings.account.reads]

    # Splits.

    def scale(self, key: LineKey, factor: Fraction) -> tuple[Line, Line]:
        """Scale a line after a split or a bonus; return it as it was and as it is."""
        before = self.ledger.line(key)
        after = scaled(before, factor)
        self.ledger.keep(after)
        self.of(key.leader).reads.settle(key)
        self.holdings.account.reads.settle(key.account)
        return before, after

    def scalings(self, day: date) -> list[tuple[LineKey, Fraction]]:
        """Return the lines of shares that the last reads show multiplied by one small factor in all their accounts.

        Shares are split overnight: lines on which an account has traded on the ``day`` are left out.
        """
        suspected = [key.account for leader in self.leaders.values() for key in leader.reads.suspected]
        if not suspected:
            return []
        account, copied, found = self.holdings.account, self.ledger.copied(), list[tuple[LineKey, Fraction]]()
        for key in dict.fromkeys(suspected):
            factor, held = account.factor(key, copied), [line for line in self.ledger.lines_at(key) if line.held]
            if factor is None or account.reads.was_filled_on(key, day):
                continue
            if all(self._has_split(line.key, factor, day) for line in held):
                found += [(line.key, factor) for line in held]
        return found

    def _has_split(self, key: LineKey, factor: Fraction, day: date) -> bool:
        """Whether the last read of a leader shows his line multiplied by a factor, without a trade of the day."""
        leader = self.of(key.leader)
        return leader.factor(key) == factor and not leader.reads.was_filled_on(key, day)

    def _awaits_others(self, leader: LeaderPositions) -> set[LineKey]:
        """Return a leader's lines that may have been split and wait for a read of the account's, or another leader's.

        Those are other leaders of whom something is held on the same line of the account.
        """
        suspected = [key for key in leader.reads.suspected if leader.factor(key) is not None]
        return {key for key in suspected if any(leader.reads.is_newer(key, other) for other in self._beside(key))}

    def _beside(self, key: LineKey) -> list[PositionReads]:
        """Return the reads of the account, and of other leaders of whom something is held on a line of the account."""
        others = [line.key.leader for line in self.ledger.lines_at(key.account) if line.held and line.key != key]
        return [self.holdings.account.reads, *(self.leaders[name].reads for name in others if name in self.leaders)]

    def _awaits_leader(self, leader: str) -> set[LineKey]:
        """Return the account's lines that may have been split and wait for a read of a leader's positions."""
        account, of_leader = self.holdings.account, self.of(leader).reads
        if not account.reads.suspected:
            return set()
        copied = self.ledger.copied()
        suspected = [key for key in account.reads.suspected if copied.get(key) and account.factor(key, copied)]
        return {
            key
            for key in suspected
            if account.reads.is_newer(key, of_leader) and (not leader or self.ledger.line(key.of(leader)).held)
        }

    # Orders and fills.

    def leader_seen(
        self, order: Order, at: datetime, happened_at: datetime | None = None, *, is_beside: bool = False
    ) -> list[str]:
        """Judge a leader order at first sight, and count what has been filled of it since.

        ``at`` is the latest time at which that happened, ``happened_at`` the broker's time. An order that ``is_beside``
        leaves what was not copied. The fills of an order with an id of ours are not part of the leader's position.
        Returns the orders of the same line that are exits from now on.
        """
        allocation, leader = self.ledger.allocation(order.id), self.of(order.leader)
        if allocation is None and leader.is_before_first_read(order):
            return []
        leader.told(order, at, happened_at or at)
        line = self.ledger.line(line_of(order) if allocation is None else allocation.line)
        if order.is_ours:
            if order.filled_quantity > leader.counted(order):
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
        filled, allocation = follower_filled(line, allocation, part, before, after, product)
        if line.key.leader and filled.held and not line.held:
            filled = replace(filled, opened=self.ledger.next_opened())
        self.ledger.keep(filled, allocation)

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
        for leader in self.leaders.values():
            leader.forget(leader_order_id)
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
