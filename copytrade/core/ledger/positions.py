"""What the leader and one follower hold, kept up to date line by line, and what each leader order allots from it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import chain, permutations
from typing import NamedTuple

from msgspec.structs import replace

from copytrade.core.ledger import arithmetic as ledger
from copytrade.core.ledger import closing_orders as closing
from copytrade.core.ledger.corporate_actions import factor_of
from copytrade.core.ledger.drift import Apart
from copytrade.core.ledger.entry_sizing import NO_SLICES, SliceRule, sized_alone, sized_by_ratio
from copytrade.core.ledger.own_positions import OwnNet
from copytrade.core.ledger.position_reads import RESOLUTION, PositionReads
from copytrade.core.ledger.sizing import Capitals, Size, SizingPolicy
from copytrade.core.model.instruments import Instrument
from copytrade.core.model.ledger import Allocation, Line, LineKey, Part, line_of
from copytrade.core.model.orders import IST, InstrumentKey, Order, Product, Side
from copytrade.core.model.reasons import Reason

#: How many entries are remembered as they were sized: hundreds may rest, and most are not looked at again.
SIZES_KEPT = 256


class _Sized(NamedTuple):
    """An entry as it was sized, which is how it is sized again as long as it is ``of`` the same."""

    of: tuple[Allocation, Order, Instrument, SizingPolicy, SliceRule]
    size: Size
    at_most: int


class Corrected(NamedTuple):
    """A line before and after a correction by reads; ``is_conversion`` where it moved to another product or from it."""

    before: Line
    after: Line
    is_conversion: bool = False


class _Latest(NamedTuple):
    """The leader order of a line that was placed last, and when the first was of those it may be a slice with."""

    order: Order
    placed: datetime
    since: datetime


class Positions:
    """The ledger of one follower, beside the leader's and the follower's own net positions.

    Both follow from orders, whose fills are counted as they become known, each once, in any order of their arrival.
    Reads of the positions correct them, line by line.
    """

    def __init__(self) -> None:
        self._lines: dict[LineKey, Line] = {}
        self._allocations: dict[str, Allocation] = {}
        self._working: dict[LineKey, dict[str, Order | None]] = {}
        self._latest_exit: dict[LineKey, str] = {}
        self._leader_base: Counter[LineKey] = Counter()
        self._leader_day: date | None = None
        self._goes_on = False
        self._noted: dict[str, int] = {}
        self._leader_reads = PositionReads()
        #: What the first read of the leader's positions showed beyond his orders, and when it began.
        self._of_first_read: dict[LineKey, tuple[int, datetime]] = {}
        self._own = OwnNet()
        self._is_assumed = self._own_is_assumed = False
        self._in_other_products: defaultdict[InstrumentKey, set[LineKey]] = defaultdict(set)
        self._wanted: dict[LineKey, datetime] = {}
        self._is_duplicated: set[str] = set()
        self._unwritten: dict[LineKey | str, Line | Allocation] = {}
        self._sized: dict[str, _Sized] = {}
        self._latest: dict[LineKey, _Latest] = {}
        self._versions: Counter[LineKey] = Counter()
        self._all_changed = 0

    def load(self, lines: Iterable[Line], allocations: Iterable[Allocation], day: date | None = None) -> None:
        """Take over what was written down; if that is of this trading ``day``, its lines tell what the leader holds."""
        for line in lines:
            self._lines[line.key] = line
            if line.elsewhere:
                self._in_other_products[line.key.key].add(line.key)
        ordered = sorted(allocations, key=lambda allocation: (allocation.created_at, allocation.leader_order_id))
        for allocation in ordered:
            self._allocations[allocation.leader_order_id] = allocation
            self._goes_on = self._goes_on or allocation.trade_date == day
            if allocation.doubled:
                self._is_duplicated.add(allocation.leader_order_id)
            if closing.is_closing(allocation.leader_order_id):
                continue
            if allocation.trade_date == ordered[-1].trade_date:  # what is older comes back if it is told of again
                self._working.setdefault(allocation.line, {})[allocation.leader_order_id] = None
            if allocation.leader_exited:
                self._latest_exit[allocation.line] = allocation.leader_order_id

    # What reads of the positions say.

    @property
    def is_known(self) -> bool:
        """Whether the leader's positions have been read."""
        return self._leader_day is not None

    @property
    def own_is_known(self) -> bool:
        """Whether the follower's positions have been read, or nobody waits for that any more."""
        return self._is_assumed or self._own_is_assumed or self._own.reads.last_read is not None

    def knows_leader_on(self, key: LineKey) -> bool:
        """Whether it is known what the leader holds on a line: his orders of today can be judged."""
        if self._leader_day is not None:
            return True
        return (self._goes_on or self._is_assumed) and key in self._lines

    def assume_own(self) -> None:
        """Do without the follower's positions."""
        self._own_is_assumed = True

    def assume(self) -> None:
        """Go by the ledger on its lines: the positions cannot be read soon enough.

        On any other line nothing is held by copying, so that no exit waits there.
        """
        self._is_assumed = True

    def leader_read(
        self, net: Mapping[LineKey, int], at: datetime, day: date, unjudged: Iterable[tuple[Order, datetime]]
    ) -> list[Corrected]:
        """Take in a read of the leader's positions, begun at ``at`` on a trading ``day``; return what it corrects.

        ``unjudged`` are his orders of which the ledger may not have all fills yet, and when the last fill of each was.
        The first read is taken over at once on lines of which the ledger does not know today's position, unless fills
        of just now explain it: what he did on other days, an expiry. So is what he has converted meanwhile: what he
        does in the new product is not to be taken for another position.
        """
        self._keep(*[ledger.with_days_before_as_one(line, day) for line in self._lines.values() if line.not_his])
        expected = Counter({key: line.leader_net for key, line in self._lines.items()})
        for key, position in self._leader_base.items():
            expected[key] = expected.get(key, position)
        for order, filled_at in unjudged:
            expected[line_of(order)] += self._uncounted(order)
            self._note_fill(order, filled_at)
        self._leader_reads.read(net, at, expected)
        is_first = self._leader_day is None
        self._leader_day = self._leader_day or day
        if not is_first:
            return []
        suspected = dict(self._leader_reads.suspected)
        converted = self._convert(suspected)
        taken = {
            key: suspected[key]
            for key in suspected
            if (not self._goes_on or key not in self._lines) and self._leader_factor(key) is None
        }
        self._of_first_read = {key: (difference, at) for key, difference in taken.items()}
        return converted + self._correct_leader(taken)

    def _take_back(self, order: Order, happened_at: datetime) -> None:
        """Take back what the first read showed of a line, if it was a fill of which the order tells only now."""
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
        self._correct_leader({key: -taken_back})

    def _uncounted(self, order: Order) -> int:
        """Return how many units of a leader order have been filled that are not counted yet, signed."""
        if order.id not in self._allocations and self._is_of_before(order):
            return 0
        return (order.filled_quantity - self._counted(order)) * order.side.sign

    def _counted(self, order: Order) -> int:
        """Return how many units of a leader order's fills are counted."""
        if order.is_ours:
            told = self.line(line_of(order)).not_his
            return next((abs(one.units) for one in told if one.order_id == order.id), 0)
        allocation = self._allocations.get(order.id)
        return allocation.leader_filled if allocation else 0

    def _is_of_before(self, order: Order) -> bool:
        """Whether what happened to an unknown order did so before the day of the first read: the positions have it."""
        if self._leader_day is None or not (order.is_terminal or order.filled_quantity):
            return False
        return order.event_at.astimezone(IST).date() < self._leader_day

    def _unnoted(self, order: Order) -> int:
        return order.filled_quantity - self._noted.get(order.id, self._counted(order))

    def _note_fill(self, order: Order, at: datetime) -> None:
        if more := self._unnoted(order):
            self._leader_reads.filled(line_of(order), more * order.side.sign, at)
            self._noted[order.id] = order.filled_quantity

    def confirm_leader(self, book_read: datetime) -> list[Corrected]:
        """Take over what two reads and a complete read of the leader's book agree about; return what it corrects.

        What may have moved between two products waits until both lines are confirmed, what may have been split for a
        read of the account's positions.
        """
        waiting = self._awaits_own()
        confirmed = self._leader_reads.confirmed(book_read)
        both_ends = set(confirmed)
        converted = self._convert(confirmed)
        return converted + self._correct_leader(
            {
                key: difference
                for key, difference in confirmed.items()
                if not self._leader_reads.may_be_moving(key, difference, both_ends) and key not in waiting
            }
        )

    def _convert(self, differences: dict[LineKey, int]) -> list[Corrected]:
        """Take over what the leader has converted, and take it out of the ``differences``."""
        converted = []
        for source, target, units in _conversions(differences, self._leader_expected):
            before = self.line(source), self.line(target)
            after = ledger.moved_by_leader(*before, units)
            self._keep(*after)
            if not after[0].held:
                self._latest_exit.pop(source, None)
            for key in (source, target):
                if not differences[key]:
                    self._leader_reads.settle(key)
                    del differences[key]
            converted += [Corrected(*pair, is_conversion=True) for pair in zip(before, after, strict=True)]
        return converted

    def _leader_expected(self, key: LineKey) -> int:
        known = self._lines.get(key)
        return known.leader_net if known else self._leader_base[key]

    def _correct_leader(self, differences: Mapping[LineKey, int]) -> list[Corrected]:
        corrected = []
        for key, difference in differences.items():
            self._leader_reads.settle(key)
            if line := self._lines.get(key):
                after = ledger.corrected(line, line.leader_position + difference)
                self._keep(after)
                corrected.append(Corrected(line, after))
            else:
                self._leader_base[key] += difference
        return corrected

    def scale(self, key: LineKey, factor: Fraction) -> tuple[Line, Line]:
        """Scale a line after a split or a bonus; return it as it was and as it is."""
        before = self.line(key)
        after = ledger.scaled(before, factor)
        self._keep(after)
        self._leader_reads.settle(key)
        self._own.reads.settle(key)
        return before, after

    def scalings(self, day: date) -> list[tuple[LineKey, Fraction]]:
        """Return the lines of shares of which both accounts hold one and the same small multiple, and its factor.

        Shares are split over night: a line on which either has traded on the ``day`` is left as it is.
        """
        return [
            (key, factor)
            for key in self._leader_reads.suspected
            if (factor := self._leader_factor(key)) is not None
            and factor == self._own.factor(key, self._copied())
            and not self._leader_reads.was_filled_on(key, day)
            and not self._own.reads.was_filled_on(key, day)
        ]

    def _leader_factor(self, key: LineKey) -> Fraction | None:
        """Return by what the leader's shares may have been multiplied by the last read; the account has some too."""
        line = self._lines.get(key)
        if line is None or not line.held:
            return None
        return factor_of(key, line.leader_position, self._leader_reads.suspected.get(key, 0))

    def _awaits_own(self) -> set[LineKey]:
        """Return the lines that may have been split by the leader's positions: the account's have to be read yet."""
        suspected = [key for key in self._leader_reads.suspected if self._leader_factor(key) is not None]
        return {key for key in suspected if self._leader_reads.is_newer(key, self._own.reads)}

    def _awaits_leader(self) -> set[LineKey]:
        """Return the lines that may have been split by the account's positions: the leader's have to be read yet."""
        if not self._own.reads.suspected:
            return set()
        copied = self._copied()
        suspected = [key for key in self._own.reads.suspected if copied.get(key) and self._own.factor(key, copied)]
        return {key for key in suspected if self._own.reads.is_newer(key, self._leader_reads)}

    def own_read(self, net: Mapping[LineKey, int], at: datetime) -> list[Apart]:
        """Take in a read of the account's own positions, begun at ``at``; return what differs from the copies."""
        copied = self._copied()
        self._own.read(net, at, copied)
        return self._own.apart(net, copied)

    def confirm_own(self, book_read: datetime) -> list[tuple[Line, Line]]:
        """Take over what two reads and a complete read of the own book agree about; return the lines it changes."""
        copied = self._copied()
        confirmed = self._own.confirm(book_read, self._awaits_leader())
        changed = []
        for source, target, units in _conversions(confirmed, lambda key: copied.get(key, 0)):
            left, direction = abs(units), _sign(units)
            for line in self._lines_in(source, target):
                moved = min(left, max(0, line.held_in(source.product) * direction)) * direction
                if moved:
                    after = ledger.moved_by_follower(line, source.product, target.product, moved)
                    self._keep(after)
                    self._own.moved(source, -moved)
                    self._own.moved(target, moved)
                    left -= abs(moved)
                    changed.append((line, after))
        for key, difference in confirmed.items():
            if (known := self._lines.get(key)) and (found := self._found_again(known, difference)):
                self._keep(ledger.found_again(known, found))
                self._own.found_again(key, found)
                changed.append((known, self._lines[key]))
        for key in self._own.differing:
            known = self._lines.get(key)
            if known is None or not known.held or known.elsewhere or known.leader_position or known.level:
                continue
            if abs(known.held) + self._own.beside(key) * _sign(known.held) <= 0:  # an expiry: neither has anything
                self._own.written_off(key, abs(known.held), _sign(known.held))
                self._keep(ledger.closed_elsewhere(known, 0, {key.product: 0}))
                changed.append((known, self._lines[key]))
        return changed

    def _found_again(self, line: Line, difference: int) -> int:
        """Return how many of the units that appeared on a line, signed, were taken for closed by other hands."""
        lost = _sign(line.held or line.level or line.leader_position) * line.lost
        if not lost:  # all is over there: what no order tells of is ours if that is how it went
            written_off = self._own.written_off_by_reads(line.key)
            lost = min(abs(written_off), line.lost) * _sign(written_off)
        return min(abs(difference), abs(lost)) * _sign(lost) if difference * lost > 0 else 0

    def _lines_in(self, source: LineKey, target: LineKey) -> list[Line]:
        """Return the lines that may have units in a product which was converted, the one that belongs there first."""
        keys = self._in_other_products.get(source.key, set()) | {source}
        ordered = sorted(keys, key=lambda key: (key != target, key != source))
        return [self._lines[key] for key in ordered if key in self._lines]

    @property
    def is_leader_suspected(self) -> bool:
        """Whether the last read of the leader's positions differs from his orders on any line."""
        return bool(self._leader_reads.suspected)

    def may_be_exit(self, key: LineKey, side: Side) -> bool:
        """Whether a read, not confirmed yet, shows more of the leader's position for an order of a side to leave."""
        return self._leader_reads.suspected.get(key, 0) * side.sign < 0

    @property
    def needs_leader_read(self) -> bool:
        """Whether a difference of the leader's positions waits for another read."""
        return self._leader_reads.needs_another() or bool(self._awaits_leader())

    @property
    def needs_own_read(self) -> bool:
        """Whether a difference of the account's own positions waits for another read, or an exit for one."""
        return self._own.reads.needs_another() or bool(self._wanted) or bool(self._awaits_own())

    @property
    def lag(self) -> float:
        """The longest lag of the positions that was seen, in seconds: reads that are to agree are so far apart."""
        return max(self._leader_reads.lag, self._own.reads.lag).total_seconds()

    @property
    def suspected(self) -> Mapping[LineKey, int]:
        """What the last read of the account's own positions showed otherwise than its orders, and is not confirmed."""
        return self._own.reads.suspected

    def saw_lag(self, seconds: float) -> None:
        """The broker was seen to show an order so late."""
        for reads in (self._leader_reads, self._own.reads):
            reads.saw_lag(seconds)

    def _copied(self) -> dict[LineKey, int]:
        """Return what the account holds by copying on each line, in the product in which it has it; twins included."""
        copied = {key: line.held_in(key.product) for key, line in self._lines.items()}
        for keys in self._in_other_products.values():
            for key in keys:
                for product, units in self._lines[key].elsewhere:
                    there = LineKey(key.key, product)
                    copied[there] = copied.get(there, 0) + units
        for order_id in self._is_duplicated:
            twin = self._allocations[order_id]
            copied[twin.line] = copied.get(twin.line, 0) + twin.doubled * twin.side.sign
        return copied

    def leader_seen(
        self, order: Order, at: datetime, happened_at: datetime | None = None, *, is_beside: bool = False
    ) -> list[str]:
        """Judge a leader order at first sight, and count what has been filled of it since.

        ``at`` is when that was, at the latest, ``happened_at`` what the broker says; one that ``is_beside`` leaves what
        was not copied. An order with an id of ours is none of the leader's, and its fills are left out of his position.
        Returns the orders of the same line that are exits from now on.
        """
        allocation = self._allocations.get(order.id)
        if allocation is None and self._is_of_before(order):
            return []
        if self._of_first_read:
            self._take_back(order, happened_at or at)
        line = self.line(line_of(order))
        if order.filled_quantity or (allocation is not None and allocation.leader_filled):
            self._note_fill(order, at)
            self._noted.pop(order.id, None)
        if order.is_ours:
            if order.filled_quantity > self._counted(order):
                self._keep(ledger.filled_beside_leader(line, order))
            return []
        if allocation is None:
            allocation = self._first_seen(line, order)
        elif (latest := self._latest.get(line.key)) is None or allocation.created_at > latest.placed:
            self._latest[line.key] = _Latest(order, allocation.created_at, allocation.created_at)
        working = self._working.setdefault(line.key, {})
        working[order.id] = order
        self._versions[line.key] += 1
        if allocation.sized_alone:
            if ledger.wanted_of(order) != allocation.leader_quantity:
                allocation = ledger.resized_alone(allocation, order)
                self._keep(allocation)
        elif allocation.ratio is not None and order.quantity != allocation.leader_quantity:
            line, allocation = ledger.sized(line, allocation, order, allocation.ratio, line.lot_size)
            self._keep(line, allocation)
        others = (self._allocations[member] for member in working if member != order.id)
        line, changed = ledger.leader_filled(line, allocation, order.filled_quantity, others, is_beside=is_beside)
        turned = []
        if changed:
            self._keep(line, *changed)
            if self._allocations[order.id].leader_exited > allocation.leader_exited:
                self._latest_exit[line.key] = order.id
                turned.append(order.id)
        if line.leader_position * order.side.sign < 0 or (changed and line.leader_position):
            again = list(ledger.judged_again(line, (self._allocations[member] for member in working), working))
            self._keep(*again)
            turned += [one.leader_order_id for one in again]
        return turned

    def _first_seen(self, line: Line, order: Order) -> Allocation:
        """Judge an order at first sight; it names the one placed right before it where both may be slices of one."""
        allocation, latest = ledger.first_sight(line, order), self._latest.get(line.key)
        since = placed = allocation.created_at
        if latest is not None and ledger.may_be_slices(latest.order, latest.since, order):
            since = latest.since
            allocation = replace(allocation, slice_after=latest.order.id)
        self._latest[line.key] = _Latest(order, placed, since)
        self._keep(allocation)
        return allocation

    def own_seen(self, order: Order, *, is_copy: bool, at: datetime) -> None:
        """Count the fills of any order of the follower's account; ``at`` is when the last of them was."""
        self._own.seen(order, is_copy=is_copy, at=at)

    def was_told_of(self, order_id: str) -> bool:
        """Whether the broker has told of an order of the follower's account since the start."""
        return self._own.was_told_of(order_id)

    def copy_filled(
        self, leader_order_id: str, part: Part, before: int, after: int, product: Product | None = None
    ) -> None:
        """Count fills of the copies of one part of a leader order: their sum before and after.

        ``product`` is that of the copy that was filled, None for the leader order's.
        """
        allocation = self._allocations.get(leader_order_id)
        if allocation is not None and before != after:
            line = self.line(allocation.line)
            self._keep(*ledger.follower_filled(line, allocation, part, before, after, product))

    def version(self, key: LineKey) -> int:
        """Return a number that grows whenever anything on a line has changed on which the shares of its exits rest."""
        return self._all_changed + self._versions[key]

    def all_changed(self) -> None:
        """Take note that what lies around the orders has changed: the instruments, or what is copied."""
        self._all_changed += 1

    def changed(self, leader_order_id: str) -> None:
        """Take note that the copies of a leader order have changed."""
        if (allocation := self._allocations.get(leader_order_id)) is not None:
            self._versions[allocation.line] += 1

    def reconciled(self, key: LineKey) -> Line:
        """Return what is held on a line, and still there."""
        return self._reconciled(self.line(key))

    def line(self, key: LineKey) -> Line:
        """Return what is held on a line."""
        if known := self._lines.get(key):
            return known
        return Line(key, leader_position=self._leader_base[key])

    def working(self, key: LineKey) -> Iterable[str]:
        """Return the leader orders of a line that may matter yet, in the order in which they were placed.

        The latest exit is always one, the first if it is over: what turns out to be overdue is asked of it.
        """
        working = self._working.get(key, {})
        latest = self._latest_exit.get(key)
        return chain((latest,), working) if latest is not None and latest not in working else working

    def retire(self, leader_order_id: str) -> None:
        """Take note that an order is over at the leader and at the follower."""
        allocation = self._allocations.get(leader_order_id)
        if allocation is not None:
            working = self._working.get(allocation.line, {})
            working.pop(leader_order_id, None)
            self._versions[allocation.line] += 1
            if not working:
                self._working.pop(allocation.line, None)
                self._wanted.pop(allocation.line, None)
            self._sized.pop(leader_order_id, None)

    def is_working(self, leader_order_id: str) -> bool:
        """Whether an order was judged, and may matter yet."""
        allocation = self._allocations.get(leader_order_id)
        if allocation is None:
            return False
        return leader_order_id in self._working.get(allocation.line, {}) or self._is_latest_exit(allocation)

    def _is_latest_exit(self, allocation: Allocation) -> bool:
        return self._latest_exit.get(allocation.line) == allocation.leader_order_id

    def lines_with_orders(self) -> list[LineKey]:
        """Return the lines on which leader orders may matter yet."""
        return list(self._working)

    def latest_exit(self, key: LineKey) -> str | None:
        """Return the leader order by which he has left some of a line last, None where he has left nothing."""
        return self._latest_exit.get(key)

    def allotted_before(self, day: date) -> Iterator[str]:
        """Return the leader orders that were judged, and that are of days before one."""
        return (one.leader_order_id for one in self._allocations.values() if one.trade_date < day)

    def forget(self, leader_order_id: str) -> None:
        """Forget how a leader order was judged; what it has done to its line stays."""
        self.retire(leader_order_id)
        self._noted.pop(leader_order_id, None)
        allocation = self._allocations.pop(leader_order_id, None)
        if allocation is not None and self._is_latest_exit(allocation):
            del self._latest_exit[allocation.line]
        if (
            allocation is not None
            and (latest := self._latest.get(allocation.line))
            and latest.order.id == leader_order_id
        ):
            del self._latest[allocation.line]

    @property
    def own_orders(self) -> Iterable[Order]:
        """The orders of the follower's account of which the broker has told."""
        return self._own.orders

    def forget_own(self, order_ids: Iterable[str]) -> None:
        """Forget orders of the follower's account; their fills stay counted."""
        self._own.forget(order_ids)

    def take_up_again(self, leader_order_id: str, units: int) -> bool:
        """Let an order that was over get more, an entry so many ``units``; False if it never had a size.

        What the leader has left since is not entered any more: in all no more than what he still holds comes to.
        """
        allocation = self._allocations.get(leader_order_id)
        if allocation is None or not (allocation.wanted or allocation.leader_exited):
            return False
        self._working.setdefault(allocation.line, {})[leader_order_id] = None
        line, sign = self.line(allocation.line), allocation.side.sign
        position = max(0, line.leader_position * sign)
        if allocation.sized_alone and allocation.ratio is not None:
            own = allocation.ratio.value * min(position, allocation.leader_entered)
            left = ledger.whole_lots(own, line.lot_size) - allocation.counted
        else:
            ratio = line.ratio.value if line.ratio else Fraction(0)
            left = ledger.whole_lots(ratio * position, line.lot_size) - max(0, line.level * sign)
        units = max(0, min(units, left))
        forgone = max(allocation.forgone, allocation.wanted - allocation.counted - units)
        if forgone != allocation.forgone:
            self._keep(replace(allocation, forgone=forgone))
        return True

    def allocation(self, leader_order_id: str) -> Allocation | None:
        """Return how a leader order was judged, None if it was not yet."""
        return self._allocations.get(leader_order_id)

    def take_unwritten(self) -> list[Line | Allocation]:
        """Return what has changed since the last time, to be written down."""
        unwritten = list(self._unwritten.values())
        self._unwritten.clear()
        return unwritten

    def everything(self) -> list[Line | Allocation]:
        """Return all of it, to be written down again."""
        return [*self._lines.values(), *self._allocations.values()]

    def size_entry(
        self,
        order: Order,
        instrument: Instrument,
        policy: SizingPolicy,
        capitals: Capitals,
        *,
        is_opening: bool,
        largest: int | None = None,
    ) -> tuple[Size, int] | None:
        """Return the entry within the follower's limits, and in all; None while capital is not known.

        ``is_opening``: whether no other entry works on the line. It matters to what has no ratio yet. ``largest`` is
        the most units that one order may have: a leader's order that is larger comes in slices.
        """
        allocation = self._allocations[order.id]
        is_alone = policy.strategy.sizes_each_order and (allocation.ratio is None or allocation.sized_alone)
        slices = self._slices_before(allocation, largest) if is_alone else NO_SLICES
        if slices is None:  # they are forgotten: the share that it has got stays
            is_alone, slices = False, NO_SLICES
        known = self._sized.get(order.id)
        if known is not None and known.of == (allocation, order, instrument, policy, slices):
            return known.size, known.at_most
        line = self.line(allocation.line)
        if allocation.ratio is None:
            if order.quantity % instrument.lot_size:
                why = f"{order.quantity} units are no whole lots of {instrument.lot_size}"
                return Size(0, why, Reason.UNKNOWN_INSTRUMENT), 0
            line = self._reconciled(line)
            if is_opening and not allocation.base and not line.held:
                line = replace(line, ratio=None, residue=Fraction(0), level=0, lost=0)
        if is_alone:
            found = sized_alone(line, allocation, order, instrument, policy, capitals, slices)
        else:
            found = sized_by_ratio(line, allocation, order, instrument, policy, capitals)
        if found is None:
            return None
        if isinstance(found, Size):
            return found, 0
        line, again, size = found
        at_most, again = max(0, again.wanted - again.forgone), replace(again, wanted=size.quantity)
        if again != allocation:
            self._keep(line, again)
        if again.forgone and size.reason is None:
            left = f"{size.arithmetic}, less {again.forgone} that the leader has left"
            size = Size(again.due, left, None if again.due else Reason.LEADER_EXITED)
        self._sized[order.id] = _Sized((self._allocations[order.id], order, instrument, policy, slices), size, at_most)
        if len(self._sized) > SIZES_KEPT:
            del self._sized[next(iter(self._sized))]
        return size, at_most

    def _slices_before(self, allocation: Allocation, largest: int | None) -> SliceRule | None:
        """Return what the slices before an entry come to, if it is one: all but the last are as large as they may be.

        Whether it is one is judged when it is first sized, and stays. None where they are not known any more.
        """
        slices = NO_SLICES
        while allocation.slice_after:
            before, is_judged = self._allocations.get(allocation.slice_after), allocation.ratio is not None
            if before is None:
                return None if is_judged else slices
            if not is_judged and (largest is None or before.leader_quantity < largest):
                return slices
            entered = slices.entered + before.entry_of(before.leader_quantity)
            given = slices.given + max(before.wanted, before.counted)
            slices = SliceRule(entered, given, (before.leader_order_id, *slices.orders))
            allocation = before
        return slices

    def by_product(self, line: Line) -> dict[Product, int]:
        """Return how many units of what is held on a line are in the account, by product, not signed."""
        return {product: self._there(line, product, by_reads=True) for product in line.products}

    def about_to_fill(self, line: Line, side: Side, last_price: Decimal | None) -> dict[Product, int]:
        """Return how many held units other hands' live orders are about to close, by product.

        ``last_price`` is of just now, None if it is not known.
        """
        if not self._own.has_working:
            return {}
        filling = {
            product: self._own.about_to_fill(LineKey(line.key.key, product), side, last_price)
            for product in line.products
        }
        there = self.by_product(line)
        return {product: units for product in filling if (units := min(filling[product], there[product]))}

    def want(self, key: LineKey, now: datetime) -> datetime:
        """Note that an exit wants more of a line than the account seems to have; return since when one does."""
        return self._wanted.setdefault(key, now)

    def is_wanted_no_more(self, key: LineKey) -> None:
        """Note that no exit wants more of a line than the account has."""
        self._wanted.pop(key, None)

    def bound(self, key: LineKey, still: int) -> None:
        """Take no more for held on a line than a read of the account's positions shows: the rest has been left."""
        line, left, by_product = self.line(key), still, {}
        for product in line.products:
            by_product[product] = min(left, abs(line.held_in(product)))
            left -= by_product[product]
        if still < abs(line.held):
            self._keep(ledger.closed_elsewhere(line, still, by_product))

    def lines_held(self) -> list[Line]:
        """Return the lines on which something is held by copying, and still there."""
        lines = [self._reconciled(line) for line in list(self._lines.values()) if line.held]
        return [line for line in lines if self.really_held(line)]

    def close(self, line: Line, now: datetime) -> Allocation:
        """Allot all that is held on a line to be closed, whatever the leader does."""
        allocation = closing.to_close(line, self._allocations.keys(), now)
        self._keep(allocation)
        return allocation

    def still_to_close(self, allocation: Allocation, filled: int) -> int:
        """Return how many units are to be closed in all, ``filled`` included: no more than is still there."""
        return min(allocation.leader_quantity, filled + self.really_held(self._reconciled(self.line(allocation.line))))

    def closed(self, key: LineKey) -> None:
        """Take note that a line was closed: what the leader has there is not this follower's any more."""
        line = self.line(key)
        if not line.held and line.level:
            self._keep(replace(line, level=0, residue=Fraction(0)))

    def held_lots(self) -> int:
        """Return how many lots are held by copying, and still there, whatever the instrument."""
        return sum(self.really_held(line) // line.lot_size for line in self._lines.values() if line.held)

    def held_lot(self, key: LineKey) -> int | None:
        """Return the lot of a line on which something is held by copying, None for any other."""
        line = self._lines.get(key)
        return line.lot_size if line is not None and line.held else None

    def lot_size(self, leader_order_id: str) -> int:
        """Return the lot of a leader order's line, 1 while it is not known."""
        allocation = self._allocations.get(leader_order_id)
        return self.line(allocation.line).lot_size if allocation else 1

    def _reconciled(self, line: Line) -> Line:
        """Return the line with no more held than is there: other hands closed the rest.

        Their orders tell that at once; reads do where they agree and began after an exit was wanted. Before the first
        read nothing is: what their orders of today closed may have been written off already, before a restart.
        """
        if not line.held or not self._own.is_read or (not line.elsewhere and self._own.is_as_copied(line.key)):
            return line
        wanted = self._wanted.get(line.key)
        left = {product: self._there(line, product, by_reads=False) for product in line.products}
        if wanted is not None:
            for product in line.products:
                if self._own.reads.agrees_since(LineKey(line.key.key, product), wanted):
                    left[product] = self._there(line, product, by_reads=True)
        held = sum(left.values())
        if held < abs(line.held):
            for product in line.products:
                key, direction = LineKey(line.key.key, product), _sign(line.held)
                self._own.written_off(key, line.held_in(product) * direction - left[product], direction)
            line = ledger.closed_elsewhere(line, held, left)
            self._keep(line)
        return line

    def really_held(self, line: Line) -> int:
        """Return what is held by copying and is in the account, not signed."""
        return sum(self._there(line, product, by_reads=True) for product in line.products)

    def _there(self, line: Line, product: Product, *, by_reads: bool) -> int:
        """Return how many units of a line the account has in a product, not signed: by orders, or by reads as well."""
        direction, key = _sign(line.held), LineKey(line.key.key, product)
        units = max(0, line.held_in(product) * direction)
        if not self._own.is_read or self._own.is_as_copied(key):
            return units
        if not by_reads:
            return max(0, min(units, units + self._own.beside_by_orders(key, direction) * direction))
        beside = self._own.beside(key) * direction
        return max(0, min(units, units + beside - self._own.lacking(key, direction)))

    def _keep(self, *changed: Line | Allocation) -> None:
        for one in changed:
            if isinstance(one, Line):
                if self._lines.get(one.key) != one:
                    self._unwritten[one.key] = self._lines[one.key] = one
                    self._versions[one.key] += 1
                    if one.elsewhere:
                        self._in_other_products[one.key.key].add(one.key)
            else:
                self._versions[one.line] += 1
                self._allocations[one.leader_order_id] = one
                self._unwritten[one.leader_order_id] = one
                (self._is_duplicated.add if one.doubled else self._is_duplicated.discard)(one.leader_order_id)


def _conversions(
    differences: dict[LineKey, int], expected: Callable[[LineKey], int]
) -> list[tuple[LineKey, LineKey, int]]:
    """Return what was converted from one product to another: source and target line, and the units, signed.

    They are gone from the one and there on the other of the same instrument, and are taken out of the differences.
    """
    found = []
    for source, target in permutations(differences, 2):
        position, gone, more = expected(source), differences[source], differences[target]
        if source.key != target.key or gone * position >= 0 or more * position <= 0:
            continue
        units = min(abs(gone), abs(position), abs(more)) * _sign(position)
        differences[source] += units
        differences[target] -= units
        found.append((source, target, units))
    return found


def _sign(position: int) -> int:
    return (position > 0) - (position < 0)
