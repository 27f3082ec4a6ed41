"""Turns in the life of a copy that once went wrong."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from copytrade.brokers.budget import Budget, Window
from copytrade.core.decide.decisions import Cancel, Done, Modify, Place
from copytrade.core.decide.desired_order import desired_order
from copytrade.core.engine.copies import transitions
from copytrade.core.ledger.sizing import SizingPolicy, Strategy
from copytrade.core.model.copies import Copy, DesiredOrder, Stage
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import Order, OrderType, Source, Status
from copytrade.core.model.reasons import Reason
from tests.core.asking import FRESH, HALF, NIFTY, POLICY, TERMS, ask, resting
from tests.core.orders import an_order


def pending() -> Copy:
    place = Place(1, Part.ENTRY, desired_order(an_order(), 130, NIFTY, TERMS), "")
    return transitions.placing(FRESH, place, HALF, "fixed_ratio")


def test_a_wish_that_was_refused_once_may_be_wished_again_after_another() -> None:
    dear, dearer = an_order(price=Decimal(101)), an_order(price=Decimal(102))
    copy = transitions.modify_refused(
        transitions.modifying(resting(), Modify(1, desired_order(dear, 130, NIFTY, TERMS))), "no"
    )
    copy = transitions.accepted(
        transitions.modifying(copy, Modify(1, desired_order(dearer, 130, NIFTY, TERMS))), "7", None
    )
    assert ask(dear, copy) == Modify(1, desired_order(dear, 130, NIFTY, TERMS))


def test_a_rejection_that_overtakes_the_answer_keeps_its_reason() -> None:
    rejected = an_order(status=Status.REJECTED, reason="RMS:7:margin")
    copy = transitions.accepted(transitions.observed(pending(), rejected, an_order(), busy=True), "7", 3.0)
    assert (copy.stage, copy.reason, copy.error) == (Stage.ENDED, Reason.BROKER_REJECTED, "margin: RMS:7:margin")


def test_a_copy_that_is_cancelled_under_a_leader_in_position_is_explained() -> None:
    traded = an_order(status=Status.TRADED, filled_quantity=260)
    copy = transitions.observed(resting(), an_order(status=Status.CANCELLED), traded, busy=False)
    assert copy.reason is Reason.ENDED_EXTERNALLY
    asked = transitions.cancelling(resting(), Cancel(1))
    ours = transitions.observed(asked, an_order(status=Status.CANCELLED), traded, busy=True)
    assert ours.reason is None


def test_a_limit_on_size_never_cancels_what_rests() -> None:
    sizing = SizingPolicy(Strategy.FIXED_RATIO, ratio=Decimal("0.5"), max_order_value=Decimal(20_000))
    policy = replace(POLICY, sizing=sizing)
    stop = an_order(order_type=OrderType.STOP_LOSS_MARKET, trigger_price=Decimal(90), price=Decimal(0))
    copy = resting(accepted=desired_order(stop, 130, NIFTY, TERMS))
    row = replace(stop, last_price=None, instrument=None, source=Source.BOOK)
    assert ask(row, copy, policy=policy) == Done()
    assert ask(replace(row, quantity=520), copy, policy=policy) == Done()


def test_a_stop_that_shows_as_a_limit_order_after_a_restart_is_left_alone() -> None:
    stop = an_order(order_type=OrderType.STOP_LOSS, trigger_price=Decimal(99))
    copy = resting(accepted=desired_order(stop, 130, NIFTY, TERMS))
    row = an_order(order_type=OrderType.LIMIT, source=Source.BOOK)
    assert ask(row, copy) == Done()
    modified = an_order(order_type=OrderType.LIMIT, status=Status.MODIFIED)
    assert isinstance(ask(modified, copy), Modify)


def test_a_permit_in_use_is_known_as_such() -> None:
    budget = Budget([Window(1, 1.0)])
    budget.grant("a")
    assert budget.is_open("a")
    budget.settle("a", 0.0)
    assert not budget.is_open("a")


LIMIT = desired_order(an_order(), 130, NIFTY, TERMS)
DEARER = replace(LIMIT, price=Decimal(101))
LARGER = replace(LIMIT, quantity=195)
AT_MARKET = replace(LIMIT, order_type=OrderType.MARKET, price=Decimal(0))
STOP = replace(LIMIT, order_type=OrderType.STOP_LOSS, trigger_price=Decimal(99))
FURTHER_STOP = replace(STOP, trigger_price=Decimal(98))


def shown_as(desired: DesiredOrder, order_type: OrderType | None = None) -> Order:
    return an_order(
        id="7",
        quantity=desired.quantity,
        price=desired.price,
        trigger_price=desired.trigger_price,
        order_type=order_type or desired.order_type,
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (LIMIT, DEARER),
        (LIMIT, LARGER),
        (LIMIT, AT_MARKET),
        (AT_MARKET, LIMIT),
        (STOP, FURTHER_STOP),
        (STOP, LIMIT),
    ],
)
def test_whether_a_modification_was_carried_out_is_told_by_what_the_order_looks_like(
    before: DesiredOrder, after: DesiredOrder
) -> None:
    known = resting(accepted=before, order=shown_as(before))
    asked = transitions.modifying(known, Modify(1, after))
    accepted = transitions.modification_accepted(asked, "7")
    assert (accepted.replaced, accepted.modifications) == (before, 1)
    again = transitions.observed(accepted, shown_as(before), an_order(), busy=False)
    assert again.replaced == before
    assert transitions.modification_came_to_nothing(again).modifications == 0
    done = transitions.observed(accepted, shown_as(replace(after, price=after.price or Decimal(105))), None, busy=False)
    assert (done.replaced, done.accepted, done.modifications) == (None, after, 1)


def test_a_limit_order_is_not_told_from_a_stop_that_was_triggered() -> None:
    known = resting(accepted=LIMIT, order=shown_as(LIMIT))
    assert transitions.modification_accepted(transitions.modifying(known, Modify(1, STOP)), "7").replaced is None


def test_a_stop_that_is_triggered_does_not_look_as_if_its_modification_had_not_been_carried_out() -> None:
    known = resting(accepted=STOP, order=shown_as(STOP))
    accepted = transitions.modification_accepted(transitions.modifying(known, Modify(1, FURTHER_STOP)), "7")
    triggered = transitions.observed(accepted, shown_as(FURTHER_STOP, OrderType.LIMIT), an_order(), busy=False)
    assert triggered.replaced is None
