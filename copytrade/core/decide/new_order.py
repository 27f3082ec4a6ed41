"""What a new order of the follower's should be, or why none may be sent now."""

from collections.abc import Sequence

from msgspec.structs import replace

from copytrade.core.decide.case import Case
from copytrade.core.decide.decisions import Skip, Wait
from copytrade.core.decide.desired_order import bounded, desired_order, marketable
from copytrade.core.decide.fills.following import following_order
from copytrade.core.decide.totals import GATE_CLOSED, forbidden_more
from copytrade.core.market.prices import price_fault
from copytrade.core.market.sessions import Session, instrument_class
from copytrade.core.model.copies import Copy, DesiredOrder
from copytrade.core.model.ledger import Part
from copytrade.core.model.reasons import Reason


def new_order(case: Case, part: Part, mine: Sequence[Copy], quantity: int) -> DesiredOrder | Skip | Wait:
    """Return what a new order should be, or why none may be sent now."""
    leader, policy, instrument = case.leader, case.policy, case.instrument
    if part is Part.ENTRY:
        if why := forbidden_more(case, mine):
            return why
        if not case.inputs.gate_open:
            return GATE_CLOSED
    if case.is_late and (closed := _closed(case, part)):
        return closed
    if part in (Part.EXIT, Part.CLOSE) and (until := case.inputs.unread_until()):
        return Wait("the account's book and positions are being read", until)
    if part is Part.FLATTEN:
        return marketable(replace(leader, side=leader.side.opposite), quantity, instrument, policy.terms)
    if part is Part.CLOSE:
        return marketable(leader, quantity, instrument, policy.terms)
    desired: DesiredOrder | None
    if case.follows_fills:
        desired = following_order(case, part, quantity)
    else:
        desired = desired_order(leader, quantity, instrument, policy.terms)
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


def _price_fault(case: Case, part: Part, desired: DesiredOrder) -> str | None:
    """Return the exchange's rule that an entry's price breaks, None if none.

    A price that the leader's broker has just accepted is not checked again, and an exit is never held back.
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


def _closed(case: Case, part: Part) -> Skip | None:
    """Return the skip of an order whose market is closed, None if it is open; after-market orders always pass."""
    hours, leader = case.inputs.hours, case.leader
    if hours is None or leader.after_market:
        return None
    kind = instrument_class(leader.key.segment, case.instrument.kind, is_underlying=True)
    state = hours.state(kind, case.now, expiry=case.instrument.expiry)
    if state.is_open or (state.session is Session.UNCOVERED and part is not Part.ENTRY):
        return None
    return Skip(Reason.MARKET_CLOSED, state.reason, state.next_opening)
