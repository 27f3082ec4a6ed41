"""One follower's ledger: a line for each leader, instrument and product, and an allocation for each leader order."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import date

from copytrade.core.model.ledger import Allocation, Line, LineKey
from copytrade.core.model.orders import InstrumentKey


class Ledger:
    """Keeps lines and allocations, counts the changes of each line, and remembers what has yet to be written down."""

    def __init__(self) -> None:
        self.lines: dict[LineKey, Line] = {}
        self.allocations: dict[str, Allocation] = {}
        #: The leader's position where the ledger has no line.
        self.leader_base: Counter[LineKey] = Counter()
        #: The lines of several leaders that the broker nets in a line of the account.
        self._netted: defaultdict[LineKey, list[LineKey]] = defaultdict(list)
        self._opened = 0
        self._in_other_products: defaultdict[InstrumentKey, set[LineKey]] = defaultdict(set)
        self._duplicated: set[str] = set()
        self._unwritten: dict[LineKey | str, Line | Allocation] = {}
        self._versions: Counter[LineKey] = Counter()
        self._all_changed = 0

    def load(self, lines: Iterable[Line], allocations: Iterable[Allocation]) -> None:
        """Take over what was written down."""
        for line in lines:
            self._index(line)
            self.lines[line.key] = line
            if line.elsewhere:
                self._in_other_products[line.key.key].add(line.key)
        for allocation in allocations:
            self.allocations[allocation.leader_order_id] = allocation
            if allocation.doubled:
                self._duplicated.add(allocation.leader_order_id)

    def keep(self, *changed: Line | Allocation) -> None:
        """Keep lines and allocations as they are now, to be written down."""
        for one in changed:
            if isinstance(one, Line):
                if self.lines.get(one.key) != one:
                    self._index(one)
                    self._unwritten[one.key] = self.lines[one.key] = one
                    self._versions[one.key] += 1
                    if one.elsewhere:
                        self._in_other_products[one.key.key].add(one.key)
            else:
                self._versions[one.line] += 1
                self.allocations[one.leader_order_id] = one
                self._unwritten[one.leader_order_id] = one
                (self._duplicated.add if one.doubled else self._duplicated.discard)(one.leader_order_id)

    def _index(self, line: Line) -> None:
        """Note a line of one of several leaders among those of its account; call it before the line is kept."""
        if line.key.leader:
            self._opened = max(self._opened, line.opened)
            if line.key not in self.lines:
                self._netted[line.key.account].append(line.key)

    def next_opened(self) -> int:
        """Return the number of a line that is opened now."""
        return self._opened + 1

    def lines_at(self, account: LineKey) -> list[Line]:
        """Return the lines of all leaders that the broker nets in a line of the account."""
        known = self.lines.get(account)
        return [*([] if known is None else [known]), *(self.lines[key] for key in self._netted.get(account, ()))]

    def line(self, key: LineKey) -> Line:
        """Return a line; one that the ledger does not have yet is empty but for the leader's position."""
        if known := self.lines.get(key):
            return known
        return Line(key, leader_position=self.leader_base[key])

    def allocation(self, leader_order_id: str) -> Allocation | None:
        """Return how a leader order was judged, None if it was not yet."""
        return self.allocations.get(leader_order_id)

    def lot_size(self, leader_order_id: str) -> int:
        """Return the lot of a leader order's line, 1 while it is not known."""
        allocation = self.allocations.get(leader_order_id)
        return self.line(allocation.line).lot_size if allocation else 1

    def held_lot(self, key: LineKey) -> int | None:
        """Return the lot of a line on which something is held by copying, None for any other line."""
        line = self.lines.get(key)
        return line.lot_size if line is not None and line.held else None

    def copied(self) -> dict[LineKey, int]:
        """Return what the account holds by copying, all leaders netted, in the product in which it has it.

        Units are signed, and duplicates are included.
        """
        copied: dict[LineKey, int] = {}
        for key, line in self.lines.items():
            copied[key.account] = copied.get(key.account, 0) + line.held_in(key.product)
        for keys in self._in_other_products.values():
            for key in keys:
                for product, units in self.lines[key].elsewhere:
                    there = LineKey(key.key, product)
                    copied[there] = copied.get(there, 0) + units
        for order_id in self._duplicated:
            twin = self.allocations[order_id]
            there = twin.line.account
            copied[there] = copied.get(there, 0) + twin.doubled * twin.side.sign
        return copied

    def lines_in(self, source: LineKey, target: LineKey) -> list[Line]:
        """Return the lines that may have units in the source product; the target's line is first, then the source's."""
        keys = self._in_other_products.get(source.key, set()) | {line.key for line in self.lines_at(source)}
        ordered = sorted(keys, key=lambda key: (key.account != target, key.account != source, key.leader))
        return [self.lines[key] for key in ordered if key in self.lines]

    def opened_before(self, line: Line, account: LineKey) -> list[Line]:
        """Return the lines that hold units of a side in a line of the account, and were opened before ``line``."""
        if not line.key.leader:
            return []
        others = [*self.lines_at(account), *(self.lines[key] for key in self._in_other_products.get(account.key, ()))]
        place = line.opened, line.key
        return [other for other in dict.fromkeys(others) if (other.opened, other.key) < place]

    def version(self, key: LineKey) -> int:
        """Return a number that grows with every change of a line, its allocations, its copies or the context."""
        return self._all_changed + self._versions[key]

    def line_changed(self, key: LineKey) -> None:
        """Count a change of the orders of a line."""
        self._versions[key] += 1

    def copies_changed(self, leader_order_id: str) -> None:
        """Count a change of the copies of a leader order."""
        if (allocation := self.allocations.get(leader_order_id)) is not None:
            self._versions[allocation.line] += 1

    def all_changed(self) -> None:
        """Count a change of the context of all orders: the instruments, or what is copied."""
        self._all_changed += 1

    def allocated_before(self, day: date) -> Iterator[str]:
        """Yield the judged leader orders of days before ``day``."""
        return (one.leader_order_id for one in self.allocations.values() if one.trade_date < day)

    def take_unwritten(self) -> list[Line | Allocation]:
        """Return what has changed since the last call, to be written down."""
        unwritten = list(self._unwritten.values())
        self._unwritten.clear()
        return unwritten

    def everything(self) -> list[Line | Allocation]:
        """Return all lines and allocations, to be written down again."""
        return [*self.lines.values(), *self.allocations.values()]
