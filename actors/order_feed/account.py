"""The account of a feed."""

from dataclasses import dataclass

from msgspec.structs import replace

from copytrade.brokers.api import OrderUpdateSource
from copytrade.core.model.accounts import AccountType
from copytrade.core.model.orders import Order


@dataclass(frozen=True, slots=True)
class FeedAccount:
    """An account and the source of its order updates. ``name`` is the leader's or the follower's.

    ``leader`` is the name by which followers know the leader, "" where there is only one. ``follows``: his account is
    copied into as well, so that its follower is a subscriber.
    """

    name: str
    type: AccountType
    updates: OrderUpdateSource
    leader: str = ""
    follows: bool = False

    @property
    def is_leader(self) -> bool:
        """Whether it is the leader's account."""
        return self.type is AccountType.LEADER

    def told(self, order: Order, subscriber: str = "") -> Order:
        """Return an order as a subscriber is told of it: with its leader, unless it is the account's own follower."""
        return replace(order, leader=self.leader) if self.leader and subscriber != self.name else order

    def type_of(self, order: Order) -> AccountType:
        """Return whose order it is where the account leads and follows: a copy is the follower's."""
        return AccountType.FOLLOWER if self.follows and order.is_ours else self.type
