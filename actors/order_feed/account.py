"""Whose feed it is."""

from dataclasses import dataclass

from copytrade.brokers.api import OrderUpdateSource
from copytrade.core.model.accounts import AccountType


@dataclass(frozen=True, slots=True)
class FeedAccount:
    """The account of a feed, and where its updates come from. ``name`` is the leader's or the follower's."""

    name: str
    type: AccountType
    updates: OrderUpdateSource

    @property
    def is_leader(self) -> bool:
        """Whether it is the leader's."""
        return self.type is AccountType.LEADER
