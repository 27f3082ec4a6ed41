"""What counts as proof that the broker never had an order, and how late it shows the orders that it has.

An order whose answer was lost may exist. It is sent again only after proof of absence: complete reads of the order book
and a search by its id, spread over a window, with the account's own feed silent about it. A failed read proves
nothing, nor does one with an unreadable row that may be the order. The window has to be longer than the broker
takes to show an order, so that is measured. All times are monotonic seconds.
"""

from collections.abc import Sequence, Set

import msgspec
from msgspec.structs import replace

from copytrade.core.model.copies import CopyId
from copytrade.core.model.orders import CORRELATION_PREFIX

#: Complete reads of the order book that have to agree.
READS = 3

#: The window is at least so many times the longest delay seen.
MARGIN = 3.0

#: Seconds after its acceptance from which an order that nothing shows is searched for, and after which an exit that
#: nothing shows is sent again.
SEARCHED_AFTER, EXIT_AGAIN_AFTER = 10.0, 20.0

#: An accepted order that the order book lacks for longer, in seconds, is no longer counted as a delay.
LATE_AT_MOST = 60.0


class UnreadableRow(msgspec.Struct, frozen=True, gc=False):
    """A row of the account's order book with readable ids only, "" for none.

    ``correlation_id`` is None if it cannot be read.
    """

    order_id: str
    correlation_id: str | None

    @property
    def is_others(self) -> bool:
        """Whether the correlation id shows that this program did not place the order."""
        return bool(self.correlation_id) and not str(self.correlation_id).startswith(CORRELATION_PREFIX)


class UnknownOutcome(msgspec.Struct, frozen=True, gc=False):
    """The proof so far that the broker never had an order, begun at ``since``.

    ``silent``: the account's feed has been up since then, so that its silence is evidence; if not, twice the reads over
    twice the window are required.
    """

    since: float
    silent: bool
    reads: int = 0
    last_read: float = 0.0
    last_search: float = 0.0

    def after_read(self, began: float) -> "UnknownOutcome":
        """Count a complete read of the order book that does not show the order."""
        return replace(self, reads=self.reads + 1, last_read=began) if began >= self.since else self

    def after_search(self, began: float) -> "UnknownOutcome":
        """Count an answered search for the order's id that does not show it."""
        return replace(self, last_search=began) if began >= self.since else self

    def is_absent(self, window: float) -> bool:
        """Whether the order is proven not to exist."""
        times = 1 if self.silent else 2
        until = self.since + times * window
        return self.reads >= times * READS and self.last_read >= until and self.last_search >= until


class Visibility:
    """How long after its acceptance an order of this account is shown: by the feed, and by reads of the order book."""

    def __init__(self) -> None:
        self._unseen: dict[str, float] = {}
        self._untold: set[str] = set()
        #: How long each order that the last read lacked had been accepted by then.
        self._lacking: dict[str, float] = {}
        #: The longest delay in seconds of an order that was shown in the end.
        self.longest_shown = 0.0

    @property
    def is_behind(self) -> bool:
        """Whether the last read lacked an order that had been accepted before it."""
        return bool(self._lacking)

    @property
    def longest(self) -> float:
        """The longest delay that was seen, or is being seen, in seconds."""
        return max([self.longest_shown, *self._lacking.values()])

    def accepted(self, order_id: str, at: float, *, told: bool) -> None:
        """Begin to watch for an accepted order; ``told``: the feed showed it before the answer came."""
        self._unseen[order_id] = at
        if not told:
            self._untold.add(order_id)

    def told(self, order_id: str, at: float) -> None:
        """Note that the feed shows an order; the order book may still lack it."""
        if order_id in self._untold and order_id in self._unseen:
            self.longest_shown = max(self.longest_shown, at - self._unseen[order_id])
        self._untold.discard(order_id)

    def read(self, began: float, order_ids: Set[str]) -> None:
        """Take in the orders that a read of the order book shows; accepted ones that it lacks are delayed."""
        shown = [order_id for order_id in self._unseen if order_id in order_ids]
        self.longest_shown = max([self.longest_shown, *(self._lacking.get(order_id, 0.0) for order_id in shown)])
        for order_id in shown:
            del self._unseen[order_id]
        lacking = {order_id: began - at for order_id, at in self._unseen.items() if at < began}
        self._lacking = {order_id: age for order_id, age in lacking.items() if age <= LATE_AT_MOST}

    def forget(self, order_id: str) -> None:
        """Stop watching for an order, and count no delay for it."""
        self._unseen.pop(order_id, None)
        self._lacking.pop(order_id, None)
        self._untold.discard(order_id)

    def window(self, at_least: float) -> float:
        """Return the seconds over which absence has to be proven."""
        return max(at_least, MARGIN * self.longest)


