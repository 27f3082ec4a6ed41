"""Today's orders of one account, and how a new observation of an order is merged into what is known of it.

The order-update socket has no sequence numbers; it repeats itself, loses messages and reorders them, and an order-book
row may be older than a frame that overtook it. So an order is merged field by field: filling never goes back, an ended
order never comes to life, and its terms (type, prices, quantity, validity) are those of the best evidence:

* Frames are ordered among themselves by how much is filled, by the broker's stamp, and then as they came. One without a
  stamp, or with one that cannot be read, is ordered as it came.
* A read wins over terms if it began long enough after the order's last frame: two seconds, or three times the longest
  delay with which this book has shown what a frame told. Before that it may be behind, and one that differs asks for
  another read. Two reads win earlier if they agree on terms that were never believed, began a second apart, and are not
  stamped earlier than the last frame, or a frame has told the same. So does a read after a gap, with no frame of the
  order since, that is not stamped earlier than the last.
* A read that shows less than is known for certain is behind, and wins nothing.
"""

from collections.abc import Iterable, Iterator, Set
from datetime import UTC, date, datetime, timedelta

import msgspec
from msgspec.structs import replace

from copytrade.core.model.merge import Terms, is_behind, merged, of_the_same, terms_of
from copytrade.core.model.orders import Order, Source, Status, ended_before
from copytrade.core.model.triggers import is_explained

_NEVER = datetime.min.replace(tzinfo=UTC)

#: How long after the last frame a read has to begin at least to win, and how many times the longest delay of the book.
SURELY_SHOWN, MARGIN = timedelta(seconds=2), 3

#: How far apart two reads that agree have to begin.
APART = timedelta(seconds=1)

#: What the book does not show for longer is not late.
LATEST = timedelta(seconds=30)

#: How many times the longest delay of the book, and how long at most, a read after a new connection has to wait: the
#: longest delay that was seen is shorter than the real one by up to the time between two reads.
GAP_MARGIN, GAP_LATEST = 2, timedelta(seconds=10)


class Change(msgspec.Struct, frozen=True, gc=False):
    """An order that is new (``before`` is None) or not what it was."""

    before: Order | None
    after: Order


class _Evidence(msgspec.Struct, gc=False):
    """What the frames and reads of an order that rests said of its terms.

    ``stamp`` is that of the frame whose terms are believed, ``last`` what that frame said, ``arrived`` when the last
    frame came. ``past`` are the terms that were believed before. ``disputed`` are those of a read that has not won yet,
    which began at ``since``; ``overtaken`` are those of a frame stamped earlier than the one that is believed.
    """

    stamp: datetime | None
    last: tuple[object, ...]
    arrived: datetime
    past: tuple[Terms, ...] = ()
    disputed: Terms | None = None
    since: datetime = _NEVER
    overtaken: Terms | None = None


