"""The seats: whom there is to tell, whoever has the seat."""

from collections.abc import Iterable

from actors.messages import (
    FeedMessage,
    FollowerMessage,
    GapRecoveryMessage,
    InstrumentMasterMessage,
    NotifierMessage,
    RateLimiterMessage,
    StoreMessage,
    TokenKeeperMessage,
)
from actors.runtime.actor import Address
from actors.runtime.dispatcher import Dispatcher


class Addresses:
    """The seat of every actor under supervision; those of the dispatcher's share its thread."""

    def __init__(self, leader: str, followers: Iterable[str], dispatcher: Dispatcher) -> None:
        self.notifier: Address[NotifierMessage] = Address("notifier")
        self.store: Address[StoreMessage] = Address("store", dispatcher)
        self.limiter: Address[RateLimiterMessage] = Address("rate-limiter", dispatcher)
        self.tokens: Address[TokenKeeperMessage] = Address("tokens")
        self.recovery: Address[GapRecoveryMessage] = Address("gap-recovery")
        self.instruments: Address[InstrumentMasterMessage] = Address("instruments")
        self.followers: dict[str, Address[FollowerMessage]] = {name: Address(name, dispatcher) for name in followers}
        self.feeds: dict[str, Address[FeedMessage]] = {
            name: Address(f"feed-{name}", dispatcher) for name in (leader, *self.followers)
        }
