"""Whom a follower tells, and whoever has its seat meanwhile."""

from dataclasses import dataclass

from actors.messages import (
    FeedMessage,
    GapRecoveryMessage,
    InstrumentMasterMessage,
    RateLimiterMessage,
    StoreMessage,
    TokenKeeperMessage,
)
from actors.runtime.actor import Address


@dataclass(frozen=True, slots=True)
class Peers:
    """One account's peers; ``leader`` is the name of the account that it copies."""

    leader: str
    leader_feed: Address[FeedMessage]
    own_feed: Address[FeedMessage]
    limiter: Address[RateLimiterMessage]
    store: Address[StoreMessage]
    recovery: Address[GapRecoveryMessage]
    instruments: Address[InstrumentMasterMessage]
    tokens: Address[TokenKeeperMessage]
