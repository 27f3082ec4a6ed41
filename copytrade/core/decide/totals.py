"""How many units each part of a leader's order is to come to in all, fills included."""

from collections.abc import Sequence

from copytrade.core.decide.case import LEADER_ENDED, Case
from copytrade.core.decide.decisions import Decision, Done, Skip, Wait
from copytrade.core.decide.fills.following import filled_part
from copytrade.core.decide.legs.sending import by_now
from copytrade.core.decide.risk_check import forbidden
from copytrade.core.model.copies import Copy
from copytrade.core.model.ledger import Part
from copytrade.core.model.reasons import Reason

#: Nothing is entered that may not be the leader's latest word.
GATE_CLOSED = Wait("the entry gate is closed until the leader's order book has been read")


def total_of(case: Case, part: Part, mine: Sequence[Copy]) -> int | Decision:
    """Return the total of one part in units, or the decision where the part has none."""
    match part:
        case Part.EXIT:
            return _exit_total(case, mine)
        case Part.ENTRY:
            return _entry_total(case, mine)
        case Part.FLATTEN:
            return case.allocated.excess
        case Part.TWIN:
            return sum(copy.filled_quantity for copy in mine)
        case Part.CLOSE:
            return case.allocated.closing


def _entry_total(case: Case, mine: Sequence[Copy]) -> int | Decision:
    """Return how many units the follower is to have of the leader's order in all."""
    if not mine and (why := not_entered(case)):
        return why
    size = case.allocated.entry
    if size is None:
        return Wait("the capital is not known yet")
    if not mine:
        if case.leader.is_terminal and case.skipped:
            return Done()  # what was skipped while it lived is not taken up any more
        if size.reason is not None:
            return Skip(size.reason, size.arithmetic)
        if case.follows_fills and not (part := filled_part(case, size)):
            return Wait("what the leader has filled is less than a lot of the follower's share")
        units, rest = by_now(case, size.quantity)
        if not units and rest is not None:
            return _not_for_now(case, rest)
        return min(units, part) if case.follows_fills else units
    if case.leader.status in LEADER_ENDED:
        return sum(copy.filled_quantity for copy in mine)
    committed = committed_units(mine)
    kept = min(committed, case.allocated.entry_at_most)
    wanted = filled_part(case, size) if case.follows_fills else size.quantity
    wanted = min(wanted, by_now(case, size.quantity).units)
    if wanted > kept and forbidden_more(case, mine):
        return kept
    return max(kept, wanted)  # limits bind what is added, not what rests


def _exit_total(case: Case, mine: Sequence[Copy]) -> int | Decision:
    """Return how many units the leader's order is to take from the follower's position in all."""
    still = case.allocated.exit_open
    if not mine and not still:
        if case.allocated.exit_waits is not None:
            return case.allocated.exit_waits
        if case.allocated.closed_elsewhere:
            return Skip(Reason.EXTERNAL_CLOSE, "what was copied has been closed elsewhere")
        return Skip(Reason.NOTHING_HELD, "nothing that was copied is left to exit")
    return still + sum(copy.filled_quantity for copy in mine)


def _not_for_now(case: Case, rest: Wait | Skip) -> Wait | Skip:
    """Return why nothing is entered of a leg whose hedges cover none of it: first what forbids all entries."""
    if why := forbidden_more(case, ()):
        return why
    return rest if case.inputs.gate_open else GATE_CLOSED


def not_entered(case: Case) -> Skip | Wait | None:
    """Return why nothing is entered whatever the size, None if entries are possible."""
    if not case.inputs.is_described and not case.inputs.master_read:
        return Wait("the instrument master has not been read yet")
    return case.inputs.refused


def committed_units(mine: Sequence[Copy]) -> int:
    """Return how many units have been entered or may still fill."""
    return sum(copy.quantity if copy.is_open else copy.filled_quantity for copy in mine)


def forbidden_more(case: Case, mine: Sequence[Copy]) -> Skip | Wait | None:
    """Return why no more may be entered, None if it may."""
    if why := not_entered(case):
        return why
    wanted = case.allocated.entry.quantity if case.allocated.entry else 0
    return forbidden(
        case.leader, max(0, wanted - committed_units(mine)), case.instrument, case.policy, case.inputs, case.now
    )
