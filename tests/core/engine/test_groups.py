"""Groups of legs: a sold leg follows its hedges, and is left before them."""

import pytest
from msgspec.structs import replace

from copytrade.core.decide.decisions import Action, Modify, Place
from copytrade.core.decide.legs.group import GroupAction
from copytrade.core.model.orders import Leg, Status
from copytrade.core.model.reasons import Reason
from tests.core.engine.legs import HEDGE, OTHER_HEDGE, OTHER_SOLD, SOLD, Legs, an_exit
from tests.core.engine.policies import LOT
from tests.core.orders import an_order


def why(legs: Legs, order_id: str = SOLD) -> Reason | None:
    copies = legs.engine.copies.of(order_id)
    return copies[-1].reason if copies else None


def test_a_sold_leg_is_sent_as_far_as_its_hedge_is_filled() -> None:
    legs = Legs()
    legs.places(HEDGE)
    legs.places(SOLD)
    assert (legs.sent_of(HEDGE), legs.sent_of(SOLD)) == (2, 0)
    legs.fills_own(HEDGE, 1)
    assert legs.sent_of(SOLD) == 1
    legs.fills_own(HEDGE, 2)
    assert legs.sent_of(SOLD) == 2
    assert [type(action) for _, leader, action in legs.sent if leader == SOLD] == [Place, Modify]
    legs.passes(120)
    assert why(legs) is None


def test_what_has_filled_of_a_sold_leg_is_followed_by_another_order() -> None:
    legs = Legs()
    legs.places(HEDGE)
    legs.places(SOLD)
    legs.fills_for_leader(SOLD)
    legs.fills_own(HEDGE, 1)
    legs.fills_own(SOLD, 1)
    legs.passes(10)
    assert why(legs) is None, "the rest still waits"
    legs.fills_own(HEDGE, 2)
    assert [order.quantity for order in legs.own(SOLD)] == [LOT, LOT]


def test_a_sold_leg_that_is_told_first_waits_for_a_hedge_and_follows_it() -> None:
    legs = Legs()
    legs.places(SOLD)
    legs.passes(1.5)
    assert legs.sent_of(SOLD) == 0
    legs.places(HEDGE)
    legs.passes(10)
    assert (legs.sent_of(HEDGE), legs.sent_of(SOLD)) == (2, 0)
    legs.fills_own(HEDGE, 2)
    assert legs.sent_of(SOLD) == 2


def test_sold_legs_without_a_hedge_are_sent_once_none_can_follow() -> None:
    legs = Legs()
    legs.places(SOLD)
    legs.places(OTHER_SOLD)
    legs.passes(2.5)
    assert legs.order_of_sending() == []
    legs.passes(1)  # the broker's seconds are whole ones
    assert (legs.sent_of(SOLD), legs.sent_of(OTHER_SOLD)) == (2, 2)


def test_what_is_bought_at_another_time_or_of_another_leader_order_is_no_hedge() -> None:
    legs = Legs()
    legs.places(HEDGE)
    legs.passes(3)
    legs.places(SOLD)
    legs.passes(4)
    assert legs.sent_of(SOLD) == 2
    assert why(legs) is None


def test_the_least_filled_hedge_counts() -> None:
    legs = Legs()
    for leg in (HEDGE, OTHER_HEDGE, SOLD, OTHER_SOLD):
        legs.places(leg)
    legs.fills_own(HEDGE, 2)
    assert legs.sent_of(SOLD) == legs.sent_of(OTHER_SOLD) == 0
    legs.fills_own(OTHER_HEDGE, 1)
    assert legs.sent_of(SOLD) == legs.sent_of(OTHER_SOLD) == 1


@pytest.mark.parametrize("action", GroupAction)
def test_nothing_is_sold_whose_hedge_was_refused(action: GroupAction) -> None:
    def verdict(request: Action) -> str:
        is_bought = isinstance(request, Place) and not legs.sent[:-1]
        return "refused" if is_bought else "accepted"

    legs = Legs(verdict, action)
    legs.places(HEDGE)
    legs.places(SOLD)
    legs.passes(120)
    assert legs.order_of_sending() == [HEDGE]
    assert why(legs) is Reason.HEDGE_MISSING


