"""Following fills: what is copied of a leader order is what it has filled, in marketable orders, one at a time."""

from collections.abc import Sequence
from datetime import timedelta

from msgspec.structs import replace

from copytrade.core.decide.case import LEADER_ENDED, Case
from copytrade.core.decide.decisions import Mode, Policy, Wait
from copytrade.core.decide.desired_order import bounded, marketable
from copytrade.core.ledger.arithmetic.lots import whole_lots
from copytrade.core.ledger.sizing import Size, Strategy
from copytrade.core.model.copies import Copy, DesiredOrder
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import Order, Status

#: Pieces that fill within so long of each other are copied by one order.
TOGETHER = timedelta(milliseconds=200)


def as_followed(leader: Order, policy: Policy) -> Order:
    """Return a leader order as a follower of fills sees it: what has filled stays, whatever ended the rest."""
    if policy.mode is Mode.FILLS and leader.filled_quantity and leader.status in LEADER_ENDED:
        return replace(leader, status=Status.TRADED)
    return leader


def filled_part(case: Case, size: Size) -> int:
    """Return how much of an entry's whole size is wanted for what the leader has filled, in whole lots."""
    leader = case.leader
    if leader.is_terminal or (case.policy.sizing.strategy is Strategy.FIXED_LOTS and leader.filled_quantity):
        return size.quantity
    return whole_lots(size.quantity * leader.filled_quantity, case.instrument.lot_size, of=leader.quantity)


def with_fills(case: Case, arithmetic: str) -> str:
    """Return the arithmetic of an entry, with how much of the leader's it follows."""
    return f"{arithmetic}; mode fills: {case.leader.filled_quantity} of {case.leader.quantity} filled"


def waits_for_more(case: Case, mine: Sequence[Copy]) -> Wait | None:
    """Return why nothing is added now: an order of ours rests still, or more may fill at once."""
    if any(copy.is_open for copy in mine):
        return Wait("another order follows when this one has ended")
    if case.leader.is_terminal or case.inputs.piece_at is None:
        return None
    until = case.inputs.piece_at + TOGETHER
    return Wait("more of it may fill within a moment", until) if case.now < until else None


def following_order(case: Case, part: Part, quantity: int) -> DesiredOrder | None:
    """Return an order for what has filled: an entry no further than allowed from the leader's price, an exit at any.

    None where the leader's price is not known.
    """
    if part is Part.EXIT:
        return marketable(case.leader, quantity, case.instrument, case.policy.terms)
    return bounded(case.leader, quantity, case.instrument, case.policy.max_price_deviation)
