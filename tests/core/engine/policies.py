"""What the engine's tests share: a follower's policy, capital, instrument and freeze quantity."""

from datetime import timedelta
from decimal import Decimal

from hypothesis import strategies as st

from copytrade.core.decide.decisions import Mode, Policy
from copytrade.core.engine.engine import MarketRules
from copytrade.core.ledger.sizing import Capitals, SizingPolicy, Strategy
from copytrade.core.market.freeze import load_freeze_table
from copytrade.core.model.instruments import Instrument
from tests.core.orders import NOW

LOT = 65
INSTRUMENT = Instrument("OPTIDX", "NIFTY-Dec2026-26000-CE", "NIFTY", LOT, Decimal("0.05"))
LOTS = st.integers(1, 8)

#: No order of a follower's is larger than three lots; what is, is sliced.
MARKET_RULES = MarketRules(load_freeze_table({"NIFTY": 3 * LOT}), None)

#: One percent of the follower's capital pays for two or three lots, as prices are.
CAPITALS = Capitals(leader=Decimal(1_000_000), follower=Decimal(2_000_000))


def policy(sizing: Decimal | SizingPolicy, mode: Mode = Mode.ORDERS) -> Policy:
    """Return how a follower copies who is sized by this ratio, or as this policy says."""
    is_policy = isinstance(sizing, SizingPolicy)
    return Policy(
        instruments=frozenset({"OPTIDX"}),
        sizing=sizing if is_policy else SizingPolicy(Strategy.FIXED_RATIO, ratio=sizing),
        mode=mode,
        copying_since=NOW - timedelta(hours=1),
        late_after=10**9,
        unfilled_after=10**9,
    )
