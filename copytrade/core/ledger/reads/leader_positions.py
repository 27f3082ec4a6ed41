"""A leader's positions: how reads of them are compared with the ledger, and what they correct."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from datetime import date, datetime
from fractions import Fraction
from typing import NamedTuple

from copytrade.core.ledger.arithmetic.conversions import conversions, crossed_by, left_by, moved_by_leader
from copytrade.core.ledger.arithmetic.corrections import corrected, with_days_before_as_one
from copytrade.core.ledger.arithmetic.fills import forgoes
from copytrade.core.ledger.corporate_actions import factor_of
from copytrade.core.ledger.ledger import Ledger
from copytrade.core.ledger.reads.position_reads import RESOLUTION, PositionReads
from copytrade.core.ledger.working_orders import WorkingOrders
from copytrade.core.model.ledger import NO_UNITS, Allocation, Line, LineKey, line_of
from copytrade.core.model.orders import IST, Order, Side


class Corrected(NamedTuple):
    """A line before and after a correction by reads; ``is_conversion`` if units moved from or to another product."""

    before: Line
    after: Line
    is_conversion: bool = False


class LeaderPositions:
    """Corrects a leader's lines of the ledger by reads of his positions; ``leader`` is "" where there is only one."""

    def __init__(self, ledger: Ledger, working: WorkingOrders, leader: str = "") -> None:
        self._leader = leader
        self._ledger = ledger
        self._working = working
        self._day: date | None = None
        self._is_assumed = False
        #: How many fills of each order the reads know and the ledger has not counted yet.
        self._noted: dict[str, int] = {}
        #: What the first read showed beyond the leader's orders, and when it began.
        self._of_first_read: dict[LineKey, tuple[int, datetime]] = {}
        #: What was taken back and may have been there before, until a read shows that it was not, or two that it was.
        self._undecided: dict[LineKey, int] = {}
        #: What the first read has less or more than the orders, and recent fills explain: until a later read.
        self._explained: dict[LineKey, int] = {}
        self._first_read: datetime | None = None
        #: Whether the ledger was loaded with allocations of today.
        self.is_loaded_today = False
        self.reads = PositionReads()

    @property
    def is_known(self) -> bool:
        """Whether the positions have been read."""
        return self._day is not None

    def is_known_on(self, key: LineKey) -> bool:
        """Whether the position on a line is known, so that orders of today can be judged."""
        if self._day is not None:
            return True
        return (self.is_loaded_today or self._is_assumed) and key in self._ledger.lines

    def assume(self) -> None:
        """Trust the lines of the ledger without a read."""
        self._is_assumed = True

    def may_be_exit(self, key: LineKey, side: Side) -> bool:
        """Whether a read, not confirmed yet, shows more of the leader's position for an order of a side to leave."""
        return self.reads.suspected.get(key, 0) * side.sign < 0

    def read(
        self, net: Mapping[LineKey, int], at: datetime, day: date, unjudged: Iterable[tuple[Order, datetime]]
    ) -> list[Corrected]:
        """Take in a read begun at ``at`` on a trading ``day``; return what it corrects.

        ``unjudged`` are the leader's orders whose fills the ledger may not have counted, each with the time of its last
        fill. The first read is accepted at once on lines whose position of today the ledger does not know, unless
        recent fills explain the difference: what would leave it waits for another read then. Conversions that it shows
        are accepted at once as well, so that orders in the new product are not taken for another position.
        """
        his = [line for line in self._ledger.lines.values() if line.key.leader == self._leader]
        self._ledger.keep(*[with_days_before_as_one(line, day) for line in his if line.not_his])
        expected = Counter({line.key: line.leader_net for line in his})
        for key, position in self._ledger.leader_base.items():
            if key.leader == self._leader:
                expected[key] = expected.get(key, position)
        if self._leader:
            net = {key.of(self._leader): units for key, units in net.items()}
        for order, filled_at in unjudged:
            expected[line_of(order)] += self._uncounted(order)
            self._note_fill(order, filled_at)
        self.reads.read(net, at, expected)
        for key, units in list(self._undecided.items()):
            if (net.get(key, 0) - expected.get(key, 0)) * units > 0:
                self.reads.suspected.setdefault(key, units)  # recent fills explain it as well, and prove nothing
            else:
                del self._undecided[key]
        if self._first_read and at - self._first_read >= self.reads.lag:
            self._explained.clear()
        for key, units in self._explained.items():
            self.reads.suspected.setdefault(key, units)
        is_first = self._day is None
        self._day = self._day or day
        if not is_first:
            return []
        suspected = dict(self.reads.suspected)
        converted = self._convert(suspected)
        taken = {
            key: suspected[key]
            for key in suspected
            if (not self.is_loaded_today or key not in self._ledger.lines) and self.factor(key) is None
        }
        self._of_first_read = {key: (difference, at) for key, difference in taken.items()}
        for key, units in expected.items():
            if (left := net.get(key, 0) - units) and key not in suspected:
                self._explained[key] = self.reads.suspected[key] = left
        self._first_read = at
        return converted + self._correct(taken)

    def confirm(self, book_read: datetime, waiting: Container[LineKey]) -> list[Corrected]:
        """Accept what two reads and a complete read of the leader's book agree on; return what that corrects.

        What may have moved between two products waits until both lines are confirmed. Lines in ``waiting`` wait, too.
        """
        confirmed = self.reads.confirmed(book_read)
        both_ends = set(confirmed)
        converted = self._convert(confirmed)
        changed = self._correct(
            {
                key: difference
                for key, difference in confirmed.items()
                if not self.reads.may_be_moving(key, difference, both_ends) and key not in waiting
            }
        )
        for before, after, _ in changed:  # what he has left unseen is not entered any more
            self._ledger.keep(*self._forgone(before, after))
        return converted + changed

    def told(self, order: Order, at: datetime, happened_at: datetime) -> None:
        """Take in the fills of an order: ``at`` is the latest time of the last one, ``happened_at`` the broker's."""
        if self._of_first_read:
            self._take_back(order, happened_at)
        allocation = self._ledger.allocation(order.id)
        if order.filled_quantity or (allocation is not None and allocation.leader_filled):
            self._note_fill(order, at)
            self._noted.pop(order.id, None)

    def forget(self, leader_order_id: str) -> None:
        """Forget an order that is over."""
        self._noted.pop(leader_order_id, None)

    def is_before_first_read(self, order: Order) -> bool:
        """Whether all that happened to an unknown order did so before the day of the first read, which includes it."""
        if self._day is None or not (order.is_terminal or order.filled_quantity):
            return False
        return order.event_at.astimezone(IST).date() < self._day

    def counted(self, order: Order) -> int:
        """Return how many units of a leader order's fills the ledger has counted."""
        if order.is_ours:
            told = self._ledger.line(line_of(order)).not_his
            return next((abs(one.units) for one in told if one.order_id == order.id), 0)
        allocation = self._ledger.allocation(order.id)
        return allocation.leader_filled if allocation else 0

    def factor(self, key: LineKey) -> Fraction | None:
        """Return the factor of a split that explains the last read of a line on which the follower holds shares."""
        line = self._ledger.lines.get(key)
        if line is None or not line.held:
            return None
        return factor_of(key, line.leader_position, self.reads.suspected.get(key, 0))

    def _take_back(self, order: Order, happened_at: datetime) -> None:
        """Undo what the first read showed on a line, if it was a fill of this order, which is told of only now.

        A fill so close to the read may have come after it, and what the read showed was there before. Then another read
        decides, and what would leave that position waits for it.
        """
        key, units = line_of(order), self._unnoted(order) * order.side.sign
        difference, read_at = self._of_first_read.get(key, (0, happened_at))
        if difference * units <= 0 or happened_at > read_at + RESOLUTION:
            return
        left = difference - units
        taken_back = units if left * difference > 0 else difference
        if difference == taken_back:
            del self._of_first_read[key]
        else:
            self._of_first_read[key] = left, read_at
        self._correct({key: -taken_back})
        if happened_at > read_at - self.reads.lag - RESOLUTION:
            self._undecided[key] = self.reads.suspected[key] = taken_back

    def _uncounted(self, order: Order) -> int:
        """Return how many units of a leader order have been filled and not been counted yet, signed."""
        if order.id not in self._ledger.allocations and self.is_before_first_read(order):
            return 0
        return (order.filled_quantity - self.counted(order)) * order.side.sign

    def _unnoted(self, order: Order) -> int:
        return order.filled_quantity - self._noted.get(order.id, self.counted(order))

    def _note_fill(self, order: Order, at: datetime) -> None:
        if more := self._unnoted(order):
            self.reads.filled(line_of(order), more * order.side.sign, at)
            self._noted[order.id] = order.filled_quantity

    def _convert(self, differences: dict[LineKey, int]) -> list[Corrected]:
        """Accept what the leader has converted, and remove it from the ``differences``.

        Of two lines that explain each other, the one was converted to the other that had so many units, and of which
        the follower has some.
        """

        def is_less_likely(key: LineKey) -> tuple[bool, bool]:
            return abs(differences[key]) > abs(self._expected(key)), not self._ledger.line(key).level

        converted = []
        in_order = sorted(differences, key=is_less_likely)
        for source, target, units in conversions(differences, in_order, self._expected):
            before = self._ledger.line(source), self._ledger.line(target)
            after = moved_by_leader(*before, units)
            left = self._left_by_entries(before[1], units)
            self._ledger.keep(*after, *self._forgone(before[0], after[0]), *left)
            for entry in reversed(left):
                self._working.exited(target, entry.leader_order_id)
            if not after[0].held:
                self._working.forget_exit(source)
            for key in (source, target):
                if differences.get(key) == 0:
                    self.reads.settle(key)
                    del differences[key]
            converted += [Corrected(*pair, is_conversion=True) for pair in zip(before, after, strict=True)]
        return converted

    def _forgone(self, before: Line, after: Line) -> list[Allocation]:
        """Return the entries of a line, less what has not filled of the part that the leader has left."""
        part = Fraction(after.leader_position, before.leader_position) if before.leader_position else NO_UNITS
        left = min(max(part, NO_UNITS), Fraction(1))
        known = [self._ledger.allocations[member] for member in self._working.orders(before.key)]
        entries = [one for one in known if one.side.sign * before.leader_position > 0]
        return [less for entry in entries if (less := forgoes(entry, left, after)) is not None]

    def _left_by_entries(self, target: Line, units: int) -> list[Allocation]:
        """Return the entries of a line that were exits of what is known now to have been converted to it."""
        known = [self._ledger.allocations[member] for member in self._working.orders(target.key)]
        return left_by([one for one in known if one.side.sign * units < 0], crossed_by(target, units))

    def _expected(self, key: LineKey) -> int:
        known = self._ledger.lines.get(key)
        return known.leader_net if known else self._ledger.leader_base[key]

    def _correct(self, differences: Mapping[LineKey, int]) -> list[Corrected]:
        changed = []
        for key, difference in differences.items():
            self.reads.settle(key)
            self._undecided.pop(key, None)
            if line := self._ledger.lines.get(key):
                after = corrected(line, line.leader_position + difference)
                self._ledger.keep(after)
                changed.append(Corrected(line, after))
            else:
                self._ledger.leader_base[key] += difference
        return changed