class UnknownOutcomes:
    """The orders of one account that the broker may or may not have.

    ``at_least`` are the fewest seconds over which absence is proven.
    """

    def __init__(self, at_least: float) -> None:
        self._at_least = at_least
        self._unknown_outcomes: dict[CopyId, UnknownOutcome] = {}
        #: The accepted orders that nothing has shown, with the broker's id.
        self._unshown: dict[CopyId, tuple[str, UnknownOutcome]] = {}
        self._settled_at: dict[CopyId, float] = {}
        self._cancelled_again: set[CopyId] = set()
        #: The sequence in which ids of the account's orders were first seen, and its length when a placement was sent.
        self._seen: dict[str, int] = {}
        self._sights = 0
        self._seen_before: dict[CopyId, int] = {}
        self._feed_up = False
        #: How late the broker shows this account's orders.
        self.visibility = Visibility()

    @property
    def window(self) -> float:
        """The seconds over which absence has to be proven."""
        return self.visibility.window(self._at_least)

    def settled(self, copy_id: CopyId, at: float) -> None:
        """Note that a request's outcome became known, or was given up."""
        self._settled_at[copy_id] = at

    def settled_at(self, copy_id: CopyId) -> float:
        """Return when the last outcome of a request became known, 0 if there was none."""
        return self._settled_at.get(copy_id, 0.0)

    def forget(self, copy_id: CopyId) -> None:
        """Forget a finished order: when its outcome became known, and whether it was cancelled again."""
        self._settled_at.pop(copy_id, None)
        self._seen_before.pop(copy_id, None)
        self._cancelled_again.discard(copy_id)

    def cancels_again(self, copy_id: CopyId) -> bool:
        """Whether to send a cancellation once more that may not have been carried out; True once for an order."""
        is_first = copy_id not in self._cancelled_again
        self._cancelled_again.add(copy_id)
        return is_first

    def seen(self, order_id: str) -> None:
        """Note the id of any order of the account, readable or not."""
        if order_id not in self._seen:
            self._seen[order_id] = self._sights
            self._sights += 1

    def leaves(self, copy_id: CopyId) -> None:
        """Note that a placement is about to be sent: orders seen before are not it."""
        self._seen_before[copy_id] = self._sights

    def begin(self, copy_id: CopyId) -> None:
        """Begin to prove that the broker never had an order, if not begun already."""
        if copy_id not in self._unknown_outcomes:
            self._unknown_outcomes[copy_id] = UnknownOutcome(self.settled_at(copy_id), self._feed_up)

    def end(self, copy_id: CopyId) -> None:
        """Stop the proof: the outcome is known."""
        self._unknown_outcomes.pop(copy_id, None)

    def expect(self, copy_id: CopyId, order_id: str) -> None:
        """Watch for an accepted order that nothing has shown, if not watched for already."""
        if copy_id not in self._unshown:
            self._unshown[copy_id] = order_id, UnknownOutcome(self.settled_at(copy_id), silent=True)

    def shown(self, copy_id: CopyId) -> None:
        """Stop watching for an accepted order."""
        self._unshown.pop(copy_id, None)

    def missing(self) -> list[CopyId]:
        """Return the accepted orders that reads of the book and a search some time later have not shown."""
        window = self.searched_after
        return [copy_id for copy_id, (_, doubt) in self._unshown.items() if doubt.is_absent(window)]

    def missing_for(self, copy_id: CopyId, at: float) -> float:
        """Return the seconds for which an accepted order is missing at a monotonic time, 0 where it is not."""
        _, doubt = self._unshown.get(copy_id, ("", None))
        return at - doubt.since if doubt is not None and doubt.is_absent(self.searched_after) else 0.0

    def wants_search(self, copy_id: CopyId, at: float) -> bool:
        """Whether an accepted order is to be searched for by its id."""
        _, doubt = self._unshown.get(copy_id, ("", None))
        return doubt is not None and doubt.reads + 1 >= READS and at >= doubt.since + self.searched_after

    @property
    def exit_patience(self) -> float:
        """The seconds after which an exit that nothing shows is sent again."""
        return max(EXIT_AGAIN_AFTER, 2 * self.window)

    @property
    def searched_after(self) -> float:
        """The seconds after which an accepted order that nothing shows is searched for."""
        return max(SEARCHED_AFTER, MARGIN * self.visibility.longest_shown)

    def own_feed(self, *, is_up: bool) -> None:
        """Note whether the account's own feed is up: only then is its silence evidence."""
        self._feed_up = is_up
        if not is_up:
            self._unknown_outcomes = {
                copy_id: replace(doubt, silent=False) for copy_id, doubt in self._unknown_outcomes.items()
            }

    def read(self, began: float, order_ids: Set[str], unreadable: Sequence[UnreadableRow] = ()) -> None:
        """Take in a read of the order book: the orders it shows, and its ``unreadable`` rows."""
        shown = order_ids | {row.order_id for row in unreadable}
        if "" not in shown:
            self.visibility.read(began, shown)
        self._seen = {order_id: sight for order_id, sight in self._seen.items() if order_id in shown}
        for order_id in shown:
            self.seen(order_id)
        unclear = [row for row in unreadable if not row.is_others]
        for copy_id, doubt in self._unknown_outcomes.items():
            if not any(self._may_be(copy_id, row) for row in unclear):
                self._unknown_outcomes[copy_id] = doubt.after_read(began)
        if "" not in shown:
            for copy_id, (order_id, doubt) in self._unshown.items():
                if order_id not in shown:
                    self._unshown[copy_id] = order_id, doubt.after_read(began)

    def _may_be(self, copy_id: CopyId, row: UnreadableRow) -> bool:
        """Whether an unreadable row may be a placement's order: its id was not seen before the placement was sent."""
        return not row.order_id or self._seen[row.order_id] >= self._seen_before.get(copy_id, 0)

    def searched(self, copy_id: CopyId, began: float) -> None:
        """Note that a search by an order's correlation id found none."""
        if copy_id in self._unknown_outcomes:
            self._unknown_outcomes[copy_id] = self._unknown_outcomes[copy_id].after_search(began)
        if copy_id in self._unshown:
            order_id, doubt = self._unshown[copy_id]
            self._unshown[copy_id] = order_id, doubt.after_search(began)

    def absent(self) -> list[CopyId]:
        """Return the orders that are proven not to exist."""
        window = self.window
        return [copy_id for copy_id, doubt in self._unknown_outcomes.items() if doubt.is_absent(window)]
