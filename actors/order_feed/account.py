"""The account of a feed."""

from dataclasses import dataclass

from copytrade.brokers.api import OrderUpdateSource
from copytrade.core.model.accounts import AccountType


@dataclass(frozen=True, slots=True)
class FeedAccount:
    """An account and the source of its order updates. ``name`` is the leader's or the follower's."""

    name: str
    type: AccountType
    updates: OrderUpdateSource

    @property
    def is_leader(self) -> bool:
        """Whether it is the leader's account."""
        return self.type is AccountType.LEADER
