"""decide(): the only place that knows how to copy an order.

It compares what the leader's order looks like now with what the follower's own orders look like now, and says the one
thing to do next. It does not matter which event, gap read, restart or audit asked: duplicates and reordering are
harmless, five quick modifications collapse into the last, a cancellation overtakes a placement that has not been sent.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from copytrade.core.decide.decisions import (
    Allocated,
    Cancel,
    Decision,
    DecisionInput,
    Done,
    Flag,
    Lookup,
    Modify,
    Place,
    Policy,
    Skip,
    UnfilledAction,
    Wait,
)
from copytrade.core.decide.desired_order import bounded, desired_order, marketable, restated
from copytrade.core.decide.risk_check import forbidden
from copytrade.core.decide.slicing import Slices, sliced, sliced_by_product
from copytrade.core.ledger.arithmetic import whole_lots
from copytrade.core.market.prices import price_fault
from copytrade.core.market.sessions import Session, instrument_class
from copytrade.core.model.copies import Copy, DesiredOrder, Stage
from copytrade.core.model.instruments import Instrument
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import Order, Status
from copytrade.core.model.reasons import Reason

#: The broker takes this many modifications of one order (its documentation).
MAX_MODIFICATIONS = 25


#: What is left has to be left before anything is entered.
_IN_ORDER = (Part.TWIN, Part.EXIT, Part.ENTRY, Part.FLATTEN, Part.CLOSE)

_LEADER_ENDED = {
    Status.CANCELLED: Reason.LEADER_CANCELLED,
    Status.CLOSED: Reason.LEADER_CANCELLED,
    Status.REJECTED: Reason.LEADER_REJECTED,
    Status.EXPIRED: Reason.LEADER_EXPIRED,
}


class _Case(msgspec.Struct, frozen=True):
    """One question to decide, with its arguments at hand."""

    leader: Order
    copies: Sequence[Copy]
    sent: Sequence[Copy]
    by_part: Mapping[Part, Sequence[Copy]]
    allocated: Allocated
    instrument: Instrument
    inputs: DecisionInput
    policy: Policy
    now: datetime

    @property
    def age(self) -> float:
        return (self.now - self.leader.event_at).total_seconds()

    @property
    def is_late(self) -> bool:
        return self.age > self.policy.late_after

    def of(self, part: Part) -> Sequence[Copy]:
        return self.by_part.get(part, ())

    @property
    def skipped(self) -> Copy | None:
        """What was skipped for a reason of its own: an exit that comes first may end after the order."""
        unsent = (copy for copy in self.copies if copy.stage is Stage.NONE and not copy.again)
        return next((copy for copy in unsent if copy.reason not in (None, Reason.EXIT_FIRST)), None)

    @property
    def unsent(self) -> int | None:
        return next((copy.n for copy in self.copies if copy.n and copy.stage is Stage.NONE), None)


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
    sent = [copy for copy in copies if copy.stage is not Stage.NONE]
    if not sent and (early := _before_the_first(leader, copies, allocated, inputs)):
        return early
    if leader.status in _LEADER_ENDED and (cancel := _cancel_entries(sent, inputs)):
        return cancel
    lookup = _lookup(sent, inputs)
    if inputs.instrument is None:
        return lookup or Wait("the instrument master has not been read yet")
    if allocated is None:
        return lookup or Wait("the positions are not known yet")
    by_part: dict[Part, list[Copy]] = {}
    for copy in sent:
        by_part.setdefault(copy.part, []).append(copy)
    case = _Case(leader, copies, sent, by_part, allocated, inputs.instrument, inputs, policy, now)
    decisions = [_part(case, part) for part in _IN_ORDER if part in by_part or part in allocated.parts]
    for decision in decisions:
        if isinstance(decision, Place | Modify | Cancel | Flag):
            return decision
    return lookup or _for_the_whole(case, decisions)


def _before_the_first(
    leader: Order, copies: Sequence[Copy], allocated: Allocated | None, inputs: DecisionInput
) -> Skip | Wait | Done | None:
    """Decide what needs no size; None if it is to be sized.

    What is not for copying is copied all the same as far as it takes from a position that was copied.
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
    if leader.status in _LEADER_ENDED and not leader.filled_quantity:
        return Skip(_LEADER_ENDED[leader.status], f"the leader's order is {leader.status}")
    if leaves_copied:
        return None
    why = inputs.refused
    if why and why.reason is Reason.OWN_ORDER:
        return why
    if not _is_described(inputs) and not inputs.master_read:
        return Wait("the instrument master has not been read yet")
    if why and inputs.instrument is not None and allocated is None:
        return Wait("the positions are not known yet")
    return why


def _is_described(inputs: DecisionInput) -> bool:
    """Whether master or feed say what an order is in: else nothing is entered."""
    return inputs.instrument is not None and bool(inputs.instrument.kind)


