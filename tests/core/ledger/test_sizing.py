from decimal import Decimal
from fractions import Fraction

import pytest
from msgspec.structs import replace

from copytrade.core.ledger.sizing import Capitals, Size, SizingPolicy, Strategy, capped, ratio_of, size_by_itself
from copytrade.core.model.instruments import Instrument
from copytrade.core.model.ledger import Ratio
from copytrade.core.model.reasons import Reason

RICH = Capitals(leader=Decimal(1_000_000), follower=Decimal(500_000))
OPTION = Instrument("OPTIDX", "NIFTY-Dec2026-26000-CE", "NIFTY", 65, Decimal("0.05"))
CRUDE = Instrument("OPTFUT", "CRUDEOIL-Dec2026-5500-CE", "CRUDEOIL", 1, Decimal("0.10"), multiplier=Decimal(100))


def test_two_strategies_come_down_to_a_ratio() -> None:
    by_ratio = ratio_of(SizingPolicy(Strategy.FIXED_RATIO, ratio=Decimal("0.3")), Capitals())
    by_capital = ratio_of(SizingPolicy(Strategy.CAPITAL_PROPORTIONAL), RICH)
    assert isinstance(by_ratio, Ratio)
    assert isinstance(by_capital, Ratio)
    assert (by_ratio.value, by_capital.value) == (Fraction(3, 10), Fraction(1, 2))


def test_a_ratio_is_multiplied_by_underlying() -> None:
    factors = {"NIFTY": Decimal("0.5")}
    half = ratio_of(SizingPolicy(Strategy.FIXED_RATIO, ratio=Decimal(2), factors=factors), Capitals(), "NIFTY")
    assert half == Ratio(Fraction(1), "fixed ratio 2, x 0.5 for NIFTY")
    by_capital = SizingPolicy(Strategy.CAPITAL_PROPORTIONAL, factors=factors)
    other, own = ratio_of(by_capital, RICH, "BANKNIFTY"), ratio_of(by_capital, RICH, "NIFTY")
    assert isinstance(other, Ratio)
    assert isinstance(own, Ratio)
    assert (other.value, own.value) == (Fraction(1, 2), Fraction(1, 4))


def by_itself(policy: SizingPolicy, quantity: int, price: Decimal | None, instrument: Instrument = OPTION) -> Size:
    found = size_by_itself(policy, quantity, price, instrument, RICH)
    assert found is not None
    return found


def test_fixed_lots_are_so_many_an_order_and_none_of_what_enters_nothing() -> None:
    policy = SizingPolicy(Strategy.FIXED_LOTS, lots=3)
    assert by_itself(policy, 65, None).quantity == 3 * 65
    assert by_itself(policy, 10 * 65, None).quantity == 3 * 65
    assert by_itself(policy, 0, None).quantity == 0


@pytest.mark.parametrize(
    ("percent", "lots"),
    [("1", 0), ("2", 1), ("4", 2)],
    ids=["pays for none", "pays for one", "no more than in proportion"],
)
def test_risk_pays_for_so_many_lots_and_never_for_more_than_in_proportion(percent: str, lots: int) -> None:
    """Half a million at 100 a unit: a lot costs 6,500, and half of the leader's four lots are two."""
    policy = SizingPolicy(Strategy.RISK_BASED, risk_percent=Decimal(percent))
    assert by_itself(policy, 260, Decimal(100)).quantity == lots * 65


def test_what_a_size_needs_is_waited_for_or_named() -> None:
    assert ratio_of(SizingPolicy(Strategy.CAPITAL_PROPORTIONAL), Capitals()) is None
    by_risk = SizingPolicy(Strategy.RISK_BASED)
    assert size_by_itself(by_risk, 260, Decimal(1), OPTION, Capitals()) is None
    broke = Capitals(leader=Decimal(1), follower=Decimal(-5))
    assert ratio_of(SizingPolicy(Strategy.CAPITAL_PROPORTIONAL), broke) is Reason.NO_CAPITAL
    assert (found := size_by_itself(by_risk, 260, Decimal(1), OPTION, broke)) is not None
    assert found.reason is Reason.NO_CAPITAL
    assert by_itself(by_risk, 260, None).reason is Reason.NO_PRICE
    assert by_itself(by_risk, 260, Decimal(1), replace(CRUDE, multiplier=None)).reason is Reason.NO_MULTIPLIER


@pytest.mark.parametrize(
    ("instrument", "units", "price", "left", "reason"),
    [
        (CRUDE, 10, 500, 2, None),
        (CRUDE, 10, 1001, 0, Reason.OVER_ORDER_VALUE),
        (replace(CRUDE, multiplier=None), 10, 500, 0, Reason.NO_MULTIPLIER),
        (OPTION, 20 * 65, 100, 15 * 65, None),
        (OPTION, 2 * 65, None, 0, Reason.NO_PRICE),
    ],
)
def test_an_order_is_cut_down_to_so_many_rupees_of_price_quantity_and_multiplier(
    instrument: Instrument, units: int, price: int | None, left: int, reason: Reason | None
) -> None:
    policy = SizingPolicy(Strategy.FIXED_RATIO, max_order_value=Decimal(100_000))
    size = capped(Size(units, ""), policy, instrument, None if price is None else Decimal(price))
    assert (size.quantity, size.reason) == (left, reason)


def test_risk_counts_the_multiplier() -> None:
    """2 % of half a million pay for two lots of 5,000 rupees."""
    policy = SizingPolicy(Strategy.RISK_BASED, risk_percent=Decimal(2))
    assert by_itself(policy, 20, Decimal(50), CRUDE).quantity == 2
