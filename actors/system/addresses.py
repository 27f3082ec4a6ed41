"""The addresses of all actors."""

from collections.abc import Iterable

from actors.board import BoardInbox
from actors.broadcaster import BroadcasterInbox
from actors.follower.messages import FollowerInbox
from actors.gap_recovery.messages import GapRecoveryInbox
from actors.instrument_master import InstrumentMasterInbox
from actors.lease_keeper.messages import LeaseKeeperInbox
from actors.messages.alerts import NotifierMessage
from actors.order_feed.messages import OrderFeedInbox
from actors.rate_limiter import RateLimiterInbox
from actors.runtime.address import Address
from actors.runtime.dispatcher import Dispatcher
from actors.store.messages import StoreInbox
from actors.token_keeper.messages import TokenKeeperInbox


class Addresses:
    """The address of every supervised actor. Those with the dispatcher share its thread."""

    def __init__(self, leaders: Iterable[str], followers: Iterable[str], dispatcher: Dispatcher) -> None:
        self._leaders = tuple(leaders)
        self.leases: Address[LeaseKeeperInbox] = Address("leases")
        self.board: Address[BoardInbox] = Address("board")
        self._dispatcher = dispatcher
        self._former: dict[str, tuple[Address[FollowerInbox], Address[OrderFeedInbox]]] = {}
        self.notifier: Address[NotifierMessage] = Address("notifier")
        self.store: Address[StoreInbox] = Address("store", dispatcher)
        self.limiter: Address[RateLimiterInbox] = Address("rate-limiter", dispatcher)
        self.tokens: Address[TokenKeeperInbox] = Address("tokens")
        self.recovery: Address[GapRecoveryInbox] = Address("gap-recovery")
        self.instruments: Address[InstrumentMasterInbox] = Address("instruments")
        #: Of a lead, by the name of the leader.
        self.broadcasters: dict[str, Address[BroadcasterInbox]] = {
            name: Address(f"broadcast-{name}") for name in self._leaders
        }
        self.followers: dict[str, Address[FollowerInbox]] = {name: Address(name, dispatcher) for name in followers}
        self.feeds: dict[str, Address[OrderFeedInbox]] = {
            name: Address(f"feed-{name}", dispatcher) for name in dict.fromkeys((*self._leaders, *self.followers))
        }

    def join(self, name: str) -> None:
        """Add the addresses of a follower; one that was there before has its old ones, whose epochs go on.

        The feed of a leader who follows others is there already.
        """
        new = Address[FollowerInbox](name, self._dispatcher), Address[OrderFeedInbox](f"feed-{name}", self._dispatcher)
        self.followers[name], feed = self._former.pop(name, new)
        self.feeds.setdefault(name, feed)

    def leave(self, name: str) -> None:
        """Take a follower's addresses out, but for the feed of a leader."""
        self._former[name] = self.followers.pop(name), self.feeds[name]
        if name not in self._leaders:
            del self.feeds[name]
