"""decide(): the only place that knows how to copy an order.

It compares what the leader's order looks like now with what the follower's own order looks like now, and says the one
thing to do next. It does not matter which event, gap read, restart or audit asked: duplicates and reordering are
harmless, five quick modifications collapse into the last, a cancellation overtakes a placement that has not been sent.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from copytrade.copies import Copy, Stage, Wish
from copytrade.filters import refusal
from copytrade.instruments import Instrument
from copytrade.orders import ZERO, Order, OrderType, Side, Status, Validity
from copytrade.reasons import Reason
from copytrade.sizing import Capitals, Ratio, Size, SizingPolicy, capped, ratio_of, size_of

#: The broker takes this many modifications of one order (its documentation).
MAX_MODIFICATIONS = 25


@dataclass(frozen=True, slots=True)
class Policy:
    """How one follower copies. ``late_after`` and ``max_missed_age`` are in seconds, the deviation in percent."""

    instruments: frozenset[str]
    sizing: SizingPolicy
    copying_since: datetime
    enabled: bool = True
    late_after: float = 5.0
    max_missed_age: float = 3600.0
    max_price_deviation: Decimal = Decimal(2)


@dataclass(frozen=True, slots=True)
class Situation:
    """What else a decision rests on: the instrument if the master has it, whether the master was read, the gate."""

    instrument: Instrument | None
    master_read: bool
    capitals: Capitals
    gate_open: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Send a new order."""

    wish: Wish
    ratio: Ratio
    arithmetic: str


@dataclass(frozen=True, slots=True)
class Modify:
    """Restate the follower's order."""

    wish: Wish


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel the follower's order."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Read the follower's order: what became of the last request is not known."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be done before something else happens; ``why`` is for a reader of the log."""

    why: str


@dataclass(frozen=True, slots=True)
class Skip:
    """Do not copy, and record why. A provisional skip is decided again when the leader's order changes."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing to do: the follower's order is what it should be."""


Decision = Place | Modify | Cancel | Lookup | Wait | Skip | Done

_LEADER_ENDED = {
    Status.CANCELLED: Reason.LEADER_CANCELLED,
    Status.CLOSED: Reason.LEADER_CANCELLED,
    Status.REJECTED: Reason.LEADER_REJECTED,
    Status.EXPIRED: Reason.LEADER_EXPIRED,
}


def decide(leader: Order, copy: Copy, situation: Situation, policy: Policy, now: datetime) -> Decision:
    """Return what to do next about ``leader`` for the follower whose ``copy`` this is."""
    if copy.is_settled:
        return Done()
    match copy.stage:
        case Stage.NONE if copy.reason is not None and leader.is_terminal:
            return Done()
        case Stage.NONE:
            return _start(leader, copy, situation, policy, now)
        case Stage.PENDING:
            return Wait("its request is under way")
        case Stage.UNKNOWN:
            return Lookup()
        case Stage.LIVE:
            return _follow(leader, copy, situation, policy)
        case Stage.ENDED:
            return Done()


def _start(leader: Order, copy: Copy, situation: Situation, policy: Policy, now: datetime) -> Decision:
    if leader.status is Status.TRANSIT:
        return Wait("the leader's order has not been accepted yet")
    if leader.status in _LEADER_ENDED and not leader.filled_quantity:
        return Skip(_LEADER_ENDED[leader.status], f"the leader's order is {leader.status}")
    if situation.instrument is None and not situation.master_read and not (leader.lot_size and leader.instrument):
        return Wait("the instrument master has not been read yet")
    lot_size = lot_of(leader, situation)
    if why := _unfit(leader, situation, policy):
        return Skip(*why)
    if lot_size is None:
        return Skip(Reason.UNKNOWN_INSTRUMENT, f"{leader.key.segment} {leader.key.security_id} is not in the master")
    ratio = copy.ratio or ratio_of(policy.sizing, leader, lot_size, situation.capitals)
    if ratio is None:
        return Wait("the capital is not known yet")
    if isinstance(ratio, Reason):
        return Skip(ratio, f"start-of-day capital: {situation.capitals}")
    size = _size(leader, ratio, lot_size, policy)
    if size.reason is not None:
        return Skip(size.reason, size.arithmetic)
    if not situation.gate_open:
        return Wait("the entry gate is closed until the leader's order book has been read")
    wish = wish_for(leader, size.quantity, lot_size)
    age = (now - leader.event_at).total_seconds()
    if leader.is_terminal and age > policy.late_after:
        if age > policy.max_missed_age:
            return Skip(Reason.MISSED_TOO_OLD, f"filled {age:.0f} s ago, and never seen before")
        if not (leader.average_price or leader.price):
            return Wait("the leader's price is not known yet")
        wish = _bounded(wish, leader, situation, policy)
    return Place(wish, ratio, size.arithmetic)


