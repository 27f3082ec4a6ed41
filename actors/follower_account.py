"""What the settings come to for one follower."""

from dataclasses import dataclass

from copytrade.decisions import Policy
from copytrade.desk import Surroundings
from copytrade.orders import AmoTime
from copytrade.sizing import Capitals


@dataclass(frozen=True, slots=True)
class FollowerAccount:
    """Whose copies these are, and how they are made. ``capitals`` holds what the settings say of them."""

    name: str
    policy: Policy
    surroundings: Surroundings
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
