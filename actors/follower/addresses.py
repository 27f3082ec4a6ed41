"""The actors that a follower, or its stand-in, tells something."""

from collections.abc import Mapping
from dataclasses import dataclass

from actors.messages.feeds import FeedMessage
from actors.messages.instruments import InstrumentMasterMessage
from actors.messages.permits import RateLimiterMessage
from actors.messages.reads import GapRecoveryMessage
from actors.messages.store import StoreMessage
from actors.messages.tokens import TokenKeeperMessage
from actors.runtime.address import Recipient


@dataclass(frozen=True, slots=True)
class LeaderPeer:
    """A leader's feed, and his name for the engine: "" where there is only one leader."""

    feed: Recipient[FeedMessage]
    name: str


@dataclass(frozen=True, slots=True)
class Peers:
    """The addresses of one follower's peers; ``leaders`` are those whom it follows, by the name of their account."""

    leaders: Mapping[str, LeaderPeer]
    own_feed: Recipient[FeedMessage]
    limiter: Recipient[RateLimiterMessage]
    store: Recipient[StoreMessage]
    recovery: Recipient[GapRecoveryMessage]
    instruments: Recipient[InstrumentMasterMessage]
    tokens: Recipient[TokenKeeperMessage]

    @property
    def feeds(self) -> list[Recipient[FeedMessage]]:
        """The feeds to follow."""
        return [self.own_feed, *(leader.feed for leader in self.leaders.values())]

    @property
    def leader_names(self) -> tuple[str, ...]:
        """The leaders' names for the engine."""
        return tuple(leader.name for leader in self.leaders.values())

    def leader_with(self, feed: str) -> tuple[str, LeaderPeer] | None:
        """Return the leader whose feed has a name, with the name of his account; None if it is none of them."""
        return next(((name, leader) for name, leader in self.leaders.items() if leader.feed.name == feed), None)
