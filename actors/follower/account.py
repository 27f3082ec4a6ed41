"""What the settings come to for one follower."""

from dataclasses import dataclass

from copytrade.core.decide.decisions import Policy
from copytrade.core.engine.engine import MarketRules
from copytrade.core.ledger.sizing import Capitals
from copytrade.core.model.orders import AmoTime


@dataclass(frozen=True, slots=True)
class FollowerAccount:
    """Whose copies these are, and how they are made. ``capitals`` holds what the settings say of them."""

    name: str
    policy: Policy
    market_rules: MarketRules
    needs_holdings: bool
    amo_time: AmoTime
    needs_capital: bool
    with_collateral: bool
    capitals: Capitals
    connections: int
    absence_window: float
    per_hour: int
    result_interval: float | None
    audit_interval: float
    only_closes: bool = False