def _lookup(sent: Sequence[Copy], inputs: DecisionInput) -> Lookup | None:
    """An order of which we do not know what became has to be read."""
    for copy in sent:
        if copy.stage is Stage.UNKNOWN and _is_free(copy, inputs):
            return Lookup(copy.n)
    return None


def _cancel_entries(sent: Sequence[Copy], inputs: DecisionInput) -> Cancel | None:
    """The leader's order is over: so are the entries that rest for it, whatever else is known."""
    for copy in sent:
        cancel = Cancel(copy.n)
        if copy.part is Part.ENTRY and _can_be_changed(copy, inputs) and not inputs.is_held(cancel):
            return cancel
    return None


def _part(case: _Case, part: Part) -> Decision:
    """Decide one part of the order: make what rests come to the total that is wanted, then see how it fills."""
    mine = case.of(part)
    total = _total(case, part, mine)
    if not isinstance(total, int):
        return total
    plan = _plan(case, part, mine, total)
    decision = _change(case, mine, plan)
    if isinstance(decision, Done) and plan.more:
        decision = _grow(case, part, mine, plan)
    if part is Part.EXIT and isinstance(decision, Done) and case.allocated.exit_waits is not None:
        return case.allocated.exit_waits
    if part in (Part.FLATTEN, Part.TWIN):
        return decision
    if isinstance(decision, Done):
        as_wanted = [copy for copy in mine if _change_of(case, copy, plan.quantities.get(copy.n, 0)) is None]
        decision = _mind_fills(case, part, as_wanted)
    return _note_difference(case, part, mine) if isinstance(decision, Done) else decision


def _plan(case: _Case, part: Part, mine: Sequence[Copy], total: int) -> Slices:
    """Return how a total is spread; what leaves a position that is in several products is, by what each has."""
    room = case.allocated.room if part in (Part.EXIT, Part.CLOSE) else None
    if room is None:
        return sliced(total, mine, case.inputs.largest)
    return sliced_by_product(total, mine, case.inputs.largest, room, case.leader.product)


def _total(case: _Case, part: Part, mine: Sequence[Copy]) -> int | Decision:
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


def _entry_total(case: _Case, mine: Sequence[Copy]) -> int | Decision:
    """Return how many units the follower is to have of the leader's order in all."""
    if not mine and (why := _not_entered(case)):
        return why
    size = case.allocated.entry
    if size is None:
        return Wait("the capital is not known yet")
    if not mine:
        if case.leader.is_terminal and case.skipped:
            return Done()  # what was skipped while it lived is not taken up any more
        return size.quantity if size.reason is None else Skip(size.reason, size.arithmetic)
    if case.leader.status in _LEADER_ENDED:
        return sum(copy.filled_quantity for copy in mine)
    committed = _committed(mine)
    kept = min(committed, case.allocated.entry_at_most)
    if size.quantity > kept and _forbidden(case, mine):
        return kept
    return max(kept, size.quantity)  # limits bind what is added, not what rests


def _not_entered(case: _Case) -> Skip | Wait | None:
    """Return why nothing is entered whatever the size, None if it is."""
    if not _is_described(case.inputs) and not case.inputs.master_read:
        return Wait("the instrument master has not been read yet")
    return case.inputs.refused


def _committed(mine: Sequence[Copy]) -> int:
    """Return how many units have been entered, or may yet be."""
    return sum(copy.quantity if copy.is_open else copy.filled_quantity for copy in mine)


def _forbidden(case: _Case, mine: Sequence[Copy]) -> Skip | Wait | None:
    """Return why no more may be entered than has been, None if it may."""
    if why := _not_entered(case):
        return why
    wanted = case.allocated.entry.quantity if case.allocated.entry else 0
    return forbidden(
        case.leader, max(0, wanted - _committed(mine)), case.instrument, case.policy, case.inputs, case.now
    )


def _exit_total(case: _Case, mine: Sequence[Copy]) -> int | Decision:
    """Return how many units the leader's order is to take from the follower's position in all."""
    still = case.allocated.exit_open
    if not mine and not still:
        if case.allocated.exit_waits is not None:
            return case.allocated.exit_waits
        if case.allocated.closed_elsewhere:
            return Skip(Reason.EXTERNAL_CLOSE, "what was copied has been closed elsewhere")
        return Skip(Reason.NOTHING_HELD, "nothing that was copied is left to exit")
    return still + sum(copy.filled_quantity for copy in mine)


def _change(case: _Case, mine: Sequence[Copy], plan: Slices) -> Decision:
    """Cancel or restate the first order that is not what it should be."""
    for copy in mine:
        change = _change_of(case, copy, plan.quantities.get(copy.n, 0))
        if change is not None and not case.inputs.is_held(change):
            return change
    return Done()


