"""Holds: how long a failed request is not made again.

A hold belongs to one order of the follower, a kind of request and a desired order. Repeated requests for the same
desired order back off. A cancellation, and an exit at the market, do not wait for an earlier desired order. Refusals
that concern the whole account hold the account, not an order
(``actors/follower/parts/account_state.py``).
"""

from collections import defaultdict, deque
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from copytrade.core.decide.decisions import Action, Cancel
from copytrade.core.model.copies import CopyId, DesiredOrder
from copytrade.core.model.orders import ZERO, OrderType

#: Seconds before a failed request is made again, doubling from the first to the last.
FIRST, LAST = 1.0, 30.0

#: Seconds between requests for an order that has spent its share of the hourly budget on failed requests.
WHEN_SPENT = 60.0

#: One order may spend one part in so many of the hourly budget on failed requests.
SHARE = 10

_HOUR = timedelta(hours=1)

#: An order and a kind of request for it.
_Asked = tuple[int, type[Action]]


class Hold(NamedTuple):
    """A request that failed at ``began``, ``tries`` times in a row, and is not made again for ``seconds``.

    ``is_spent``: the order has spent its share of the budget, so that other desired orders wait as well.
    """

    desired: DesiredOrder | None
    tries: int
    began: datetime
    seconds: float
    is_spent: bool

    @property
    def until(self) -> datetime:
        """When it ends."""
        return self.began + timedelta(seconds=self.seconds)

    def is_on(self, now: datetime) -> bool:
        """Whether it has not ended; a clock that was set back ends it."""
        return self.began <= now < self.until


class Holds:
    """The holds of one account's orders; each order may spend ``share`` failed requests an hour."""

    def __init__(self, share: int) -> None:
        self._share = share
        self._holds: dict[str, dict[_Asked, Hold]] = {}
        self._failures: dict[str, defaultdict[int, deque[datetime]]] = {}

    def came_to_nothing(self, copy_id: CopyId, action: Action, now: datetime) -> None:
        """Note that a request was refused, or not answered, or not carried out although it was accepted."""
        order_id, n = copy_id
        failures = self._failures.setdefault(order_id, defaultdict(deque))[n]
        failures.append(now)
        while failures[0] <= now - _HOUR:
            failures.popleft()
        is_spent = len(failures) >= self._share
        holds = self._holds.setdefault(order_id, {})
        before = holds.get((n, type(action)))
        tries = before.tries + 1 if before else 1
        seconds = max(pause(tries), WHEN_SPENT) if is_spent else pause(tries)
        holds[n, type(action)] = Hold(_desired_order_of(action), tries, now, seconds, is_spent)

    def carried_out(self, copy_id: CopyId, kind: type[Action]) -> None:
        """Note that a request was carried out: the count of failures in a row starts over."""
        order_id, n = copy_id
        if holds := self._holds.get(order_id):
            holds.pop((n, kind), None)

    def is_held(self, order_id: str, action: Action, now: datetime, *, is_exit: bool) -> bool:
        """Whether a request has to wait; ``is_exit`` if its order takes from what is held."""
        hold = self._holds.get(order_id, {}).get((action.n, type(action)))
        if hold is None or not hold.is_on(now):
            return False
        return hold.is_spent or not (_is_urgent(action, is_exit=is_exit) and hold.desired != _desired_order_of(action))

    def end(self, order_id: str, now: datetime) -> datetime | None:
        """Return when the next hold of a leader order's copies ends, None if there is none."""
        holds = self._holds.get(order_id)
        return min((hold.until for hold in holds.values() if hold.is_on(now)), default=None) if holds else None

    def forget(self, order_id: str) -> None:
        """Forget a leader order that is over."""
        self._holds.pop(order_id, None)
        self._failures.pop(order_id, None)


def pause(tries: int) -> float:
    """Return the seconds to wait after ``tries`` failures in a row."""
    return min(LAST, FIRST * 2.0 ** min(tries - 1, 10))


def _is_urgent(action: Action, *, is_exit: bool) -> bool:
    """Whether a request cancels, or exits at the market."""
    if isinstance(action, Cancel):
        return True
    return is_exit and (action.desired.own_price or action.desired.order_type is OrderType.MARKET)


def _desired_order_of(action: Action) -> DesiredOrder | None:
    """Return the desired order of a request, without a price of our own: another such price is no other order."""
    if isinstance(action, Cancel):
        return None
    return replace(action.desired, price=ZERO) if action.desired.own_price else action.desired
