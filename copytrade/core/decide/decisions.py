"""The inputs of ``decide`` and its possible answers."""

from collections.abc import Callable, Mapping, Set
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from copytrade.core.decide.desired_order import AS_USUAL, OrderTypePolicy
from copytrade.core.decide.legs.group import Group, GroupPolicy
from copytrade.core.decide.risk_limits import LimitsUsed, RiskLimits
from copytrade.core.ledger.sizing import Size, SizingPolicy
from copytrade.core.market.sessions import MarketHours
from copytrade.core.model.copies import DesiredOrder
from copytrade.core.model.instruments import Instrument
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import Product
from copytrade.core.model.reasons import Reason

#: The broker takes this many modifications of one order (its documentation).
MAX_MODIFICATIONS = 25


class UnfilledAction(StrEnum):
    """What to do about an order that is still not filled a while after the leader's was."""

    ALERT = "alert"
    CANCEL = "cancel"
    REPRICE = "reprice"


class Mode(StrEnum):
    """What a follower does: it copies the leader's orders, or follows his fills, or enters nothing and only leaves."""

    ORDERS = "orders"
    FILLS = "fills"
    MONITOR = "monitor"


class Policy(msgspec.Struct, frozen=True, gc=False):
    """How one follower copies. ``late_after``, ``max_missed_age`` and ``unfilled_after`` are seconds.

    ``pause`` says who paused its entries and how that ends; without one ``enabled`` is the settings' word. Without
    ``groups`` each leg is copied by itself.
    """

    instruments: frozenset[str]
    sizing: SizingPolicy
    copying_since: datetime
    enabled: bool = True
    mode: Mode = Mode.ORDERS
    pause: str = ""
    terms: OrderTypePolicy = AS_USUAL
    late_after: float = 5.0
    max_missed_age: float = 3600.0
    max_price_deviation: Decimal = Decimal(2)
    unfilled_after: float = 60.0
    unfilled_action: UnfilledAction = UnfilledAction.CANCEL
    unfilled_exit_action: UnfilledAction = UnfilledAction.REPRICE
    risk_limits: RiskLimits | None = None
    dry_run: bool = False
    groups: GroupPolicy | None = None

    def __str__(self) -> str:
        """Return how it copies, where that is not each order as the leader has it: "" if it is."""
        mode = "" if self.mode is Mode.ORDERS else f"mode {self.mode}"
        return ", ".join(filter(None, (mode, "" if self.groups is None else str(self.groups))))


def ways_of_copying(of: Mapping[str, Policy]) -> str:
    """Return how leaders are copied who are not copied order by order, with their names where it is not one for all."""
    ways = {leader: str(policy) for leader, policy in of.items()}
    if len(set(ways.values())) <= 1:
        return next(iter(ways.values()), "")
    return "; ".join(f"of {leader}: {way or 'mode orders'}" for leader, way in ways.items())


def not_awaited() -> datetime | None:
    """Say that no read is awaited before an exit."""
    return None


def not_grouped() -> Group | None:
    """Return the group of an order that is copied by itself."""
    return None


def not_limited() -> LimitsUsed:
    """Return the usage of a follower without limits."""
    return LimitsUsed()


def nothing_held(_action: "Action") -> bool:
    """Hold no request back."""
    return False


class Allocated(msgspec.Struct, frozen=True, gc=False):
    """What the ledger gives this follower of one leader order, in units.

    * ``entry``: the whole entry within the follower's limits, ``entry_at_most`` without them; None while the capital is
      not known.
    * ``exit_open``: how much the exit has yet to take of what is held; ``exit_waits`` is why the rest has to wait.
    * ``excess``: what exits took beyond what was held, to be reversed.
    * ``closed_elsewhere``: less is held than was copied.
    * ``held_against``: copied units are still held on the opposite side; ``exits_first``: their exits are not sent yet.
    * ``leaves_copied``: the order exits a position that was copied or may be soon, so that filters do not apply.
    * ``closing``: the whole quantity that closes a line, whatever the leader does.
    * ``room``: how much can be taken in each product, None if all is in the line's own product.
    """

    parts: tuple[Part, ...]
    entry: Size | None = None
    entry_at_most: int = 0
    exit_open: int = 0
    exit_arithmetic: str = ""
    excess: int = 0
    closed_elsewhere: bool = False
    held_against: bool = False
    exits_first: bool = False
    leaves_copied: bool = False
    closing: int = 0
    room: Mapping[Product, int] | None = None
    exit_waits: "Wait | None" = None


