"""decide(): the only place that knows how to copy an order.

It compares the leader's order with the follower's own orders, as both are now, and returns the one thing to do next. It
does not matter which event, gap read, restart or audit called it: duplicates and reordering are
harmless, five quick modifications collapse into the last, a cancellation overtakes a placement that has not been sent.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from copytrade.core.decide.case import LEADER_ENDED, Case, can_be_changed, is_free
from copytrade.core.decide.decisions import (
    MAX_MODIFICATIONS,
    Allocated,
    Cancel,
    Decision,
    DecisionInput,
    Done,
    Flag,
    Lookup,
    Mode,
    Modify,
    Place,
    Policy,
    Skip,
    UnfilledAction,
    Wait,
)
from copytrade.core.decide.desired_order import restated
from copytrade.core.decide.fills.differing import mind_fills, note_difference
from copytrade.core.decide.fills.following import as_followed, waits_for_more, with_fills
from copytrade.core.decide.legs.sending import makes_way, rest_of_leg, with_hedges
from copytrade.core.decide.new_order import new_order
from copytrade.core.decide.slicing import Slices, sliced, sliced_by_product
from copytrade.core.decide.totals import not_entered, total_of
from copytrade.core.model.copies import Copy, DesiredOrder, Stage
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import Order
from copytrade.core.model.reasons import Reason

#: Seconds between exits for which the account lacks margin, at most; twice as many once there were MANY.
LONGEST_WAIT, MANY = 30.0, 50

#: Exits come before entries.
_IN_ORDER = (Part.TWIN, Part.EXIT, Part.ENTRY, Part.FLATTEN, Part.CLOSE)


def decide(
    leader: Order,
    copies: Sequence[Copy],
    allocated: Allocated | None,
    inputs: DecisionInput,
    policy: Policy,
    now: datetime,
) -> Decision:
    """Return what to do next about ``leader`` for the follower whose ``copies`` of it these are.

    ``allocated`` is None while the positions are not known: only what ends an order is decided then.
    """
    leader = as_followed(leader, policy)
    sent = [copy for copy in copies if copy.stage is not Stage.NONE]
    if policy.mode is Mode.FILLS and not sent and not leader.filled_quantity and not leader.is_terminal:
        return Wait("nothing of the leader's order has filled yet")
    if not sent and (early := _before_the_first(leader, copies, allocated, inputs)):
        return early
    if leader.status in LEADER_ENDED and (cancel := _cancel_entries(sent, inputs)):
        return cancel
    lookup = _lookup(sent, inputs)
    if inputs.instrument is None:
        return lookup or Wait("the instrument master has not been read yet")
    if allocated is None:
        return lookup or Wait("the positions are not known yet")
    by_part: dict[Part, list[Copy]] = {}
    for copy in sent:
        by_part.setdefault(copy.part, []).append(copy)
    case = Case(leader, copies, sent, by_part, allocated, inputs.instrument, inputs, policy, now)
    decisions = [_part(case, part) for part in _IN_ORDER if part in by_part or part in allocated.parts]
    for decision in decisions:
        if isinstance(decision, Place | Modify | Cancel | Flag):
            return decision
    return lookup or _for_the_whole(case, decisions)


def _before_the_first(
    leader: Order, copies: Sequence[Copy], allocated: Allocated | None, inputs: DecisionInput
) -> Skip | Wait | Done | None:
    """Decide what can be decided without a size; None if the order is to be sized.

    A filtered order is copied all the same as far as it exits a copied position.
    """
    leaves_copied = allocated is not None and allocated.leaves_copied
    if any(copy.is_settled_as_exit for copy in copies):
        return Done()
    if not leaves_copied and any(copy.is_settled for copy in copies):
        return Done() if leader.is_terminal else Wait("it is not copied unless it comes to leave what was copied")
    if leader.is_terminal and any(copy.reason is Reason.DRY_RUN for copy in copies):
        return Done()
    if leader.status.is_ahead_of_exchange:
        return Wait("the leader's order has not been accepted yet")
    if leader.status in LEADER_ENDED and not leader.filled_quantity:
        return Skip(LEADER_ENDED[leader.status], f"the leader's order is {leader.status}{_until_then(copies)}")
    if leaves_copied:
        return None
    why = inputs.refused
    if why and why.reason is Reason.OWN_ORDER:
        return why
    if not inputs.is_described and not inputs.master_read:
        return Wait("the instrument master has not been read yet")
    if why and inputs.instrument is not None and allocated is None:
        return Wait("the positions are not known yet")
    return why


def _until_then(copies: Sequence[Copy]) -> str:
    """Return why an order was not copied before the leader ended it, "" if it was about to be."""
    why = next((copy for copy in copies if copy.reason is not None), None)
    return f"; until then {why.reason}: {why.error}" if why else ""


def _lookup(sent: Sequence[Copy], inputs: DecisionInput) -> Lookup | None:
    """Look up an order whose last outcome is unknown."""
    for copy in sent:
        if copy.stage is Stage.UNKNOWN and is_free(copy, inputs):
            return Lookup(copy.n)
    return None


def _cancel_entries(sent: Sequence[Copy], inputs: DecisionInput) -> Cancel | None:
    """Cancel an entry that rests for a leader order that has ended."""
    for copy in sent:
        cancel = Cancel(copy.n)
        if copy.part is Part.ENTRY and can_be_changed(copy, inputs) and not inputs.is_held(cancel):
            return cancel
    return None


def _part(case: Case, part: Part) -> Decision:
    """Decide one part of the order: bring its copies to the wanted total, then look at their fills."""
    mine = case.of(part)
    total = total_of(case, part, mine)
    if not isinstance(total, int):
        return total
    plan = _plan(case, part, mine, total)
    changes = [_change_of(case, copy, plan.quantities.get(copy.n, 0)) for copy in mine]
    possible = (change for change in changes if change is not None and not case.inputs.is_held(change))
    decision: Decision = next(possible, Done())
    if isinstance(decision, Done) and plan.more:
        decision = _grow(case, part, mine, plan)
    if part is Part.EXIT and isinstance(decision, Done) and case.allocated.exit_waits is not None:
        return case.allocated.exit_waits
    if part in (Part.FLATTEN, Part.TWIN):
        return decision
    if isinstance(decision, Done):
        as_wanted = [copy for copy, change in zip(mine, changes, strict=True) if change is None]
        decision = mind_fills(case, part, as_wanted)
    if case.policy.groups is not None and mine and part is Part.ENTRY:
        decision = rest_of_leg(case, mine, decision)
    return note_difference(case, part, mine) if isinstance(decision, Done) else decision


def _plan(case: Case, part: Part, mine: Sequence[Copy], total: int) -> Slices:
    """Return how a total is sliced; exits of a position in several products are sliced by product."""
    room = case.allocated.room if part in (Part.EXIT, Part.CLOSE) else None
    if room is None:
        return sliced(total, mine, case.inputs.largest, grows=not case.follows_fills)
    return sliced_by_product(total, mine, case.inputs.largest, room, case.leader.product)


def _change_of(case: Case, copy: Copy, quantity: int) -> Cancel | Modify | None:
    """Return the request that makes a copy what it should be, for ``quantity`` units; None if it is that already."""
    accepted = copy.accepted or copy.desired
    if accepted is None or not can_be_changed(copy, case.inputs):
        return None
    if quantity <= copy.filled_quantity:
        return Cancel(copy.n)
    desired = restated(case.leader, accepted, quantity, case.instrument, case.policy.terms)
    if desired == copy.accepted:
        return None
    if copy.modifications >= MAX_MODIFICATIONS:
        return Cancel(copy.n)  # and what it was to fill is sent anew once its end is known
    return Modify(copy.n, desired)


def _grow(case: Case, part: Part, mine: Sequence[Copy], plan: Slices) -> Decision:
    """Place another order for the units that no order rests for, if one may be sent."""
    exits = case.of(Part.EXIT) if part is Part.ENTRY else []
    if any(copy.is_final and not _is_tried_again(case, copy) for copy in (*mine, *exits)):
        return Done()  # what ended without us stays ended, and nothing is entered over an exit that failed
    if case.follows_fills and part in (Part.EXIT, Part.ENTRY) and (why_not := waits_for_more(case, mine)):
        return why_not
    if plan.waits_for is not None:
        return Wait(f"order {plan.waits_for} has to be known first")
    if (sold_leg_first := makes_way(case, part)) is not None:
        return sold_leg_first
    if part is Part.ENTRY and (_is_yet_to_exit(case) or any(copy.is_open for copy in exits)):
        why = "its exit comes first"
        return Wait(why) if case.sent else Skip(Reason.EXIT_FIRST, why)
    if (until := _after_want_of_margin(mine)) is not None and case.now < until:
        return Wait("the account lacked the margin for it a moment ago", until)
    n = case.unsent or max((copy.n for copy in case.copies), default=0) + 1
    if n in case.inputs.under_way:
        return Wait("what became of it is not known yet")
    desired = new_order(case, part, mine, plan.more)
    if isinstance(desired, Skip) and mine:
        is_last_word = part is Part.ENTRY and case.unsent is not None and not any(copy.is_open for copy in mine)
        return desired if is_last_word else Wait(desired.detail, desired.until)
    if not isinstance(desired, DesiredOrder):
        return desired
    if part is Part.ENTRY and not mine and case.allocated.exits_first:
        why = "what others leave of its line comes first"
        return Wait(why) if case.sent else Skip(Reason.EXIT_FIRST, why)
    place = Place(n, part, desired, _arithmetic(case, part), plan.product)
    return Wait("it is tried again in a while") if case.inputs.is_held(place) else place


def _after_want_of_margin(mine: Sequence[Copy]) -> datetime | None:
    """Return when an exit may be sent again that was rejected for want of margin: 1, 2, 4 ... 30 s after the last."""
    lacked = [copy.order.event_at for copy in mine if copy.lacked_margin and copy.order is not None]
    if not lacked:
        return None
    seconds = min(LONGEST_WAIT, 2.0 ** min(len(lacked) - 1, 10)) if len(lacked) < MANY else 2 * LONGEST_WAIT
    return max(lacked) + timedelta(seconds=seconds)


def _is_yet_to_exit(case: Case) -> bool:
    """Whether an order that crosses zero still has something to exit, even if other orders rest for it."""
    return Part.EXIT in case.allocated.parts and (case.allocated.exit_open > 0 or case.allocated.held_against)


def _arithmetic(case: Case, part: Part) -> str:
    allocated = case.allocated
    match part:
        case Part.ENTRY:
            arithmetic = allocated.entry.arithmetic if allocated.entry else ""
            arithmetic = arithmetic if case.policy.groups is None else with_hedges(case, arithmetic)
            return with_fills(case, arithmetic) if case.follows_fills else arithmetic
        case Part.EXIT:
            why = not_entered(case) if Part.ENTRY in allocated.parts else None
            beyond = f"; what is beyond it is not entered, {why.reason}: {why.detail}" if isinstance(why, Skip) else ""
            return allocated.exit_arithmetic + beyond
        case Part.FLATTEN | Part.TWIN:
            return f"{allocated.excess} filled beyond what belongs"
        case Part.CLOSE:
            return f"closing {allocated.closing} held"


def _is_tried_again(case: Case, copy: Copy) -> bool:
    """Whether an immediate exit that did not fill is sent again at the market, because the leader's was filled."""
    if copy.part is not Part.EXIT or copy.reason is not Reason.IOC_UNFILLED:
        return False
    return case.policy.unfilled_exit_action is UnfilledAction.REPRICE and case.leader.filled_quantity > 0


def _is_never_entered(case: Case) -> bool:
    """Whether an order that crossed zero is over and its entry was never sent: its reason is final."""
    return case.leader.is_terminal and Part.ENTRY in case.allocated.parts and not case.of(Part.ENTRY)


def _for_the_whole(case: Case, decisions: Sequence[Decision]) -> Decision:
    """Return the decision for the whole order: a part that waits keeps the order open."""
    says_why = not case.sent or case.unsent is not None or _is_never_entered(case)
    is_entered = Part.ENTRY in case.allocated.parts
    said = case.skipped if case.leader.is_terminal and is_entered else None
    for kind in (Wait, Skip):
        for decision in reversed(decisions):
            if not isinstance(decision, kind) or (kind is Skip and not says_why):
                continue
            if kind is Skip and said is not None and said.reason is not None:
                return Skip(said.reason, said.error)  # of an entry that is over, the first word is the last
            return decision
    if any(copy.n and copy.stage is Stage.NONE and copy.reason is None for copy in case.copies):
        return Skip(Reason.NOT_NEEDED, "the leader's order changed before this one was sent")
    return Done()