class Book:
    """The orders of one account by id, in the order in which they were first seen."""

    def __init__(self, longest_delay: timedelta = timedelta(0)) -> None:
        """``longest_delay`` is what an earlier book of this account has measured today."""
        self._orders: dict[str, Order] = {}
        #: The row of the order book that was merged last, of those orders about which nothing else was heard since.
        self._rows: dict[str, Order] = {}
        #: Of orders that rest, and of which a frame has told.
        self._evidence: dict[str, _Evidence] = {}
        #: When a frame told of an order first, for those that no read has shown yet.
        self._unshown: dict[str, datetime] = {}
        self._asks = False
        #: When the connection was made on which frames now come.
        self._connected_at = _NEVER
        #: When the last read began: what it lacked was placed later.
        self._read_from: datetime | None = None
        #: The longest that a read has lacked what a frame had told before it began.
        self.longest_delay = longest_delay

    def __len__(self) -> int:
        return len(self._orders)

    def __iter__(self) -> Iterator[Order]:
        return iter(self._orders.values())

    def get(self, order_id: str) -> Order | None:
        """Return what is known of an order, or None."""
        return self._orders.get(order_id)

    def connected(self, at: datetime) -> None:
        """Note that frames come over a new connection: the last ones of the old connection may be lost."""
        self._connected_at = at

    @property
    def shows_gap_from(self) -> datetime:
        """When a read has to begin at the earliest to show all that happened before the present connection."""
        if not self.longest_delay:
            return self._connected_at
        return self._connected_at + min(GAP_MARGIN * self.longest_delay, GAP_LATEST)

    def asks_for_read(self) -> bool:
        """Return whether another read may settle a dispute; call it after each merge."""
        asks, self._asks = self._asks, False
        return asks

    def merge(self, seen: Order) -> Change | None:
        """Merge one observation of an order; return the change, or None for a repetition or an outdated one."""
        if seen.status is Status.TRADED and not seen.filled_quantity:
            seen = replace(seen, filled_quantity=seen.quantity)  # the word says it all
        known = self._orders.get(seen.id)
        if known is None:
            return self._begin(seen)
        seen = of_the_same(known, seen)
        after = self._with_row(known, seen) if seen.source is Source.BOOK else self._with_frame(known, seen)
        if after.is_terminal:
            self._evidence.pop(seen.id, None)
        if _facts(after) == _facts(known):
            if _says_more(after, known):
                self._orders[seen.id] = after
            return None
        self._orders[seen.id] = after
        self._rows.pop(seen.id, None)
        return Change(known, after)

    def merge_all(self, seen: Iterable[Order]) -> list[Change]:
        """Merge several observations; return the changes in the order in which they happened."""
        return [change for order in chronological(seen) if (change := self.merge(order)) is not None]

    def merge_read(self, rows: Iterable[Order], read_from: datetime) -> list[Change]:
        """Take in a read of the order book that began at ``read_from``; return what it changed, in order.

        A row that is the very object of an earlier read says what it said then: where nothing else was heard of its
        order in between, and nothing was left open, there is nothing to merge.
        """
        rows = list(rows)
        self._note_absent({row.id for row in rows}, read_from)
        changes = []
        for row in chronological(row for row in rows if self._rows.get(row.id) is not row):
            seen = row if row.observed_at >= read_from else replace(row, observed_at=read_from)
            if change := self.merge(seen):
                changes.append(change)
            if self._is_settled(row):
                self._rows[row.id] = row
            else:
                self._rows.pop(row.id, None)
        self._read_from = read_from
        return changes

    def forget_before(self, day: date, shown: Set[str]) -> None:
        """Forget what ended before a day, but for the orders ``shown`` by the broker's book still."""
        for order in [order for order in self if order.id not in shown and ended_before(order, day)]:
            del self._orders[order.id]
        for order_id in self._rows.keys() - shown:
            del self._rows[order_id]

    def _begin(self, seen: Order) -> Change:
        is_frame = seen.source is Source.FEED
        if seen.created_at is None and seen.updated_at is None and seen.exchange_at is None:
            # A frame tells of what happens now; what a read shows first was not there at the one before.
            seen = replace(seen, created_at=seen.observed_at if is_frame else self._read_from)
        if is_frame:
            self._unshown[seen.id] = seen.observed_at
            if not seen.is_terminal:
                self._evidence[seen.id] = _evidence_of(seen)
        self._orders[seen.id] = seen
        self._rows.pop(seen.id, None)
        return Change(None, seen)

    def _with_frame(self, known: Order, seen: Order) -> Order:
        """Return what is known of an order after a frame."""
        evidence = self._evidence.get(seen.id)
        if evidence is None:
            evidence = self._evidence[seen.id] = _evidence_of(seen, known.updated_at)
            is_repeated = False
        else:
            is_repeated = _restates(evidence.last, _said(seen))
        evidence.arrived = max(evidence.arrived, seen.observed_at)
        if not _is_next(seen, known, evidence.stamp):
            evidence.overtaken = terms_of(seen)
            self._asks |= not known.is_terminal and not _agree(known, seen)
            return merged(known, seen, known)
        evidence.stamp, evidence.last = seen.updated_at or evidence.stamp, _said(seen)
        if is_repeated:  # a read may have won since, and knows better
            return merged(seen, known, known)
        self._believe(evidence, known, seen)
        return merged(seen, known, seen)

    def _with_row(self, known: Order, seen: Order) -> Order:
        """Return what is known of an order after a read that shows it, begun when it is said to be observed."""
        evidence = self._evidence.get(seen.id)
        if is_behind(known, seen):
            if evidence is not None:
                self._note_delay(evidence.arrived, seen.observed_at)
            return merged(known, seen, known)
        if _agree(known, seen):
            if evidence is not None:
                evidence.disputed = None
            return merged(seen, known, known)
        if evidence is None or known.is_terminal or self._wins(evidence, known, seen):
            if evidence is not None:
                self._believe(evidence, known, seen)
            return merged(seen, known, seen)
        if evidence.disputed != terms_of(seen):
            evidence.disputed, evidence.since = terms_of(seen), seen.observed_at
        self._asks = True
        return merged(seen, known, known)

    def _wins(self, evidence: _Evidence, known: Order, seen: Order) -> bool:
        """Whether a read that differs from what frames told is believed."""
        if seen.is_terminal or seen.filled_quantity > known.quantity:
            return True
        if seen.observed_at - evidence.arrived > max(SURELY_SHOWN, MARGIN * self.longest_delay):
            return True
        if evidence.arrived < self._connected_at <= seen.observed_at and _is_at_least(seen.updated_at, evidence.stamp):
            return True
        terms = terms_of(seen)
        return (
            evidence.disputed == terms
            and seen.observed_at - evidence.since >= APART
            and (_is_at_least(seen.updated_at, evidence.stamp) or evidence.overtaken == terms)
            and terms not in evidence.past  # which is what a book that is behind would show
        )

    def _believe(self, evidence: _Evidence, known: Order, seen: Order) -> None:
        """Accept the terms of an observation."""
        evidence.disputed = None
        if not _agree(known, seen) and (past := terms_of(known)) not in evidence.past:
            evidence.past = (*evidence.past, past)

    def _is_settled(self, row: Order) -> bool:
        """Whether a row that was merged says nothing that the same row could say again."""
        known, evidence = self._orders[row.id], self._evidence.get(row.id)
        return not is_behind(known, row) and (evidence is None or evidence.disputed is None)

    def _note_absent(self, shown: Set[str], read_from: datetime) -> None:
        """Measure the delay of a read by the orders that it lacks, and forget those that it shows or never will."""
        for order_id, told in list(self._unshown.items()):
            if order_id in shown or read_from > told + LATEST:
                del self._unshown[order_id]
            else:
                self._note_delay(told, read_from)

    def _note_delay(self, told: datetime, read_from: datetime) -> None:
        """Measure the delay of a read that lacks what a frame had shown before it began."""
        if told < read_from < told + LATEST:
            self.longest_delay = max(self.longest_delay, read_from - told)