def _change_of(case: _Case, copy: Copy, quantity: int) -> Cancel | Modify | None:
    """Return what makes a copy an order of so many units as the leader's is, None where it is that."""
    accepted = copy.accepted or copy.desired
    if accepted is None or not _can_be_changed(copy, case.inputs):
        return None
    if quantity <= copy.filled_quantity:
        return Cancel(copy.n)
    desired = restated(case.leader, accepted, quantity, case.instrument, case.policy.terms)
    if desired == copy.accepted:
        return None
    if copy.modifications >= MAX_MODIFICATIONS:
        return Cancel(copy.n)  # and what it was to fill is sent anew once its end is known
    return Modify(copy.n, desired)


def _grow(case: _Case, part: Part, mine: Sequence[Copy], plan: Slices) -> Decision:
    """Send another order for what no order rests for."""
    exits = case.of(Part.EXIT) if part is Part.ENTRY else []
    if any(copy.is_final and not _is_tried_again(case, copy) for copy in (*mine, *exits)):
        return Done()  # what ended without us stays ended, and nothing is entered over an exit that failed
    if plan.waits_for is not None:
        return Wait(f"order {plan.waits_for} has to be known first")
    if part is Part.ENTRY and (_is_yet_to_exit(case) or any(copy.is_open for copy in exits)):
        why = "its exit comes first"
        return Wait(why) if case.sent else Skip(Reason.EXIT_FIRST, why)
    if part is Part.ENTRY and not mine and case.allocated.exits_first:
        why = "what others leave of its line comes first"
        return Wait(why) if case.sent else Skip(Reason.EXIT_FIRST, why)
    n = case.unsent or max((copy.n for copy in case.copies), default=0) + 1
    if n in case.inputs.under_way:
        return Wait("what became of it is not known yet")
    desired = _first_desired(case, part, mine, plan.more)
    if isinstance(desired, Skip) and mine:
        is_last_word = part is Part.ENTRY and case.unsent is not None and not any(copy.is_open for copy in mine)
        return desired if is_last_word else Wait(desired.detail, desired.until)
    if not isinstance(desired, DesiredOrder):
        return desired
    place = Place(n, part, desired, _arithmetic(case, part), plan.product)
    return Wait("it is tried again in a while") if case.inputs.is_held(place) else place


def _is_yet_to_exit(case: _Case) -> bool:
    """Whether an order that crosses zero still finds something to exit, be it that others rest for it."""
    return Part.EXIT in case.allocated.parts and (case.allocated.exit_open > 0 or case.allocated.held_against)


def _arithmetic(case: _Case, part: Part) -> str:
    allocated = case.allocated
    match part:
        case Part.ENTRY:
            return allocated.entry.arithmetic if allocated.entry else ""
        case Part.EXIT:
            why = _not_entered(case) if Part.ENTRY in allocated.parts else None
            beyond = f"; what is beyond it is not entered, {why.reason}: {why.detail}" if isinstance(why, Skip) else ""
            return allocated.exit_arithmetic + beyond
        case Part.FLATTEN | Part.TWIN:
            return f"{allocated.excess} filled beyond what belongs"
        case Part.CLOSE:
            return f"closing {allocated.closing} held"


def _first_desired(case: _Case, part: Part, mine: Sequence[Copy], quantity: int) -> DesiredOrder | Skip | Wait:
    """Return what a new order should be, or why none may be sent now."""
    leader, policy, instrument = case.leader, case.policy, case.instrument
    if part is Part.ENTRY:
        if why := _forbidden(case, mine):
            return why
        if not case.inputs.gate_open:
            return Wait("the entry gate is closed until the leader's order book has been read")
    if case.is_late and (closed := _closed(case, part)):
        return closed
    if part in (Part.EXIT, Part.CLOSE) and (until := case.inputs.unread_until()):
        return Wait("the account's book and positions are being read", until)
    if part is Part.FLATTEN:
        return marketable(replace(leader, side=leader.side.opposite), quantity, instrument, policy.terms)
    if part is Part.CLOSE:
        return marketable(leader, quantity, instrument, policy.terms)
    desired: DesiredOrder | None = desired_order(leader, quantity, instrument, policy.terms)
    is_overdue = case.inputs.takes_back or (leader.is_terminal and case.is_late)
    if part is Part.EXIT and (is_overdue or any(copy.is_final for copy in mine)):
        desired = marketable(leader, quantity, instrument, policy.terms)
    elif leader.is_terminal and case.is_late:
        if case.age > policy.max_missed_age:
            return Skip(Reason.MISSED_TOO_OLD, f"filled {case.age:.0f} s ago, and never seen before")
        desired = bounded(leader, quantity, instrument, policy.max_price_deviation)
    if desired is None:
        return Wait("the leader's price is not known yet")
    fault = _price_fault(case, part, desired)
    return Skip(Reason.PRICE_RULE, fault) if fault else desired


