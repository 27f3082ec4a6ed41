"""Turns in the life of a copy that once went wrong."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from copytrade import lifecycle
from copytrade.budget import Budget, Window
from copytrade.copies import Copy, Stage
from copytrade.mirror import Done, Modify, Place, decide, wish_for
from copytrade.orders import OrderType, Source, Status
from copytrade.reasons import Reason
from copytrade.sizing import Ratio, SizingPolicy, Strategy
from tests.core.orders import NOW, an_order
from tests.core.test_mirror import FRESH, OPEN, POLICY, resting


def pending() -> Copy:
    return lifecycle.placing(FRESH, Place(wish_for(an_order(), 130, 65), Ratio(Fraction(1, 2), ""), ""), "fixed_ratio")


def test_a_wish_that_was_refused_once_may_be_wished_again_after_another() -> None:
    dear, dearer = an_order(price=Decimal(101)), an_order(price=Decimal(102))
    copy = lifecycle.modify_refused(lifecycle.modifying(resting(), Modify(wish_for(dear, 130, 65))), "no")
    copy = lifecycle.accepted(lifecycle.modifying(copy, Modify(wish_for(dearer, 130, 65))), "7", None)
    assert decide(dear, copy, OPEN, POLICY, NOW) == Modify(wish_for(dear, 130, 65))


def test_a_rejection_that_overtakes_the_answer_keeps_its_reason() -> None:
    rejected = an_order(status=Status.REJECTED, reason="RMS:7:margin")
    copy = lifecycle.accepted(lifecycle.observed(pending(), rejected, an_order(), busy=True), "7", 3.0)
    assert (copy.stage, copy.reason, copy.error) == (Stage.ENDED, Reason.BROKER_REJECTED, "RMS:7:margin")


def test_a_copy_that_is_cancelled_under_a_leader_in_position_is_explained() -> None:
    traded = an_order(status=Status.TRADED, filled_quantity=260)
    copy = lifecycle.observed(resting(), an_order(status=Status.CANCELLED), traded, busy=False)
    assert copy.reason is Reason.ENDED_EXTERNALLY
    ours = lifecycle.observed(lifecycle.cancelling(resting()), an_order(status=Status.CANCELLED), traded, busy=True)
    assert ours.reason is None


def test_a_limit_on_size_never_cancels_what_rests() -> None:
    sizing = SizingPolicy(Strategy.FIXED_RATIO, ratio=Decimal("0.5"), max_order_value=Decimal(20_000))
    policy = replace(POLICY, sizing=sizing)
    stop = an_order(order_type=OrderType.STOP_LOSS_MARKET, trigger_price=Decimal(90), price=Decimal(0))
    copy = resting(accepted=wish_for(stop, 130, 65))
    row = replace(stop, last_price=None, instrument=None, source=Source.BOOK)
    assert decide(row, copy, OPEN, policy, NOW) == Done()
    assert decide(replace(row, quantity=520), copy, OPEN, policy, NOW) == Done()


def test_a_stop_that_shows_as_a_limit_order_after_a_restart_is_left_alone() -> None:
    stop = an_order(order_type=OrderType.STOP_LOSS, trigger_price=Decimal(99))
    copy = resting(accepted=wish_for(stop, 130, 65))
    row = an_order(order_type=OrderType.LIMIT, source=Source.BOOK)
    assert decide(row, copy, OPEN, POLICY, NOW) == Done()
    modified = an_order(order_type=OrderType.LIMIT, status=Status.MODIFIED)
    assert isinstance(decide(modified, copy, OPEN, POLICY, NOW), Modify)


def test_a_permit_in_use_is_known_as_such() -> None:
    budget = Budget([Window(1, 1.0)])
    budget.grant("a")
    assert budget.is_open("a")
    budget.settle("a", 0.0)
    assert not budget.is_open("a")