def chronological(orders: Iterable[Order]) -> list[Order]:
    """Return orders by the time of the last thing that happened to each, as far as seconds tell.

    What fills after an exit is not left by it: of several fills that were missed, the order decides what each means.
    """
    return sorted(orders, key=lambda order: (order.event_at, order.created_at or _NEVER, order.id))


def _evidence_of(frame: Order, stamp: datetime | None = None) -> _Evidence:
    stamp = stamp or frame.updated_at
    return _Evidence(stamp, _said(frame), frame.observed_at)


def _said(frame: Order) -> tuple[object, ...]:
    """The fields by which one frame differs from another."""
    return frame.updated_at, frame.status, frame.filled_quantity, terms_of(frame)


def _restates(last: tuple[object, ...], said: tuple[object, ...]) -> bool:
    """Whether a frame states the terms of the last one again, and is no word of a change: a fill, or a repetition.

    Where book and frames differ for good, each fill would otherwise undo what the book said.
    """
    return last == said or (last[-1] == said[-1] and said[1] is not Status.MODIFIED)


def _is_next(frame: Order, known: Order, stamp: datetime | None) -> bool:
    """Whether a frame comes after the one whose terms are believed; what was filled later was said later."""
    if frame.filled_quantity != known.filled_quantity or frame.is_terminal != known.is_terminal:
        return not is_behind(known, frame)
    return frame.updated_at is None or _is_at_least(frame.updated_at, stamp)


def _is_at_least(stamp: datetime | None, other: datetime | None) -> bool:
    """Whether one stamp is not before another, which may be missing."""
    return other is None or (stamp is not None and stamp >= other)


def _agree(known: Order, seen: Order) -> bool:
    """Whether two sights state the same terms, but for what triggering explains."""
    return terms_of(seen) == terms_of(known) or is_explained(known, seen) or is_explained(seen, known)


def _facts(order: Order) -> tuple[object, ...]:
    """The fields whose change is reported: all that decisions depend on, no observation times."""
    return (
        order.status,
        order.quantity,
        order.filled_quantity,
        order.average_price,
        order.price,
        order.trigger_price,
        order.order_type,
        order.validity,
        order.disclosed_quantity,
        order.reason,
        order.lot_size,
        order.multiplier,
        order.instrument,
    )


def _says_more(merged: Order, known: Order) -> bool:
    """Whether an observation adds fields worth keeping that change no decision; a symbol has two spellings."""
    return (
        (merged.created_at, merged.updated_at) != (known.created_at, known.updated_at)
        or (merged.tick_size, merged.last_price) != (known.tick_size, known.last_price)
        or (merged.exchange_at is not None and known.exchange_at is None)
        or bool(merged.exchange_order_id and not known.exchange_order_id)
        or bool(merged.correlation_id and not known.correlation_id)
        or bool(merged.symbol and not known.symbol)
    )
