from decimal import Decimal
from fractions import Fraction

import pytest

from copytrade.reasons import Reason
from copytrade.sizing import Capitals, Ratio, SizingPolicy, Strategy, ratio_of
from tests.core.orders import an_order

RICH = Capitals(leader=Decimal(1_000_000), follower=Decimal(500_000))


def ratio(policy: SizingPolicy, capitals: Capitals = RICH, **order: object) -> Ratio:
    leader = an_order(**order)
    found = ratio_of(policy, leader, leader.quantity, 65, capitals)
    assert isinstance(found, Ratio)
    return found


def test_each_strategy_comes_down_to_a_ratio() -> None:
    assert ratio(SizingPolicy(Strategy.FIXED_RATIO, ratio=Decimal("0.3"))).value == Fraction(3, 10)
    assert ratio(SizingPolicy(Strategy.FIXED_LOTS, lots=3), quantity=260).value == Fraction(3, 4)
    assert ratio(SizingPolicy(Strategy.CAPITAL_PROPORTIONAL)).value == Fraction(1, 2)


@pytest.mark.parametrize(
    ("percent", "lots"),
    [("1", 0), ("2", 1), ("4", 2)],
    ids=["pays for none", "pays for one", "no more than in proportion"],
)
def test_risk_pays_for_so_many_lots_and_never_for_more_than_in_proportion(percent: str, lots: int) -> None:
    """Half a million at 100 a unit: a lot costs 6,500, and half of the leader's four lots are two."""
    policy = SizingPolicy(Strategy.RISK_BASED, risk_percent=Decimal(percent))
    found = ratio(policy, price=Decimal(100), quantity=260)
    assert found.value * 260 == lots * 65


def test_what_a_ratio_needs_is_waited_for_or_named() -> None:
    for strategy in (Strategy.CAPITAL_PROPORTIONAL, Strategy.RISK_BASED):
        assert ratio_of(SizingPolicy(strategy), an_order(), 260, 65, Capitals()) is None
        broke = Capitals(leader=Decimal(1), follower=Decimal(-5))
        assert ratio_of(SizingPolicy(strategy), an_order(), 260, 65, broke) is Reason.NO_CAPITAL
    priceless = an_order(price=Decimal(0), last_price=None)
    assert ratio_of(SizingPolicy(Strategy.RISK_BASED), priceless, 260, 65, RICH) is Reason.NO_PRICE