@pytest.mark.parametrize("action", GroupAction)
def test_what_a_rejected_hedge_does_not_cover_is_left(action: GroupAction) -> None:
    legs = Legs(action=action)
    legs.places(HEDGE)
    legs.places(SOLD)
    legs.fills_own(HEDGE, 1)
    (order,) = legs.own(HEDGE)
    rejected = {"status": Status.REJECTED, "filled_quantity": LOT, "reason": "RMS: margin exceeds"}
    legs.shows(replace(order, **rejected))
    legs.goes_on()
    assert legs.sent_of(SOLD) == 1
    (copy,) = legs.engine.copies.of(SOLD)
    assert copy.reason is Reason.HEDGE_MISSING
    assert f"{LOT} of {2 * LOT} units were sent" in copy.error


@pytest.mark.parametrize(("action", "sent"), [(GroupAction.SKIP, 1), (GroupAction.SEND, 2)])
def test_what_a_pending_hedge_does_not_cover_in_time_is_left_or_sent(action: GroupAction, sent: int) -> None:
    legs = Legs(action=action)
    legs.places(HEDGE)
    legs.places(SOLD)
    legs.fills_own(HEDGE, 1)
    legs.passes(29)
    assert legs.sent_of(SOLD) == 1
    legs.passes(2)
    assert legs.sent_of(SOLD) == sent
    assert why(legs) is (Reason.HEDGE_MISSING if sent == 1 else None)
    legs.fills_own(HEDGE, 2)
    assert legs.sent_of(SOLD) == sent, "what was left stays left"


@pytest.mark.parametrize(("action", "sent"), [(GroupAction.SKIP, 0), (GroupAction.SEND, 2)])
def test_a_hedge_that_the_leader_cancels_is_waited_for_to_come_again(action: GroupAction, sent: int) -> None:
    legs = Legs(action=action)
    legs.places(HEDGE)
    legs.places(SOLD)
    legs.changes(HEDGE, status=Status.CANCELLED)
    legs.passes(20)
    assert legs.sent_of(SOLD) == 0
    legs.passes(12)
    assert legs.sent_of(SOLD) == sent
    assert why(legs) is (None if sent else Reason.HEDGE_MISSING)


def test_a_hedge_that_the_leader_places_anew_counts_in_its_place() -> None:
    legs = Legs()
    legs.places(HEDGE)
    legs.places(SOLD)
    legs.changes(HEDGE, status=Status.CANCELLED)
    legs.passes(1)
    legs.places(OTHER_HEDGE)
    legs.fills_own(OTHER_HEDGE, 2)
    assert legs.sent_of(SOLD) == 2


def test_a_hedge_that_is_not_copied_is_missing_at_once() -> None:
    legs = Legs()
    legs.places(SOLD)
    legs.places(HEDGE, leg=Leg.STOP_LOSS)
    legs.passes(1)
    assert why(legs, HEDGE) is Reason.UNSUPPORTED
    assert why(legs) is Reason.HEDGE_MISSING


@pytest.mark.parametrize("before", [0, 1])
def test_what_was_left_and_is_tried_again_follows_its_hedge(before: int) -> None:
    legs = Legs()
    legs.places(HEDGE)
    legs.places(SOLD)
    legs.fills_for_leader(SOLD)
    if before:
        legs.fills_own(HEDGE, 1)
        legs.fills_own(SOLD, 1)
    legs.passes(40)
    assert why(legs) is Reason.HEDGE_MISSING
    assert legs.engine.try_again(SOLD, 2 * LOT) is not None
    legs.goes_on()
    assert legs.sent_of(SOLD) == before, "the hedge still lacks"
    legs.fills_own(HEDGE, 2)
    assert legs.sent_of(SOLD) == 2


