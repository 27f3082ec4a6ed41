"""What the settings say of one follower."""

from collections.abc import Mapping
from dataclasses import dataclass

from copytrade.core.decide.decisions import Policy
from copytrade.core.engine.engine import MarketRules
from copytrade.core.lease.lease import Fence
from copytrade.core.ledger.sizing import Capitals
from copytrade.core.model.orders import AmoTime


@dataclass(frozen=True, slots=True)
class LeaderTerms:
    """How one leader is copied. ``follows``: his account is copied into as well."""

    policy: Policy
    capitals: Capitals
    amo_time: AmoTime
    follows: bool = False


@dataclass(frozen=True, slots=True)
class Tenure:
    """A node's time with an account. ``entries_wait``: seconds after the login that another node's orders may turn up.

    It is 0 where no other node can have sent anything that is not known. ``logs_in``: another node may have a token
    that works, which a login ends.
    """

    fence: Fence
    entries_wait: float = 0.0
    logs_in: bool = False


@dataclass(frozen=True, slots=True)
class FollowerAccount:
    """The account that is copied into, and how. ``capitals`` holds only the capital that the settings give.

    ``leaders`` are those who are followed, by their names for the engine: "" where there is only one leader at all.
    """

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
    leaders: Mapping[str, LeaderTerms]
    only_closes: bool = False
    #: Whether the leader is copied already when this follower begins.
    joins: bool = False

    def amo_time_of(self, leader: str) -> AmoTime:
        """Return when after-market copies of a leader's orders are released."""
        return self.leaders[leader].amo_time if leader in self.leaders else self.amo_time

    @property
    def policies(self) -> dict[str, Policy]:
        """How each leader is copied."""
        return {name: terms.policy for name, terms in self.leaders.items()}
