"""What is done when the leader's order and the follower's fill differently."""

from collections.abc import Sequence
from datetime import timedelta

from copytrade.core.decide.case import LEADER_ENDED, Case, can_be_changed
from copytrade.core.decide.decisions import (
    MAX_MODIFICATIONS,
    Cancel,
    Decision,
    Done,
    Flag,
    Modify,
    UnfilledAction,
    Wait,
)
from copytrade.core.decide.desired_order import marketable
from copytrade.core.ledger.arithmetic.lots import whole_lots
from copytrade.core.model.copies import Copy
from copytrade.core.model.ledger import Part
from copytrade.core.model.reasons import Reason


def mind_fills(case: Case, part: Part, mine: Sequence[Copy]) -> Decision:
    """Decide about orders that rest as they should although the leader's order is over."""
    resting = [copy for copy in mine if can_be_changed(copy, case.inputs) and copy.reason is not Reason.UNFILLED]
    if not resting or not (case.leader.is_terminal or case.follows_fills):
        return Done()
    policy, copy = case.policy, resting[0]
    due = max(case.leader.event_at, copy.created_at) + timedelta(seconds=policy.unfilled_after)
    if case.now < due:
        return Wait("the leader's order is filled, the follower's is not", due)
    decision = _for_the_unfilled(case, part, copy)
    if isinstance(decision, Cancel | Modify) and case.inputs.is_held(decision):
        return Wait("it is tried again in a while")
    return decision


def _for_the_unfilled(case: Case, part: Part, copy: Copy) -> Cancel | Modify | Flag:
    """Return what is done about an order that has rested for too long."""
    policy = case.policy
    action = policy.unfilled_action if part is Part.ENTRY else policy.unfilled_exit_action
    match action:
        case UnfilledAction.CANCEL:
            return Cancel(copy.n, Reason.UNFILLED)
        case UnfilledAction.REPRICE if copy.modifications < MAX_MODIFICATIONS:
            return Modify(
                copy.n, marketable(case.leader, copy.quantity, case.instrument, policy.terms), Reason.UNFILLED
            )
        case _:
            return Flag(copy.n, Reason.UNFILLED, f"unfilled {case.age:.0f} s after the leader's order")


def note_difference(case: Case, part: Part, mine: Sequence[Copy]) -> Flag | Done:
    """Flag an order if both sides are over and the follower got another share than the leader."""
    is_over = case.leader.is_terminal and not any(copy.is_open for copy in mine)
    if not mine or not is_over:
        return Done()
    got, due = sum(copy.filled_quantity for copy in mine), _due(case, part, mine)
    reasons = [copy.reason for copy in mine if copy.reason]
    if got == due or Reason.FILLED_OTHERWISE in reasons or (got < due and (reasons or part is Part.EXIT)):
        return Done()
    last = next((copy for copy in reversed(mine) if copy.filled_quantity), mine[-1])
    leader = f"the leader got {case.leader.filled_quantity} of {case.leader.quantity}"
    return Flag(last.n, Reason.FILLED_OTHERWISE, f"{leader}, the follower {got} where {due} is its share")


def _due(case: Case, part: Part, mine: Sequence[Copy]) -> int:
    """Return the follower's share of what the leader got; an exit may be one lot more, from earlier rounding."""
    got = sum(copy.filled_quantity for copy in mine)
    if part is Part.ENTRY:
        return case.allocated.entry.quantity if case.allocated.entry else got
    if case.leader.status not in LEADER_ENDED or mine[0].ratio is None:
        return got
    share = mine[0].ratio.value * case.leader.filled_quantity
    return got if got < share + case.instrument.lot_size else whole_lots(share, case.instrument.lot_size)