def _unfit(leader: Order, situation: Situation, policy: Policy) -> tuple[Reason, str] | None:
    if not policy.enabled:
        return Reason.COPYING_DISABLED, "copying is switched off for this follower"
    kind = situation.instrument.kind if situation.instrument else leader.instrument or ""
    return refusal(leader, kind, policy.instruments, policy.copying_since)


def _follow(leader: Order, copy: Copy, situation: Situation, policy: Policy) -> Decision:
    lot_size = lot_of(leader, situation)
    if copy.cancel_sent:
        return Wait("the broker has taken the cancellation")
    if leader.status in _LEADER_ENDED:
        return Cancel()
    if copy.accepted is None or copy.ratio is None or lot_size is None or copy.accepted.bounded:
        return Done()
    size = size_of(copy.ratio, _wanted_of(leader), lot_size)
    if size.quantity > copy.accepted.quantity:  # limits bind what is added, never what rests already
        size = Size(
            max(copy.accepted.quantity, capped(size, policy.sizing, lot_size, leader.reference_price).quantity), ""
        )
    wish = wish_for(_as_placed(leader, copy.accepted), size.quantity, lot_size)
    if wish.quantity <= copy.filled_quantity:
        return Cancel()
    if wish in (copy.accepted, copy.refused):
        return Done()
    if copy.modifications >= MAX_MODIFICATIONS:
        return Wait(f"the broker takes no more than {MAX_MODIFICATIONS} modifications of an order")
    return Modify(wish)


def _as_placed(leader: Order, accepted: Wish) -> Order:
    """Return the leader's order with a stop still a stop, where only its trigger made a limit order of it.

    A triggered stop reads back as LIMIT; that the leader changed its type is told by the word MODIFIED alone.
    """
    if (
        accepted.order_type.has_trigger
        and leader.order_type is OrderType.LIMIT
        and leader.status is not Status.MODIFIED
    ):
        return replace(leader, order_type=accepted.order_type, trigger_price=accepted.trigger_price)
    return leader


def _size(leader: Order, ratio: Ratio, lot_size: int, policy: Policy) -> Size:
    size = size_of(ratio, _wanted_of(leader), lot_size)
    return capped(size, policy.sizing, lot_size, leader.reference_price)


def lot_of(leader: Order, situation: Situation) -> int | None:
    """Return the lot of the leader's instrument: the master's, else the one that came with the order."""
    return situation.instrument.lot_size if situation.instrument else leader.lot_size


def wish_for(leader: Order, quantity: int, lot_size: int) -> Wish:
    """Return the follower's order for ``quantity`` units: the leader's parameters, disclosed quantity in proportion."""
    return Wish(
        quantity=quantity,
        order_type=leader.order_type,
        price=leader.price if leader.order_type.has_limit else ZERO,
        trigger_price=leader.trigger_price if leader.order_type.has_trigger else ZERO,
        validity=leader.validity,
        disclosed_quantity=_disclosed(leader, quantity, lot_size),
    )


def _wanted_of(leader: Order) -> int:
    """What the leader wants of this order, or got of it, where the rest is dead."""
    return leader.filled_quantity if leader.status in _LEADER_ENDED else leader.quantity


def _disclosed(leader: Order, quantity: int, lot_size: int) -> int:
    """Scale the disclosed quantity, in whole lots; the broker wants more than 30 % of the order, or none at all.

    Only cash orders may disclose a part (derivatives refuse it), and none may in an IOC order.
    """
    if not leader.disclosed_quantity or not leader.key.segment.is_cash or leader.validity is Validity.IOC:
        return 0
    least = (quantity * 3 // 10 // lot_size + 1) * lot_size
    scaled = leader.disclosed_quantity * quantity // leader.quantity // lot_size * lot_size
    disclosed = max(scaled, least)
    return disclosed if disclosed < quantity else 0


def _bounded(wish: Wish, leader: Order, situation: Situation, policy: Policy) -> Wish:
    """Return the wish as a limit order no further from the leader's price than the policy allows: no chasing."""
    price = leader.average_price or leader.price
    away = price * policy.max_price_deviation / 100 * leader.side.sign
    tick = situation.instrument.tick if situation.instrument else Decimal("0.05")
    rounding = ROUND_FLOOR if leader.side is Side.BUY else ROUND_CEILING
    limit = ((price + away) / tick).to_integral_value(rounding) * tick
    return Wish(wish.quantity, OrderType.LIMIT, limit, ZERO, Validity.DAY, 0, bounded=True)