def _price_fault(case: _Case, part: Part, desired: DesiredOrder) -> str | None:
    """Return the exchange's rule that an entry's price breaks, None if none.

    A price that the leader's broker has just taken is not judged again, and an exit is never held back.
    """
    leader, instrument = case.leader, case.instrument
    is_the_leaders = desired.order_type is leader.order_type and not desired.own_price
    if part is not Part.ENTRY or (is_the_leaders and not case.is_late):
        return None
    return price_fault(
        leader.side,
        desired.order_type,
        desired.price,
        desired.trigger_price,
        instrument.tick,
        leader.key.segment,
        instrument.kind,
        leader.last_price,
    )


def _closed(case: _Case, part: Part) -> Skip | None:
    """Return the skip of an order that comes too late for its session; an after-market order has none."""
    hours, leader = case.inputs.hours, case.leader
    if hours is None or leader.after_market:
        return None
    kind = instrument_class(leader.key.segment, case.instrument.kind, is_underlying=True)
    state = hours.state(kind, case.now, expiry=case.instrument.expiry)
    if state.is_open or (state.session is Session.UNCOVERED and part is not Part.ENTRY):
        return None
    return Skip(Reason.MARKET_CLOSED, state.reason, state.next_opening)


def _mind_fills(case: _Case, part: Part, mine: Sequence[Copy]) -> Decision:
    """See to orders that rest as they should although the leader's is over: what is to be cancelled waits for that."""
    resting = [copy for copy in mine if _can_be_changed(copy, case.inputs) and copy.reason is not Reason.UNFILLED]
    if not resting or not case.leader.is_terminal:
        return Done()
    policy, copy = case.policy, resting[0]
    due = max(case.leader.event_at, copy.created_at) + timedelta(seconds=policy.unfilled_after)
    if case.now < due:
        return Wait("the leader's order is filled, the follower's is not", due)
    decision = _for_the_unfilled(case, part, copy)
    if isinstance(decision, Cancel | Modify) and case.inputs.is_held(decision):
        return Wait("it is tried again in a while")
    return decision


def _for_the_unfilled(case: _Case, part: Part, copy: Copy) -> Cancel | Modify | Flag:
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


def _note_difference(case: _Case, part: Part, mine: Sequence[Copy]) -> Flag | Done:
    """Record it where both orders are over and the follower has got another share than the leader."""
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


def _due(case: _Case, part: Part, mine: Sequence[Copy]) -> int:
    """Return the follower's share of what the leader got; an exit may come to a lot more, kept back before."""
    got = sum(copy.filled_quantity for copy in mine)
    if part is Part.ENTRY:
        return case.allocated.entry.quantity if case.allocated.entry else got
    if case.leader.status not in _LEADER_ENDED or mine[0].ratio is None:
        return got
    share = mine[0].ratio.value * case.leader.filled_quantity
    return got if got < share + case.instrument.lot_size else whole_lots(share, case.instrument.lot_size)


def _is_tried_again(case: _Case, copy: Copy) -> bool:
    """Whether an exit that could not be had at once is sent again, at the market, because the leader's was filled."""
    if copy.part is not Part.EXIT or copy.reason is not Reason.IOC_UNFILLED:
        return False
    return case.policy.unfilled_exit_action is UnfilledAction.REPRICE and case.leader.filled_quantity > 0


def _can_be_changed(copy: Copy, inputs: DecisionInput) -> bool:
    return copy.stage is Stage.LIVE and not copy.cancelling and _is_free(copy, inputs)


def _is_free(copy: Copy, inputs: DecisionInput) -> bool:
    return copy.n not in inputs.under_way


def _is_never_entered(case: _Case) -> bool:
    """Whether an order that crossed zero is over, and its entry was never sent: what it is skipped for is final."""
    return case.leader.is_terminal and Part.ENTRY in case.allocated.parts and not case.of(Part.ENTRY)


def _for_the_whole(case: _Case, decisions: Sequence[Decision]) -> Decision:
    """Return the decision that speaks for the whole order: one that waits for something keeps it open."""
    says_why = not case.sent or case.unsent is not None or _is_never_entered(case)
    said = case.skipped if case.leader.is_terminal else None
    for kind in (Wait, Skip):
        for decision in reversed(decisions):
            if not isinstance(decision, kind) or (kind is Skip and not says_why):
                continue
            if kind is Skip and said is not None and said.reason is not None:
                return Skip(said.reason, said.error)  # of an order that is over, the first word is the last
            return decision
    if any(copy.n and copy.stage is Stage.NONE and copy.reason is None for copy in case.copies):
        return Skip(Reason.NOT_NEEDED, "the leader's order changed before this one was sent")
    return Done()
