"""What the leader and one follower hold, kept up to date line by line, and what each leader order allots from it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from itertools import chain
from typing import NamedTuple

from msgspec.structs import replace

from copytrade import closing, ledger
from copytrade.drift import Apart, all_apart
from copytrade.entry_sizing import NO_SLICES, Slices, sized_alone, sized_by_ratio
from copytrade.instruments import Instrument
from copytrade.ledger import Allotment, Baseline, Line, LineKey, Part, Working, line_of
from copytrade.orders import Order
from copytrade.reasons import Reason
from copytrade.shelf import Shelf
from copytrade.sizing import Capitals, Size, SizingPolicy

#: How many entries are remembered as they were sized: hundreds may rest, and most are not looked at again.
SIZES_KEPT = 256


class _Sized(NamedTuple):
    """An entry as it was sized, which is how it is sized again as long as it is ``of`` the same."""

    of: tuple[Allotment, Order, Instrument, SizingPolicy, Slices]
    size: Size
    at_most: int


class _Latest(NamedTuple):
    """The leader order of a line that was placed last, and when the first was of those it may be a slice with."""

    order: Order
    placed: datetime
    since: datetime


class Positions:
    """The ledger of one follower, beside the leader's and the follower's own net positions.

    A baseline is an account's position without the fills of the orders that are told of besides: those are counted as
    they become known, each once, in any order of their arrival.
    """

    def __init__(self) -> None:
        self._lines: dict[LineKey, Line] = {}
        self._allotments = Shelf(Allotment)
        self._working: dict[LineKey, dict[str, Order | None]] = {}
        self._latest_exit: dict[LineKey, str] = {}
        self._leader_base: Baseline | None = None
        self._own_base: Baseline | None = None
        self._own_fills: Counter[LineKey] = Counter()
        self._own_orders = Shelf(Order)
        self._twinned: set[str] = set()
        self._unwritten: dict[LineKey | str, Line | Allotment] = {}
        self._sized: dict[str, _Sized] = {}
        self._latest: dict[LineKey, _Latest] = {}
        self._versions: Counter[LineKey] = Counter()
        self._all_changed = 0

    def load(self, lines: Iterable[Line], allotments: Iterable[Allotment]) -> None:
        """Take over what was written down."""
        self._lines = {line.key: line for line in lines}
        ordered = sorted(allotments, key=lambda allotment: (allotment.created_at, allotment.leader_order_id))
        for allotment in ordered:
            self._allotments[allotment.leader_order_id] = allotment
            if allotment.doubled:
                self._twinned.add(allotment.leader_order_id)
            if closing.is_closing(allotment.leader_order_id):
                continue
            if allotment.trade_date == ordered[-1].trade_date:  # what is older comes back if it is told of again
                self._working.setdefault(allotment.line, {})[allotment.leader_order_id] = None
            if allotment.leader_exited:
                self._latest_exit[allotment.line] = allotment.leader_order_id

    def know_leader(self, baseline: Baseline) -> list[tuple[Line, Line]]:
        """Take the leader's positions; return the lines that this corrects.

        What was written down may be wrong by what happened while nobody looked: trades of another day, an expiry.
        """
        self._leader_base = baseline
        corrected = []
        told: Counter[LineKey] = Counter()
        for one in self._allotments.values():
            if one.leader_order_id in baseline.without:
                told[one.line] += one.leader_filled * one.side.sign
        for key, line in self._lines.items():
            position = baseline.positions.get(key, 0) + told[key]
            if position != line.leader_position:
                corrected.append((line, ledger.corrected(line, position)))
        for _, line in corrected:
            self._keep(line)
        return corrected

    def know_own(self, baseline: Baseline) -> None:
        """Take the follower's own positions."""
        self._own_base = baseline
        orders, self._own_orders, self._own_fills = self._own_orders, Shelf(Order), Counter()
        for order in orders.values():
            self.own_seen(order)

    @property
    def is_known(self) -> bool:
        """Whether both accounts' positions have been read."""
        return self._leader_base is not None and self._own_base is not None

    @property
    def own_is_known(self) -> bool:
        """Whether the follower's positions have been read."""
        return self._own_base is not None

    @property
    def leader_is_known(self) -> bool:
        """Whether the leader's positions have been read."""
        return self._leader_base is not None

    def leader_seen(self, order: Order) -> list[str]:
        """Judge a leader order at first sight, and count what has been filled of it since.

        Returns the orders of the same line that are exits from now on.
        """
        allotment = self._allotments.get(order.id)
        line = self.line(line_of(order))
        if allotment is None and self._leader_base is not None and self._leader_base.tells_of(order):
            return []
        if allotment is None:
            allotment = self._first_seen(line, order)
        elif (latest := self._latest.get(line.key)) is None or allotment.created_at > latest.placed:
            self._latest[line.key] = _Latest(order, allotment.created_at, allotment.created_at)
        working = self._working.setdefault(line.key, {})
        working[order.id] = order
        self._versions[line.key] += 1
        if allotment.sized_alone:
            if ledger.wanted_of(order) != allotment.leader_quantity:
                allotment = ledger.resized_alone(allotment, order)
                self._keep(allotment)
        elif allotment.ratio is not None and order.quantity != allotment.leader_quantity:
            line, allotment = ledger.sized(line, allotment, order, allotment.ratio, line.lot_size)
            self._keep(line, allotment)
        others = (self._allotments[member] for member in working if member != order.id)
        line, changed = ledger.leader_filled(line, allotment, order.filled_quantity, others)
        turned = []
        if changed:
            self._keep(line, *changed)
            if self._allotments[order.id].leader_exited > allotment.leader_exited:
                self._latest_exit[line.key] = order.id
                turned.append(order.id)
        if line.leader_position:
            again = list(ledger.judged_again(line, (self._allotments[member] for member in working), working))
            self._keep(*again)
            turned += [one.leader_order_id for one in again]
        return turned

    def _first_seen(self, line: Line, order: Order) -> Allotment:
        """Judge an order at first sight; it names the one placed right before it where both may be slices of one."""
        allotment, latest = ledger.first_sight(line, order), self._latest.get(line.key)
        since = placed = allotment.created_at
        if latest is not None and ledger.may_be_slices(latest.order, latest.since, order):
            since = latest.since
            allotment = replace(allotment, slice_after=latest.order.id)
        self._latest[line.key] = _Latest(order, placed, since)
        self._keep(allotment)
        return allotment

    def own_seen(self, order: Order) -> None:
        """Count the fills of any order of the follower's account, whoever placed it."""
        known = self._own_orders.get(order.id)
        self._own_orders[order.id] = order
        if self._own_base is None or not self._own_base.tells_of(order):
            more = order.filled_quantity - (known.filled_quantity if known else 0)
            self._own_fills[line_of(order)] += more * order.side.sign

    def was_told_of(self, order_id: str) -> bool:
        """Whether the broker has told of an order of the follower's account since the start."""
        return order_id in self._own_orders

    def copy_filled(self, leader_order_id: str, part: Part, before: int, after: int) -> None:
        """Count fills of the copies of one part of a leader order: their sum before and after."""
        allotment = self._allotments.get(leader_order_id)
        if allotment is not None and before != after:
            self._keep(*ledger.follower_filled(self.line(allotment.line), allotment, part, before, after))

    def version(self, key: LineKey) -> int:
        """Return a number that grows whenever anything on a line has changed on which the shares of its exits rest."""
        return self._all_changed + self._versions[key]

    def all_changed(self) -> None:
        """Take note that what lies around the orders has changed: the instruments, or what is copied."""
        self._all_changed += 1

    def changed(self, leader_order_id: str) -> None:
        """Take note that the copies of a leader order have changed."""
        if (allotment := self._allotments.get(leader_order_id)) is not None:
            self._versions[allotment.line] += 1

    def reconciled(self, key: LineKey) -> Line:
        """Return what is held on a line, and still there."""
        return self._reconciled(self.line(key))

    def line(self, key: LineKey) -> Line:
        """Return what is held on a line."""
        if known := self._lines.get(key):
            return known
        return Line(key, leader_position=self._leader_base.positions.get(key, 0) if self._leader_base else 0)

    def working(self, key: LineKey) -> Iterable[str]:
        """Return the leader orders of a line that may matter yet, in the order in which they were placed.

        The latest exit is always one, the first if it is over: what turns out to be overdue is asked of it.
        """
        working = self._working.get(key, {})
        latest = self._latest_exit.get(key)
        return chain((latest,), working) if latest is not None and latest not in working else working

    def retire(self, leader_order_id: str) -> None:
        """Take note that an order is over at the leader and at the follower."""
        allotment = self._allotments.get(leader_order_id)
        if allotment is not None:
            working = self._working.get(allotment.line, {})
            working.pop(leader_order_id, None)
            self._versions[allotment.line] += 1
            if not working:
                self._working.pop(allotment.line, None)
            self._sized.pop(leader_order_id, None)

    def is_working(self, leader_order_id: str) -> bool:
        """Whether an order was judged, and may matter yet."""
        allotment = self._allotments.get(leader_order_id)
        if allotment is None:
            return False
        return leader_order_id in self._working.get(allotment.line, {}) or self._is_latest_exit(allotment)

    def put_away(self, leader_order_id: str, own_order_ids: Iterable[str]) -> None:
        """Keep in less room how an order was judged that is over, and the follower's own orders for it."""
        if leader_order_id in self._allotments:
            self._allotments.put_away(leader_order_id)
        for order_id in own_order_ids:
            if order_id in self._own_orders:
                self._own_orders.put_away(order_id)

    def _is_latest_exit(self, allotment: Allotment) -> bool:
        return self._latest_exit.get(allotment.line) == allotment.leader_order_id

    def lines_with_orders(self) -> list[LineKey]:
        """Return the lines on which leader orders may matter yet."""
        return list(self._working)

    def latest_exit(self, key: LineKey) -> str | None:
        """Return the leader order by which he has left some of a line last, None where he has left nothing."""
        return self._latest_exit.get(key)

    def allotted_before(self, day: date) -> Iterator[str]:
        """Return the leader orders that were judged, and that are of days before one."""
        return (one.leader_order_id for one in self._allotments.values() if one.trade_date < day)

    def forget(self, leader_order_id: str) -> None:
        """Forget how a leader order was judged; what it has done to its line stays."""
        self.retire(leader_order_id)
        allotment = self._allotments.pop(leader_order_id)
        if allotment is not None and self._is_latest_exit(allotment):
            del self._latest_exit[allotment.line]
        if (
            allotment is not None
            and (latest := self._latest.get(allotment.line))
            and latest.order.id == leader_order_id
        ):
            del self._latest[allotment.line]

    @property
    def own_orders(self) -> Iterable[Order]:
        """The orders of the follower's account of which the broker has told."""
        return self._own_orders.values()

    def forget_own(self, order_ids: Iterable[str]) -> None:
        """Forget orders of the follower's account; their fills stay counted."""
        for order_id in order_ids:
            self._own_orders.pop(order_id)

    def take_up_again(self, leader_order_id: str, units: int) -> bool:
        """Let an order that was over get more, an entry so many ``units``; False if it never had a size.

        What the leader has left since is not entered any more: in all no more than what he still holds comes to.
        """
        allotment = self._allotments.get(leader_order_id)
        if allotment is None or not (allotment.wanted or allotment.leader_exited):
            return False
        self._working.setdefault(allotment.line, {})[leader_order_id] = None
        line, sign = self.line(allotment.line), allotment.side.sign
        position = max(0, line.leader_position * sign)
        if allotment.sized_alone and allotment.ratio is not None:
            own = allotment.ratio.value * min(position, allotment.leader_entered)
            left = ledger.whole_lots(own, line.lot_size) - allotment.counted
        else:
            ratio = line.ratio.value if line.ratio else Fraction(0)
            left = ledger.whole_lots(ratio * position, line.lot_size) - max(0, line.level * sign)
        units = max(0, min(units, left))
        forgone = max(allotment.forgone, allotment.wanted - allotment.counted - units)
        if forgone != allotment.forgone:
            self._keep(replace(allotment, forgone=forgone))
        return True

    def allotment(self, leader_order_id: str) -> Allotment | None:
        """Return how a leader order was judged, None if it was not yet."""
        return self._allotments.get(leader_order_id)

    def take_unwritten(self) -> list[Line | Allotment]:
        """Return what has changed since the last time, to be written down."""
        unwritten = list(self._unwritten.values())
        self._unwritten.clear()
        return unwritten

    def everything(self) -> list[Line | Allotment]:
        """Return all of it, to be written down again."""
        return [*self._lines.values(), *self._allotments.values()]

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
        allotment = self._allotments[order.id]
        is_alone = policy.strategy.sizes_each_order and (allotment.ratio is None or allotment.sized_alone)
        slices = self._slices_before(allotment, largest) if is_alone else NO_SLICES
        if slices is None:  # they are forgotten: the share that it has got stays
            is_alone, slices = False, NO_SLICES
        known = self._sized.get(order.id)
        if known is not None and known.of == (allotment, order, instrument, policy, slices):
            return known.size, known.at_most
        line = self.line(allotment.line)
        if allotment.ratio is None:
            if order.quantity % instrument.lot_size:
                why = f"{order.quantity} units are no whole lots of {instrument.lot_size}"
                return Size(0, why, Reason.UNKNOWN_INSTRUMENT), 0
            line = self._reconciled(line)
            if is_opening and not allotment.base and not line.held:
                line = replace(line, ratio=None, residue=Fraction(0), level=0, lost=0)
        if is_alone:
            found = sized_alone(line, allotment, order, instrument, policy, capitals, slices)
        else:
            found = sized_by_ratio(line, allotment, order, instrument, policy, capitals)
        if found is None:
            return None
        if isinstance(found, Size):
            return found, 0
        line, again, size = found
        at_most, again = max(0, again.wanted - again.forgone), replace(again, wanted=size.quantity)
        if again != allotment:
            self._keep(line, again)
        if again.forgone and size.reason is None:
            left = f"{size.arithmetic}, less {again.forgone} that the leader has left"
            size = Size(again.due, left, None if again.due else Reason.LEADER_EXITED)
        self._sized[order.id] = _Sized((self._allotments[order.id], order, instrument, policy, slices), size, at_most)
        if len(self._sized) > SIZES_KEPT:
            del self._sized[next(iter(self._sized))]
        return size, at_most

    def _slices_before(self, allotment: Allotment, largest: int | None) -> Slices | None:
        """Return what the slices before an entry come to, if it is one: all but the last are as large as they may be.

        Whether it is one is judged when it is first sized, and stays. None where they are not known any more.
        """
        slices = NO_SLICES
        while allotment.slice_after:
            before, is_judged = self._allotments.get(allotment.slice_after), allotment.ratio is not None
            if before is None:
                return None if is_judged else slices
            if not is_judged and (largest is None or before.leader_quantity < largest):
                return slices
            entered = slices.entered + before.entry_of(before.leader_quantity)
            given = slices.given + max(before.wanted, before.counted)
            slices = Slices(entered, given, (before.leader_order_id, *slices.orders))
            allotment = before
        return slices

    def exit_of(self, order: Order, exits: Sequence[Working]) -> int:
        """Return how many units an exit is yet to take.

        What is held is bounded by the account's net position, whoever else has traded in it.
        """
        line = self._reconciled(self.line(line_of(order)))
        held = abs(line.held)
        share = ledger.exit_shares(line, exits, held).get(order.id, 0)
        is_stop = order.order_type.has_trigger
        beside = sum(one.open for one in exits if one.is_stop is is_stop and one.leader_order_id != order.id)
        return min(share, max(0, held - beside))

    def bound(self, key: LineKey, still: int) -> None:
        """Take no more for held on a line than a read of the account's positions shows: the rest has been left."""
        line = self.line(key)
        if still < abs(line.held):
            self._keep(ledger.closed_elsewhere(line, still))

    def lines_held(self) -> list[Line]:
        """Return the lines on which something is held by copying, and still there."""
        lines = [self._reconciled(line) for line in list(self._lines.values()) if line.held]
        return [line for line in lines if line.held]

    def close(self, line: Line, now: datetime) -> Allotment:
        """Allot all that is held on a line to be closed, whatever the leader does."""
        allotment = closing.to_close(line, self._allotments.keys(), now)
        self._keep(allotment)
        return allotment

    def still_to_close(self, allotment: Allotment, filled: int) -> int:
        """Return how many units are to be closed in all, ``filled`` included: no more than is still there."""
        return min(allotment.leader_quantity, filled + abs(self._reconciled(self.line(allotment.line)).held))

    def closed(self, key: LineKey) -> None:
        """Take note that a line was closed: what the leader has there is not this follower's any more."""
        line = self.line(key)
        if not line.held and line.level:
            self._keep(replace(line, level=0, residue=Fraction(0)))

    def held_lots(self) -> int:
        """Return how many lots are held by copying, and still there, whatever the instrument."""
        return sum(self._really_held(line) // line.lot_size for line in self._lines.values() if line.held)

    def apart(self, net: Mapping[LineKey, int]) -> list[Apart]:
        """Return what the account holds apart from its copies, by a read of its ``net`` positions.

        What it had before, on lines where nothing is copied, is its own business. Nothing is told before the account's
        own positions are known.
        """
        if self._own_base is None:
            return []
        base = self._own_base.positions
        known = {key: base.get(key, 0) + self._own_fills[key] for key in {*base, *self._own_fills}}
        held = {key: line.held + self._doubled(key) for key, line in self._lines.items()}
        found = all_apart(net, held, known)
        return [one for one in found if one.line in held or self._own_fills[one.line] or one.unseen]

    def lot_size(self, leader_order_id: str) -> int:
        """Return the lot of a leader order's line, 1 while it is not known."""
        allotment = self._allotments.get(leader_order_id)
        return self.line(allotment.line).lot_size if allotment else 1

    def _reconciled(self, line: Line) -> Line:
        """Return the line with no more held than the account's net position: the rest was closed by other hands."""
        held = self._really_held(line)
        if held < abs(line.held):
            line = ledger.closed_elsewhere(line, held)
            self._keep(line)
        return line

    def _really_held(self, line: Line) -> int:
        """Return what is held by copying and is in the account's net position, not signed."""
        if self._own_base is None or not line.held:
            return abs(line.held)
        direction = 1 if line.held > 0 else -1
        net = self._own_base.positions.get(line.key, 0) + self._own_fills[line.key] - self._doubled(line.key)
        return min(abs(line.held), max(0, net * direction))

    def _doubled(self, key: LineKey) -> int:
        """Return what twins have filled on a line and is not flattened yet, signed."""
        twins = (self._allotments[order_id] for order_id in self._twinned)
        return sum(twin.doubled * twin.side.sign for twin in twins if twin.line == key)

    def _keep(self, *changed: Line | Allotment) -> None:
        for one in changed:
            if isinstance(one, Line):
                if self._lines.get(one.key) != one:
                    self._unwritten[one.key] = self._lines[one.key] = one
                    self._versions[one.key] += 1
            else:
                self._versions[one.line] += 1
                self._allotments[one.leader_order_id] = one
                self._unwritten[one.leader_order_id] = one
                (self._twinned.add if one.doubled else self._twinned.discard)(one.leader_order_id)
