"""What the settings say of one follower."""

from dataclasses import dataclass

from copytrade.core.decide.decisions import Policy
from copytrade.core.engine.engine import MarketRules
from copytrade.core.ledger.sizing import Capitals
from copytrade.core.model.orders import AmoTime


@dataclass(frozen=True, slots=True)
class FollowerAccount:
    """The account that is copied into, and how. ``capitals`` holds only the capital that the settings give."""

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
    #: Whether the leader is copied already when this follower begins.
    joins: bool = False
