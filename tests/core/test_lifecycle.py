"""Turns in the life of a copy that once went wrong."""

from decimal import Decimal

from msgspec.structs import replace

from copytrade import lifecycle
from copytrade.budget import Budget, Window
from copytrade.copies import Copy, Stage
from copytrade.decisions import Cancel, Done, Modify, Place
from copytrade.ledger import Part
from copytrade.orders import OrderType, Source, Status
from copytrade.reasons import Reason
from copytrade.sizing import SizingPolicy, Strategy
from copytrade.wishes import wish_for
from tests.core.asking import FRESH, HALF, NIFTY, POLICY, TERMS, ask, resting
from tests.core.orders import an_order


def pending() -> Copy:
    place = Place(1, Part.ENTRY, wish_for(an_order(), 130, NIFTY, TERMS), "")
    return lifecycle.placing(FRESH, place, HALF, "fixed_ratio")


def test_a_wish_that_was_refused_once_may_be_wished_again_after_another() -> None:
    dear, dearer = an_order(price=Decimal(101)), an_order(price=Decimal(102))
    copy = lifecycle.modify_refused(lifecycle.modifying(resting(), Modify(1, wish_for(dear, 130, NIFTY, TERMS))), "no")
    copy = lifecycle.accepted(lifecycle.modifying(copy, Modify(1, wish_for(dearer, 130, NIFTY, TERMS))), "7", None)
    assert ask(dear, copy) == Modify(1, wish_for(dear, 130, NIFTY, TERMS))


def test_a_rejection_that_overtakes_the_answer_keeps_its_reason() -> None:
    rejected = an_order(status=Status.REJECTED, reason="RMS:7:margin")
    copy = lifecycle.accepted(lifecycle.observed(pending(), rejected, an_order(), busy=True), "7", 3.0)
    assert (copy.stage, copy.reason, copy.error) == (Stage.ENDED, Reason.BROKER_REJECTED, "margin: RMS:7:margin")


def test_a_copy_that_is_cancelled_under_a_leader_in_position_is_explained() -> None:
    traded = an_order(status=Status.TRADED, filled_quantity=260)
    copy = lifecycle.observed(resting(), an_order(status=Status.CANCELLED), traded, busy=False)
    assert copy.reason is Reason.ENDED_EXTERNALLY
    asked = lifecycle.cancelling(resting(), Cancel(1))
    ours = lifecycle.observed(asked, an_order(status=Status.CANCELLED), traded, busy=True)
    assert ours.reason is None


def test_a_limit_on_size_never_cancels_what_rests() -> None:
    sizing = SizingPolicy(Strategy.FIXED_RATIO, ratio=Decimal("0.5"), max_order_value=Decimal(20_000))
    policy = replace(POLICY, sizing=sizing)
    stop = an_order(order_type=OrderType.STOP_LOSS_MARKET, trigger_price=Decimal(90), price=Decimal(0))
    copy = resting(accepted=wish_for(stop, 130, NIFTY, TERMS))
    row = replace(stop, last_price=None, instrument=None, source=Source.BOOK)
    assert ask(row, copy, policy=policy) == Done()
    assert ask(replace(row, quantity=520), copy, policy=policy) == Done()


def test_a_stop_that_shows_as_a_limit_order_after_a_restart_is_left_alone() -> None:
    stop = an_order(order_type=OrderType.STOP_LOSS, trigger_price=Decimal(99))
    copy = resting(accepted=wish_for(stop, 130, NIFTY, TERMS))
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
