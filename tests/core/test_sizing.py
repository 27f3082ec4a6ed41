from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade.reasons import Reason
from copytrade.sizing import Capitals, Ratio, SizingPolicy, Strategy, ratio_of, size_of
from tests.core.orders import an_order

RICH = Capitals(leader=Decimal(1_000_000), follower=Decimal(500_000))


def ratio(policy: SizingPolicy, capitals: Capitals = RICH, **order: object) -> Ratio:
    found = ratio_of(policy, an_order(**order), 65, capitals)
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
    assert size_of(found, 260, 65).quantity == lots * 65


def test_what_a_ratio_needs_is_waited_for_or_named() -> None:
    for strategy in (Strategy.CAPITAL_PROPORTIONAL, Strategy.RISK_BASED):
        assert ratio_of(SizingPolicy(strategy), an_order(), 65, Capitals()) is None
        broke = Capitals(leader=Decimal(1), follower=Decimal(-5))
        assert ratio_of(SizingPolicy(strategy), an_order(), 65, broke) is Reason.NO_CAPITAL
    priceless = an_order(price=Decimal(0), last_price=None)
    assert ratio_of(SizingPolicy(Strategy.RISK_BASED), priceless, 65, RICH) is Reason.NO_PRICE


@given(st.fractions(0, 10), st.integers(1, 10_000), st.integers(1, 1000))
def test_a_size_is_whole_lots_and_never_rounded_up(value: Fraction, quantity: int, lot_size: int) -> None:
    size = size_of(Ratio(value, "any"), quantity, lot_size)
    assert size.quantity % lot_size == 0
    assert size.quantity <= value * quantity < size.quantity + lot_size
    assert (size.quantity == 0) == (size.reason is Reason.ZERO_LOTS)