class DecisionInput(msgspec.Struct, frozen=True, gc=False):
    """What a decision depends on besides the orders.

    * ``instrument``: None if neither master nor feed describes it.
    * ``refused``: the skip of an order that filters forbid to enter, None if it may be entered.
    * ``largest``: the most units that one order may have, None for no limit; ``hours``: None if no session binds.
    * ``under_way``: the numbers of copies whose request waits for an answer, 0 for one that has no number yet.
    * ``is_held``: whether a request failed before and its next try has to wait.
    * ``second_copier``: another program sends orders with our ids.
    * ``takes_back``: the leader's order was found late, and closes what misjudged orders have entered.
    * ``limits_used``: returns how much of each limit is used; called for entries only.
    * ``piece_at``: when the first of the leader's fills was known that no request has followed yet, None for none.
    * ``group``: returns the legs beside an order that sells, None where each leg is copied by itself.
    * ``unread_until``: returns until when an exit waits for reads of the account, or None; called for exits only.
    """

    instrument: Instrument | None
    master_read: bool
    gate_open: bool
    refused: "Skip | None" = None
    largest: int | None = None
    hours: MarketHours | None = None
    under_way: Set[int] = frozenset()
    is_held: Callable[["Action"], bool] = nothing_held
    second_copier: bool = False
    takes_back: bool = False
    piece_at: datetime | None = None
    limits_used: Callable[[], LimitsUsed] = not_limited
    group: Callable[[], Group | None] = not_grouped
    unread_until: Callable[[], datetime | None] = not_awaited

    @property
    def is_described(self) -> bool:
        """Whether the master or the feed describes the instrument; if neither does, nothing is entered."""
        return self.instrument is not None and bool(self.instrument.kind)


class Place(msgspec.Struct, frozen=True, gc=False):
    """Send a new order, the follower's ``n``-th for this leader order; ``product`` None is the leader's."""

    n: int
    part: Part
    desired: DesiredOrder
    arithmetic: str
    product: Product | None = None


class Modify(msgspec.Struct, frozen=True, gc=False):
    """Restate the follower's ``n``-th order; the reason, if any, is kept with it."""

    n: int
    desired: DesiredOrder
    reason: Reason | None = None


class Cancel(msgspec.Struct, frozen=True, gc=False):
    """Cancel the follower's ``n``-th order; the reason, if any, is kept with it."""

    n: int
    reason: Reason | None = None


class Lookup(msgspec.Struct, frozen=True, gc=False):
    """Read the follower's ``n``-th order: what became of the last request is not known."""

    n: int


class Flag(msgspec.Struct, frozen=True, gc=False):
    """Do nothing about the follower's ``n``-th order but record why somebody should look at it."""

    n: int
    reason: Reason
    detail: str


class Wait(msgspec.Struct, frozen=True, gc=False):
    """Do nothing until something else happens, or until ``until``; ``why`` is for the log."""

    why: str
    until: datetime | None = None


class Skip(msgspec.Struct, frozen=True, gc=False):
    """Do not copy, and record why. A provisional skip is decided again when the order changes, or ``until``."""

    reason: Reason
    detail: str
    until: datetime | None = None


class Done(msgspec.Struct, frozen=True, gc=False):
    """Nothing to do: the follower's orders are what they should be."""


#: The decisions that send a request.
Action = Place | Modify | Cancel

Decision = Place | Modify | Cancel | Lookup | Flag | Wait | Skip | Done
