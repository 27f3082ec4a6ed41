"""The table of a sold leg: how much is sent by now for how its hedges stand, and what is done about the rest."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from copytrade.core.decide.decisions import Place, Skip, Wait
from copytrade.core.decide.legs.group import Group, GroupAction, GroupPolicy, Hedge, HedgeState
from copytrade.core.model.orders import Side
from copytrade.core.model.reasons import Reason
from tests.core.asking import OPEN, POLICY, ask
from tests.core.orders import NOW, an_order

FILLED, PENDING, HELD, SKIPPED, MISSING, GONE = HedgeState
SKIP, SEND = GroupAction

#: The states of the hedges; units sent of 130 and why no more, while there is time and after it, by the action.
TABLE = [
    ((), 0, 130, 130),
    ((FILLED,), 130, 130, 130),
    ((FILLED, FILLED), 130, 130, 130),
    ((PENDING,), 0, Reason.HEDGE_MISSING, 130),
    ((FILLED, PENDING), 0, Reason.HEDGE_MISSING, 130),
    ((HELD,), 0, 0, 0),
    ((PENDING, HELD), 0, 0, 0),
    ((SKIPPED,), 0, Reason.HEDGE_MISSING, Reason.HEDGE_MISSING),
    ((PENDING, SKIPPED), 0, Reason.HEDGE_MISSING, Reason.HEDGE_MISSING),
    ((MISSING,), Reason.HEDGE_MISSING, Reason.HEDGE_MISSING, Reason.HEDGE_MISSING),
    ((FILLED, MISSING), Reason.HEDGE_MISSING, Reason.HEDGE_MISSING, Reason.HEDGE_MISSING),
    ((HELD, MISSING), Reason.HEDGE_MISSING, Reason.HEDGE_MISSING, Reason.HEDGE_MISSING),
    ((GONE,), 0, Reason.HEDGE_MISSING, 130),
    ((GONE, FILLED), 130, 130, 130),
    ((GONE, MISSING), Reason.HEDGE_MISSING, Reason.HEDGE_MISSING, Reason.HEDGE_MISSING),
]


def sold(states: tuple[HedgeState, ...], seconds: float, action: GroupAction, filled: int = 0) -> int | Reason:
    """Return the units that are sent of a sold leg of 130 after so many seconds, 0 if it waits, or why it does not."""
    hedges = tuple(Hedge(str(n), state, NOW, filled, 260) for n, state in enumerate(states))
    group = Group(hedges, NOW, NOW + timedelta(seconds=3))
    decision = ask(
        an_order(side=Side.SELL),
        policy=replace(POLICY, groups=GroupPolicy(2.0, 30.0, action)),
        inputs=replace(OPEN, group=lambda: group),
        now=NOW + timedelta(seconds=seconds),
    )
    match decision:
        case Place(desired=desired):
            return desired.quantity
        case Wait(until=until):
            assert HELD in states or (until is not None and until > NOW + timedelta(seconds=seconds))
            return 0
        case Skip(reason=reason):
            return reason
    raise AssertionError(decision)


@pytest.mark.parametrize(("states", "in_time", "skipped", "sent"), TABLE)
def test_what_is_sent_of_a_sold_leg(
    states: tuple[HedgeState, ...], in_time: int | Reason, skipped: int | Reason, sent: int | Reason
) -> None:
    for action in GroupAction:
        assert sold(states, 1, action) == in_time
    assert sold(states, 31, SKIP) == skipped
    assert sold(states, 31, SEND) == sent


@pytest.mark.parametrize(("filled", "units"), [(0, 0), (65, 0), (129, 0), (130, 65), (195, 65), (259, 65)])
@pytest.mark.parametrize("state", [PENDING, HELD])
def test_a_part_of_the_hedge_covers_as_much_of_the_sold_leg_in_whole_lots(
    state: HedgeState, filled: int, units: int
) -> None:
    assert sold((state,), 1, SKIP, filled) == units


def test_a_bought_leg_waits_for_nothing() -> None:
    group = Group((Hedge("1", MISSING, NOW),), NOW, NOW + timedelta(seconds=3))
    policy = replace(POLICY, groups=GroupPolicy(2.0))
    assert isinstance(ask(an_order(), policy=policy, inputs=replace(OPEN, group=lambda: group)), Place)
