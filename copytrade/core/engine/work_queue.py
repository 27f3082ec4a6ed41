"""The work of one follower: which leader orders to decide, what each wants to send, and which requests are pending."""

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

    A *marked* order is to be decided, because it changed itself or because another order of its line did. An order that
    needs a request then *wants* a lane until the request is taken. A request is pending from ``begin`` to ``end``.
    """

    def __init__(self) -> None:
        self._marked: dict[str, bool] = {}
        self._wanted: dict[str, Lane] = {}
        #: All wanted orders but entries.
        self._urgent: dict[str, Lane] = {}
        #: A heap of entries per underlying, by number; withdrawn ones are removed lazily, as hundreds may wait.
        self._entries: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        self._queued: dict[str, str] = {}
        self._wakes: dict[str, datetime] = {}
        self._under_way: dict[CopyId, str] = {}
        self._numbers: dict[str, int] = {}
        self._next_number = itertools.count()
        #: The leader order that was dealt with last, or is being dealt with.
        self.subject = ""

    def mark(self, order_ids: Iterable[str]) -> None:
        """Mark orders to be decided."""
        for order_id in order_ids:
            self._marked[order_id] = True
            self._number(order_id)

    def mark_beside(self, order_ids: Iterable[str]) -> None:
        """Mark orders to be decided if a change of another order of their line concerns them."""
        marked, numbers = self._marked, self._numbers
        for order_id in order_ids:
            if order_id not in marked:
                marked[order_id] = False
                if order_id not in numbers:
                    numbers[order_id] = next(self._next_number)

    def _number(self, order_id: str) -> None:
        if order_id not in self._numbers:
            self._numbers[order_id] = next(self._next_number)

    def take_marked(self) -> Mapping[str, bool]:
        """Return the marked orders in the order of marking, and whether each changed itself.

        Those no longer want anything. Those marked beside another keep wanting it until ``want_nothing``.
        """
        marked, self._marked = self._marked, {}
        for order_id, on_its_own in marked.items():
            if on_its_own:
                self._forget(order_id)
        return marked

    def want_nothing(self, order_id: str) -> None:
        """Drop what an order wants: it is being decided again."""
        self._forget(order_id)

    def is_marked(self, order_id: str) -> bool:
        """Whether an order is to be looked at."""
        return order_id in self._marked

    def want(self, order_id: str, lane: Lane, underlying: str) -> None:
        """Note that an order wants a request in a lane; ``underlying`` matters for entries only."""
        self._wanted[order_id] = lane
        if lane is Lane.ENTRY:
            self._urgent.pop(order_id, None)
            if self._queued.get(order_id) != underlying:
                self._queued[order_id] = underlying
                heapq.heappush(self._entries[underlying], (self._numbers[order_id], order_id))
        else:
            self._urgent[order_id] = lane

    def is_wanted(self, order_id: str) -> bool:
        """Whether an order wants a request."""
        return order_id in self._wanted

    def take(self, order_id: str) -> None:
        """Note that an order's request is being made, and mark it: there may be more to do for it."""
        self._forget(order_id)
        self.mark([order_id])

    def take_entries(self) -> list[str]:
        """Return every order that wants an entry, and drop those wants."""
        entries = [order_id for order_id, lane in self._wanted.items() if lane is Lane.ENTRY]
        for order_id in entries:
            self._forget(order_id)
        return entries

    def exits(self) -> list[str]:
        """Return every order that wants an exit."""
        return [order_id for order_id, lane in self._wanted.items() if lane is Lane.EXIT]

    def wanted_in(self, lane: Lane) -> list[str]:
        """Return every order that wants a request in a lane or a less urgent one, the oldest first."""
        wanted = [order_id for order_id, wants in self._wanted.items() if wants >= lane]
        return sorted(wanted, key=lambda order_id: self._numbers[order_id])

    def wanting(self) -> Set[str]:
        """Return every order that wants a request, in any lane."""
        return self._wanted.keys()

    def next(self) -> tuple[str, Lane] | None:
        """Return the most urgent and then oldest order that can be sent now, with its lane.

        Entries in one underlying go out one after another, except slices of the same order.
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
        """Drop what an order wants."""
        self._urgent.pop(order_id, None)
        self._wanted.pop(order_id, None)

    def begin(self, copy_id: CopyId, underlying: str) -> None:
        """Note that a request is pending; ``underlying`` is empty unless other entries have to wait for it."""
        self._under_way[copy_id] = underlying

    def end(self, copy_id: CopyId) -> None:
        """Note that a request is no longer pending."""
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
        """Note when an order is to be decided again; return whether that changed."""
        is_news = self._wakes.get(order_id) != until
        self._wakes[order_id] = until
        return is_news

    def rest(self, order_id: str) -> None:
        """Note that an order is not to be decided again at a set time."""
        self._wakes.pop(order_id, None)

    def awake(self, order_id: str) -> None:
        """Mark an order whose time has come."""
        self._wakes.pop(order_id, None)
        self.mark([order_id])

    def is_on(self, order_id: str) -> bool:
        """Whether an order is marked, wanted or waits for a time, or has a request pending."""
        if order_id in self._marked or order_id in self._wanted or order_id in self._wakes:
            return True
        return bool(self.waiting(order_id))

    def forget(self, order_id: str) -> None:
        """Forget an order that has no work left, and its number."""
        self._numbers.pop(order_id, None)
        self._queued.pop(order_id, None)