def test_after_market_legs_are_copied_each_by_itself() -> None:
    legs = Legs()
    legs.places(HEDGE, after_market=True)
    legs.places(SOLD, after_market=True)
    assert (legs.sent_of(HEDGE), legs.sent_of(SOLD)) == (2, 2)


def test_legs_that_wait_are_sent_once_groups_are_switched_off() -> None:
    legs = Legs()
    legs.places(HEDGE)
    legs.places(SOLD)
    legs.engine.change_policy(replace(legs.engine.context.account.policy, groups=None))
    legs.goes_on()
    assert legs.sent_of(SOLD) == 2


def test_a_group_is_found_again_once_groups_are_switched_on() -> None:
    legs = Legs()
    policy = legs.engine.context.account.policy
    legs.engine.change_policy(replace(policy, groups=None, enabled=False))
    legs.places(HEDGE)
    legs.places(SOLD)
    legs.engine.change_policy(policy)
    legs.goes_on()
    assert (legs.sent_of(HEDGE), legs.sent_of(SOLD)) == (2, 0)
    legs.fills_own(HEDGE, 2)
    assert legs.sent_of(SOLD) == 2


def test_a_follower_without_entries_tells_of_no_hedge() -> None:
    legs = Legs()
    legs.engine.switch_entries(enabled=False)
    legs.places(HEDGE)
    legs.places(SOLD)
    legs.passes(60)
    assert why(legs) is Reason.COPYING_DISABLED


def _entered() -> Legs:
    legs = Legs()
    legs.places(HEDGE)
    legs.places(SOLD)
    for leg in (HEDGE, SOLD):
        legs.fills_for_leader(leg)
        legs.fills_own(leg, 2)
    legs.passes(60)
    legs.sent.clear()
    return legs


def test_the_exit_of_a_hedge_makes_way_for_that_of_the_sold_leg() -> None:
    legs = _entered()
    legs.leader(**an_exit(SOLD, 2), created_at=legs.now)
    legs.leader(**an_exit(HEDGE, 1), created_at=legs.now)
    assert legs.order_of_sending() == [an_exit(SOLD, 2)["id"]]
    legs.fills_own(str(an_exit(SOLD, 2)["id"]), 2)
    assert legs.order_of_sending() == [an_exit(SOLD, 2)["id"], an_exit(HEDGE, 1)["id"]]


def test_the_exit_of_a_hedge_makes_way_for_three_seconds_at_most() -> None:
    legs = _entered()
    legs.leader(**an_exit(SOLD, 2), created_at=legs.now)
    legs.leader(**an_exit(HEDGE, 1), created_at=legs.now)
    legs.passes(2.9)
    assert len(legs.order_of_sending()) == 1
    legs.passes(0.2)
    assert len(legs.order_of_sending()) == 2


def test_the_exit_of_a_hedge_waits_for_nothing_that_is_not_left() -> None:
    legs = _entered()
    legs.leader(**an_exit(HEDGE, 1), created_at=legs.now)
    assert legs.order_of_sending() == [an_exit(HEDGE, 1)["id"]]
    legs.leader(**an_exit(SOLD, 2), created_at=legs.now)
    assert len(legs.order_of_sending()) == 2


def test_of_exits_that_wait_together_the_sold_legs_goes_first() -> None:
    legs = _entered()
    for terms in (an_exit(HEDGE, 1), an_exit(SOLD, 2)):
        filled = {"status": Status.TRADED, "filled_quantity": terms["quantity"], "created_at": legs.now}
        legs.engine.leader_changed(an_order(**terms, **filled), None)
    sent = []
    while legs.engine.scheduler.consider(legs.now) and (picked := legs.engine.scheduler.pick(legs.now)):
        sent.append(picked[0].id)
        legs.engine.begin(*picked, legs.now)  # and nobody answers
    assert sent == [an_exit(SOLD, 2)["id"], an_exit(HEDGE, 1)["id"]]
