"""A follower's blotter: all its copies, by leader order and number, and by the ids that the broker knows them by.

What a change of one means elsewhere is counted here: in the ledger, in the tally, in what is in doubt.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from copytrade import lifecycle
from copytrade.agenda import CopyId
from copytrade.copies import Copy, Stage
from copytrade.decisions import Skip
from copytrade.doubt import Doubts
from copytrade.ledger import Part
from copytrade.orders import Order, trade_date
from copytrade.positions import Positions
from copytrade.tally import Tally


class Changed(msgspec.Struct, frozen=True):
    """A copy is not what it was."""

    before: Copy
    after: Copy
    leader: Order


class Blotter:
    """The copies of one ``follower``."""

    def __init__(self, follower: str, positions: Positions, tally: Tally | None, doubts: Doubts) -> None:
        self.follower = follower
        self._positions = positions
        self._tally = tally
        self._doubts = doubts
        self._copies: dict[str, dict[int, Copy]] = {}
        self._by_correlation: dict[str, CopyId] = {}
        self._by_order: dict[str, CopyId] = {}
        #: The copies that rest at the broker, and those of which we do not know what became.
        self.live: set[CopyId] = set()
        self.in_doubt: set[CopyId] = set()

    def __iter__(self) -> Iterator[Copy]:
        return (copy for copies in self._copies.values() for copy in copies.values())

    def of(self, order_id: str) -> list[Copy]:
        """Return the copies of a leader order."""
        copies = self._copies.get(order_id)
        return list(copies.values()) if copies else []

    def copy(self, copy_id: CopyId) -> Copy:
        """Return a copy that exists."""
        return self._copies[copy_id[0]][copy_id[1]]

    def get(self, copy_id: CopyId) -> Copy | None:
        """Return a copy, None if there is none of that number."""
        return self._copies.get(copy_id[0], {}).get(copy_id[1])

    def find(self, order: Order) -> Copy | None:
        """Return the copy that an order of the account's is by its ids, None if it is none."""
        copy_id = self._by_order.get(order.id) or self._by_correlation.get(order.correlation_id)
        return self.copy(copy_id) if copy_id else None

    def named(self, correlation_id: str) -> CopyId | None:
        """Return the copy to which a correlation id was given."""
        return self._by_correlation.get(correlation_id)

    def next_number(self, order_id: str) -> int:
        """Return the number of a further copy of a leader order."""
        return 1 + max(self._copies[order_id])

    def is_sent(self, order_id: str) -> bool:
        """Whether anything was sent for a leader order."""
        return any(copy.stage is not Stage.NONE for copy in self._copies.get(order_id, {}).values())

    def unsent(self, order_id: str) -> list[Copy]:
        """Return the copies that say why nothing was sent, or that are to be sent again."""
        return [copy for copy in self._copies.get(order_id, {}).values() if copy.stage is Stage.NONE]

    def new(self, leader: Order, now: datetime) -> Copy:
        """Return the beginning of a copy; it is not kept yet."""
        return Copy(leader.id, self.follower, trade_date(leader), now, leader_quantity=leader.quantity)

    def skip(self, leader: Order, skip: Skip, now: datetime) -> list[Changed]:
        """Note that an order is not copied, and why, where that is news."""
        unsent = self.unsent(leader.id) or [self.new(leader, now)]
        return [
            self.change(copy, lifecycle.skipped(copy, skip), leader)
            for copy in unsent
            if copy.reason is not skip.reason
        ]

    def forget_unsent(self, order_id: str) -> None:
        """Forget why nothing was sent for a leader order: something is."""
        self._copies.get(order_id, {}).pop(0, None)

    def change(self, before: Copy, after: Copy, leader: Order) -> Changed:
        """Keep a copy as it is now, and count what it has filled since."""
        if after.filled_quantity != before.filled_quantity:
            beside = sum(
                copy.filled_quantity for copy in self.of(leader.id) if copy.part is after.part and copy.n != after.n
            )
            self._positions.copy_filled(
                leader.id, after.part, beside + before.filled_quantity, beside + after.filled_quantity
            )
        self.keep(after)
        return Changed(before, after, leader)

    def keep(self, copy: Copy) -> None:
        """Keep a copy whose fills the ledger has, or that has none."""
        self._copies.setdefault(copy.leader_order_id, {})[copy.n] = copy
        copy_id = (copy.leader_order_id, copy.n)
        if copy.correlation_id and copy.part is not Part.TWIN:
            self._by_correlation[copy.correlation_id] = copy_id
        if copy.order_id:
            self._by_order[copy.order_id] = copy_id
        if self._tally is not None:
            self._tally.count(copy_id, copy)
        if copy.stage is Stage.UNKNOWN and not copy.order_id:
            self._doubts.begin(copy_id)
        else:
            self._doubts.end(copy_id)
        for stage, members in ((Stage.UNKNOWN, self.in_doubt), (Stage.LIVE, self.live)):
            (members.add if copy.stage is stage else members.discard)(copy_id)
