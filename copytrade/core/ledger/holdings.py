"""What a follower holds by copying and really has in its account: the ledger's lines, bounded by orders and reads."""

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from msgspec.structs import replace

from copytrade.core.ledger import closing_orders as closing
from copytrade.core.ledger.arithmetic.conversions import conversions, moved_by_follower
from copytrade.core.ledger.arithmetic.corrections import closed_elsewhere, found_again, left_alone
from copytrade.core.ledger.arithmetic.lots import sign
from copytrade.core.ledger.drift.apart import Apart
from copytrade.core.ledger.ledger import Ledger
from copytrade.core.ledger.reads.own_positions import OwnNet
from copytrade.core.model.ledger import Allocation, Line, LineKey
from copytrade.core.model.orders import Product, Side


class Holdings:
    """Corrects the follower's side of the ledger by what its account shows."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._is_assumed = False
        self._wanted: dict[LineKey, datetime] = {}
        self._written_off: list[tuple[Line, Line]] = []
        #: The account's orders, and what other hands hold in it.
        self.account = OwnNet()

    @property
    def are_known(self) -> bool:
        """Whether the account's positions have been read, or nothing waits for that any more."""
        return self._is_assumed or self.account.reads.last_read is not None

    @property
    def need_read(self) -> bool:
        """Whether a difference of the account's positions, or an exit, waits for another read."""
        return self.account.reads.needs_another() or bool(self._wanted)

    @property
    def suspected(self) -> Mapping[LineKey, int]:
        """The differences between the last read and the orders that are not confirmed, in units."""
        return self.account.reads.suspected

    def assume(self) -> None:
        """Do without reads of the account's positions."""
        self._is_assumed = True

    def read(self, net: Mapping[LineKey, int], at: datetime) -> list[Apart]:
        """Take in a read of the account's positions, begun at ``at``; return what differs from the copies."""
        copied = self._ledger.copied()
        sides = self._sides(copied)
        self.account.read(net, at, copied, sides)
        return self.account.apart(net, copied, sides)

    def _sides(self, copied: Mapping[LineKey, int]) -> dict[tuple[LineKey, int], int]:
        """Return the units held by copying, by line of the account and side, 1 for long and -1 for short.

        A line of the account has both sides where leaders hold opposite positions.
        """
        of_leaders = Counter[tuple[LineKey, int]]()
        for key, line in self._ledger.lines.items():
            if key.leader and line.held:
                for product in line.products:
                    units = line.held_in(product)
                    of_leaders[LineKey(key.key, product), sign(units)] += abs(units)
        return {**{(key, sign(units)): abs(units) for key, units in copied.items() if units}, **of_leaders}

    def confirm(self, book_read: datetime, waiting: Container[LineKey]) -> list[tuple[Line, Line]]:
        """Accept what two reads and a complete read of the own book agree on; return the lines that change.

        Lines in ``waiting`` wait for another read.
        """
        copied = self._ledger.copied()
        confirmed = self.account.confirm(book_read, waiting)
        changed = self._converted(confirmed, copied)
        for key, difference in confirmed.items():
            left = difference
            for known in self._ledger.lines_at(key):
                if found := self._found_again(known, left):
                    left -= found
                    self._ledger.keep(found_again(known, found))
                    self.account.found_again(key, found)
                    changed.append((known, self._ledger.lines[known.key]))
        return changed + self._expired()

    def _converted(self, confirmed: dict[LineKey, int], copied: Mapping[LineKey, int]) -> list[tuple[Line, Line]]:
        """Move what the follower has converted between the products of its lines."""
        changed = []
        for source, target, units in conversions(confirmed, list(confirmed), lambda key: copied.get(key, 0)):
            left, direction = abs(units), sign(units)
            for line in self._ledger.lines_in(source, target):
                moved = min(left, max(0, line.held_in(source.product) * direction)) * direction
                if moved:
                    after = moved_by_follower(line, source.product, target.product, moved)
                    self._ledger.keep(after)
                    self.account.moved(source, -moved)
                    self.account.moved(target, moved)
                    left -= abs(moved)
                    changed.append((line, after))
        return changed

    def _found_again(self, line: Line, difference: int) -> int:
        """Return how many of the units that appeared on a line, signed, had been written off as closed."""
        lost = sign(line.held or line.level or line.leader_position) * line.lost
        if not lost:  # all is over there: units that no order tells of are ours if reads had written off as many
            written_off = self.account.written_off_by_reads(line.key.account)
            lost = min(abs(written_off), line.lost) * sign(written_off)
        return min(abs(difference), abs(lost)) * sign(lost) if difference * lost > 0 else 0

    def _expired(self) -> list[tuple[Line, Line]]:
        """Write off what is held on lines that neither the leader nor the account has any more: an expiry."""
        changed = []
        for known in [line for key in self.account.differing for line in self._ledger.lines_at(key)]:
            if not known.held or known.elsewhere or known.leader_position or known.level:
                continue
            account, direction = known.key.account, sign(known.held)
            against = -self.account.beside(account) * direction
            if self._taken(known, account, against) >= abs(known.held):
                self.account.written_off(account, abs(known.held), direction)
                self._ledger.keep(closed_elsewhere(known, 0, {known.key.product: 0}))
                changed.append((known, self._ledger.lines[known.key]))
        return changed

    def reconciled(self, key: LineKey) -> Line:
        """Return a line with no more held than the account has; the rest is written off as closed by other hands.

        Orders of other hands count at once. Reads count if they agree and began after an exit was wanted. Before the
        first read nothing is written off: it may have been already, before a restart.
        """
        return self.reconciled_line(self._ledger.line(key))

    def reconciled_line(self, line: Line) -> Line:
        """Return the line as ``reconciled`` does."""
        if not line.held or not self.account.is_read:
            return line
        if not line.elsewhere and self.account.is_as_copied(line.key.account):
            return line
        wanted = self._wanted.get(line.key)
        left = {product: self._there(line, product, by_reads=False) for product in line.products}
        if wanted is not None:
            for product in line.products:
                if self.account.reads.agrees_since(LineKey(line.key.key, product), wanted):
                    left[product] = self._there(line, product, by_reads=True)
        held = sum(left.values())
        if held < abs(line.held):
            for product in line.products:
                key, direction = LineKey(line.key.key, product), sign(line.held)
                self.account.written_off(key, line.held_in(product) * direction - left[product], direction)
            before, line = line, closed_elsewhere(line, held, left)
            self._written_off.append((before, line))
            self._ledger.keep(line)
        return line

    def take_written_off(self) -> Sequence[tuple[Line, Line]]:
        """Return each line from which ``reconciled`` wrote something off, before and after; each one once."""
        taken, self._written_off = self._written_off, []
        return taken

    def really_held(self, line: Line) -> int:
        """Return how many units are held by copying and are in the account, not signed."""
        return sum(self._there(line, product, by_reads=True) for product in line.products)

    def by_product(self, line: Line) -> dict[Product, int]:
        """Return how many of the held units are in the account, by product, not signed."""
        return {product: self._there(line, product, by_reads=True) for product in line.products}

    def _there(self, line: Line, product: Product, *, by_reads: bool) -> int:
        """Return how many units of a line the account has in a product, not signed: by orders, or by reads as well."""
        direction, key = sign(line.held), LineKey(line.key.key, product)
        units = max(0, line.held_in(product) * direction)
        if not self.account.is_read or self.account.is_as_copied(key):
            return units
        if by_reads:
            against = self.account.lacking(key, direction) - self.account.beside(key) * direction
        else:
            against = -self.account.beside_by_orders(key, direction) * direction
        return max(0, min(units, units - self._taken(line, key, against)))

    def _taken(self, line: Line, account: LineKey, against: int) -> int:
        """Return how many units other hands take from a line, if they hold so many ``against`` its side in its account.

        They take from the lines of that side that were opened first.
        """
        direction = sign(line.held)
        before = self._ledger.opened_before(line, account) if against > 0 else []
        return against - sum(max(0, other.held_in(account.product) * direction) for other in before)

    def about_to_fill(self, line: Line, side: Side, last_price: Decimal | None) -> dict[Product, int]:
        """Return how many held units live orders of other hands are about to close, by product.

        ``last_price`` is a recent one, None if it is not known.
        """
        if not self.account.has_working:
            return {}
        filling = {product: self._filling(line, product, side, last_price) for product in line.products}
        there = self.by_product(line)
        return {product: units for product in filling if (units := min(filling[product], there[product]))}

    def _filling(self, line: Line, product: Product, side: Side, last_price: Decimal | None) -> int:
        """Return how many units in a product other hands are about to close, less those of lines opened before."""
        account, direction = LineKey(line.key.key, product), sign(line.held)
        units = self.account.about_to_fill(account, side, last_price)
        before = [one for one in self._ledger.opened_before(line, account) if one.held_in(product) * direction > 0]
        return max(0, units - sum(self._there(one, product, by_reads=True) for one in before))

    def of_other_leaders(self, key: LineKey) -> int:
        """Return how many units, signed, the account holds in a line's product by copying other leaders."""
        own = self._ledger.line(key).held_in(key.product)
        return self._ledger.copied().get(key.account, 0) - own if key.leader else 0

    def want(self, key: LineKey, now: datetime) -> datetime:
        """Note that an exit wants more of a line than the account seems to have; return since when one does."""
        return self._wanted.setdefault(key, now)

    def is_wanted_no_more(self, key: LineKey) -> None:
        """Note that no exit wants more of a line than the account has."""
        self._wanted.pop(key, None)

    def bound(self, key: LineKey, still: int) -> None:
        """Reduce what is held on a line to the ``still`` units that a read of the account shows."""
        line, left, by_product = self._ledger.line(key), still, {}
        for product in line.products:
            by_product[product] = min(left, abs(line.held_in(product)))
            left -= by_product[product]
        if still < abs(line.held):
            self._ledger.keep(closed_elsewhere(line, still, by_product))

    def take_back_write_off(self, key: LineKey, units: int, *, is_counted: bool) -> None:
        """Hold units (signed) again that were written off as closed, because the exit that closed them is shown late.

        ``is_counted``: all of them were written off, else as many as the line has lost. Units that the last read lacks
        are closed besides.
        """
        line, direction = self._ledger.line(key), sign(units)
        closed = abs(units) if is_counted else min(abs(units), line.lost)
        account = key.account
        back = closed - self.account.lacking(account, direction) - max(0, -self.account.beside(account) * direction)
        if back > 0:
            held, lost = line.held + back * direction, max(0, line.lost - back)
            self._ledger.keep(replace(line, held=held, lost=lost))

    def lines_held(self) -> list[Line]:
        """Return the lines on which something is held by copying and is in the account."""
        lines = [self.reconciled_line(line) for line in list(self._ledger.lines.values()) if line.held]
        return [line for line in lines if self.really_held(line)]

    def lots_held(self) -> int:
        """Return how many lots are held by copying and are in the account, over all instruments."""
        return sum(self.really_held(line) // line.lot_size for line in self._ledger.lines.values() if line.held)

    def close(self, line: Line, now: datetime) -> Allocation:
        """Return an allocation that closes all that is held on a line, whatever the leader does."""
        allocation = closing.to_close(line, self._ledger.allocations.keys(), now)
        self._ledger.keep(allocation)
        return allocation

    def still_to_close(self, allocation: Allocation, filled: int) -> int:
        """Return how many units are to be closed in all, ``filled`` included: no more than the account still has."""
        return min(allocation.leader_quantity, filled + self.really_held(self.reconciled(allocation.line)))

    def leave(self, line: Line) -> None:
        """Take nothing of a line as copied any more."""
        self._ledger.keep(left_alone(line))

    def closed(self, key: LineKey) -> None:
        """Note that a line was closed: the follower has no share in what the leader still holds there."""
        line = self._ledger.line(key)
        if not line.held and (line.level or line.ahead):
            self._ledger.keep(replace(line, level=0, ahead=0, residue=Fraction(0)))
