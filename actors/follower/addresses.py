"""The actors that a follower, or its stand-in, tells something."""

from dataclasses import dataclass

from actors.messages.feeds import FeedMessage
from actors.messages.instruments import InstrumentMasterMessage
from actors.messages.permits import RateLimiterMessage
from actors.messages.reads import GapRecoveryMessage
from actors.messages.store import StoreMessage
from actors.messages.tokens import TokenKeeperMessage
from actors.runtime.address import Recipient


@dataclass(frozen=True, slots=True)
class Peers:
    """The addresses of one follower's peers; ``leader`` is the name of the leader's account."""

    leader: str
    leader_feed: Recipient[FeedMessage]
    own_feed: Recipient[FeedMessage]
    limiter: Recipient[RateLimiterMessage]
    store: Recipient[StoreMessage]
    recovery: Recipient[GapRecoveryMessage]
    instruments: Recipient[InstrumentMasterMessage]
    tokens: Recipient[TokenKeeperMessage]
