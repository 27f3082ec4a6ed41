"""How much of a sold leg is sent by now, and which exit makes way: bought legs are entered first, and left last.

hedges of a sold leg          sent by now      the rest
none, and one may still join  nothing          waits until none can
none                          all              -
all filled                    all              -
one missing                   in proportion    is left, ``hedge_missing``
one held                      in proportion    waits for it
pending, skipped or gone      in proportion    waits until the group's time is over; then it is left, or sent if the
                                               settings say so and none was skipped
"""

from collections.abc import Sequence
from typing import NamedTuple

from copytrade.core.decide.case import LEADER_ENDED, Case
from copytrade.core.decide.decisions import Decision, Done, Flag, Skip, Wait
from copytrade.core.decide.legs.group import MAKES_WAY, Group, GroupAction, GroupPolicy, HedgeState
from copytrade.core.ledger.arithmetic.lots import whole_lots
from copytrade.core.model.copies import Copy
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import Side
from copytrade.core.model.reasons import Reason


class ByNow(NamedTuple):
    """How many units of an entry may be sent by now, and what is done about the rest, None where nothing is left."""

    units: int
    rest: Wait | Skip | None = None


def by_now(case: Case, whole: int) -> ByNow:
    """Return how much may be sent by now of an entry of ``whole`` units: all but of a sold leg."""
    policy = case.policy.groups
    if policy is None or case.leader.side is not Side.SELL or (group := case.inputs.group()) is None:
        return ByNow(whole)
    if any(copy.reason is Reason.HEDGE_MISSING and not copy.again for copy in case.of(Part.ENTRY)):
        return ByNow(0)  # what was left stays left
    if not group.hedges:
        is_alone = case.now >= group.complete_at
        return ByNow(whole) if is_alone else ByNow(0, Wait("a hedge of it may follow", group.complete_at))
    units = whole_lots(whole * group.share, case.instrument.lot_size)
    rest = _rest(case, policy, group) if units < whole else None
    return ByNow(units if rest else whole, rest)


def _rest(case: Case, policy: GroupPolicy, group: Group) -> Wait | Skip | None:
    """Return what is done about what the hedges do not cover, None where it is sent all the same."""
    until = group.ends_at(policy.wait)
    if not group.are(HedgeState.MISSING):
        if group.are(HedgeState.HELD):
            return Wait(f"its hedge could not leave yet: {group}")
        if case.now < until:
            return Wait(f"it waits for its hedge: {group}", until)
        if policy.action is GroupAction.SEND and not group.are(HedgeState.SKIPPED):
            return None
    return Skip(Reason.HEDGE_MISSING, f"the hedge: {group}")


def rest_of_leg(case: Case, mine: Sequence[Copy], decision: Decision) -> Decision:
    """Return what is done about an entry of which orders were sent, and beside it about the rest that was held back.

    ``decision`` is what else is done. What is left for good is told once, with the last order.
    """
    size = case.allocated.entry
    if size is None or case.leader.status in LEADER_ENDED or not isinstance(decision, Done | Wait):
        return decision
    units, rest = by_now(case, size.quantity)
    if rest is None or units >= size.quantity or any(copy.reason is not None for copy in mine):
        return decision
    if isinstance(rest, Skip):
        return Flag(mine[-1].n, rest.reason, f"{units} of {size.quantity} units were sent; {rest.detail}")
    if isinstance(decision, Wait) and decision.until and (rest.until is None or decision.until < rest.until):
        return decision
    return rest


def with_hedges(case: Case, arithmetic: str) -> str:
    """Return the arithmetic of an entry, with how much of it is sent by now where it is not the whole."""
    size, group = case.allocated.entry, case.inputs.group()
    if size is None or group is None or (units := by_now(case, size.quantity).units) >= size.quantity:
        return arithmetic
    return f"{arithmetic}; {units} by now for its hedge: {group}"


def makes_way(case: Case, part: Part) -> Wait | None:
    """Return why the exit of a bought leg is not sent yet: that of a sold leg goes first."""
    if part is not Part.EXIT or case.policy.groups is None or case.leader.side is not Side.SELL:
        return None
    group = case.inputs.group()
    if group is None or not group.makes_way or case.now >= (until := group.placed_at + MAKES_WAY):
        return None
    return Wait("the exit of the sold leg goes first", until)
