"""What a follower's desk has on its agenda: which leader orders to look at, what each wants, and what is under way."""

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from datetime import datetime

from copytrade.core.model.copies import CopyId
from copytrade.core.model.lane import Lane

_NONE: frozenset[int] = frozenset()


class WorkQueue:
    """Leader orders by id.

    A *marked* order is worth a look on its own account, or beside another for what that may change. What then asks for
    a request *wants* a lane, until somebody takes it. A copy is under way from ``begin`` to ``end``.
    """

    def __init__(self) -> None:
        self._marked: dict[str, bool] = {}
        self._wanted: dict[str, Lane] = {}
        #: Of what is wanted, all that is no entry; and the entries of each underlying by number, with some that are not
        #: wanted any more: hundreds may wait, and which is the next is asked at every turn.
        self._urgent: dict[str, Lane] = {}
        self._entries: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        self._queued: dict[str, str] = {}
        self._wakes: dict[str, datetime] = {}
        self._under_way: dict[CopyId, str] = {}
        self._numbers: dict[str, int] = {}
        self._next_number = itertools.count()
        #: The leader order that was dealt with last, or is being dealt with.
        self.subject = ""

    def mark(self, order_ids: Iterable[str]) -> None:
        """Have orders looked at."""
        for order_id in order_ids:
            self._marked[order_id] = True
            self._number(order_id)

    def mark_beside(self, order_ids: Iterable[str]) -> None:
        """Have orders looked at, should it concern them what has happened to another."""
        for order_id in order_ids:
            self._marked.setdefault(order_id, False)
            self._number(order_id)

    def _number(self, order_id: str) -> None:
        if order_id not in self._numbers:
            self._numbers[order_id] = next(self._next_number)

    def take_marked(self) -> Mapping[str, bool]:
        """Return what is to be looked at, in the order in which it was marked, and whether on its own account.

        What that wanted is decided anew. What was marked beside another goes on wanting it until ``want_nothing``.
        """
        marked, self._marked = self._marked, {}
        for order_id, on_its_own in marked.items():
            if on_its_own:
                self._forget(order_id)
        return marked

    def want_nothing(self, order_id: str) -> None:
        """Forget what an order asked for, because it is decided anew."""
        self._forget(order_id)

    def is_marked(self, order_id: str) -> bool:
        """Whether an order is to be looked at."""
        return order_id in self._marked

    def want(self, order_id: str, lane: Lane, underlying: str) -> None:
        """Note that an order asks for a request; its ``underlying`` matters where it is to enter."""
        self._wanted[order_id] = lane
        if lane is Lane.ENTRY:
            self._urgent.pop(order_id, None)
            if self._queued.get(order_id) != underlying:
                self._queued[order_id] = underlying
                heapq.heappush(self._entries[underlying], (self._numbers[order_id], order_id))
        else:
            self._urgent[order_id] = lane

    def is_wanted(self, order_id: str) -> bool:
        """Whether an order asks for a request."""
        return order_id in self._wanted

    def take(self, order_id: str) -> None:
        """Note that what an order asked for is being seen to; there may be more to do for it at the same time."""
        self._forget(order_id)
        self.mark([order_id])

    def take_entries(self) -> list[str]:
        """Return every order that wants to enter, and forget that it does."""
        entries = [order_id for order_id, lane in self._wanted.items() if lane is Lane.ENTRY]
        for order_id in entries:
            self._forget(order_id)
        return entries

    def exits(self) -> list[str]:
        """Return every order that wants to leave."""
        return [order_id for order_id, lane in self._wanted.items() if lane is Lane.EXIT]

    def wanted_in(self, lane: Lane) -> list[str]:
        """Return every order that asks for a request in a lane or in one less urgent, the oldest first."""
        wanted = [order_id for order_id, wants in self._wanted.items() if wants >= lane]
        return sorted(wanted, key=lambda order_id: self._numbers[order_id])

    def next(self) -> tuple[str, Lane] | None:
        """Return the order for which something could be sent now, the most urgent and then the oldest, and its lane.

        Entries in one underlying go out one after the other, but for slices of the same order.
        """
        if self._urgent:
            return min(self._urgent.items(), key=lambda one: (one[1], self._numbers[one[0]]))
        placing = {underlying: order_id for (order_id, _), underlying in self._under_way.items() if underlying}
        ready = []
        for underlying, entries in list(self._entries.items()):
            while entries and not self._is_queued(entries[0][1], underlying):
                heapq.heappop(entries)
            if not entries:
                del self._entries[underlying]
            elif (first := placing.get(underlying)) is None:
                ready.append(entries[0])
            elif self._wanted.get(first) is Lane.ENTRY and self._queued.get(first) == underlying:
                ready.append((self._numbers[first], first))
        return (min(ready)[1], Lane.ENTRY) if ready else None

    def _is_queued(self, order_id: str, underlying: str) -> bool:
        """Whether an order still wants to enter in an underlying; if not, it is not queued there any more."""
        if self._queued.get(order_id) != underlying:
            return False
        if self._wanted.get(order_id) is Lane.ENTRY:
            return True
        del self._queued[order_id]
        return False

    def _forget(self, order_id: str) -> None:
        """Forget what an order asked for."""
        self._urgent.pop(order_id, None)
        self._wanted.pop(order_id, None)

    def begin(self, copy_id: CopyId, underlying: str) -> None:
        """Note that a request is under way; ``underlying`` is empty for what nothing has to wait for."""
        self._under_way[copy_id] = underlying

    def end(self, copy_id: CopyId) -> None:
        """Note that a request is under way no more."""
        self._under_way.pop(copy_id, None)

    def is_under_way(self, copy_id: CopyId) -> bool:
        """Whether a request for the copy waits for its answer."""
        return copy_id in self._under_way

    def waiting(self, order_id: str) -> Set[int]:
        """Return the numbers of an order's copies that are under way."""
        if not self._under_way:
            return _NONE
        return {n for waiting_id, n in self._under_way if waiting_id == order_id}

    def wake(self, order_id: str, until: datetime) -> bool:
        """Note when an order has to be looked at again; return whether that is news."""
        is_news = self._wakes.get(order_id) != until
        self._wakes[order_id] = until
        return is_news

    def rest(self, order_id: str) -> None:
        """Note that nothing is left to be looked at again."""
        self._wakes.pop(order_id, None)

    def awake(self, order_id: str) -> None:
        """Look at an order whose time has come."""
        self._wakes.pop(order_id, None)
        self.mark([order_id])

    def is_on(self, order_id: str) -> bool:
        """Whether an order is to be looked at, now or later, or anything is under way for it or wanted."""
        if order_id in self._marked or order_id in self._wanted or order_id in self._wakes:
            return True
        return bool(self.waiting(order_id))

    def forget(self, order_id: str) -> None:
        """Forget an order that is not on the agenda, and when it was first marked."""
        self._numbers.pop(order_id, None)
        self._queued.pop(order_id, None)
