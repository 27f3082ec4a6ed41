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
from actors.runtime.actor import Seat
from actors.runtime.dispatcher import Dispatcher


class Seats:
    """The seat of every actor under supervision; those of the dispatcher's share its thread."""

    def __init__(self, leader: str, followers: Iterable[str], dispatcher: Dispatcher) -> None:
        self.notifier: Seat[NotifierMessage] = Seat("notifier")
        self.store: Seat[StoreMessage] = Seat("store", dispatcher)
        self.limiter: Seat[RateLimiterMessage] = Seat("rate-limiter", dispatcher)
        self.tokens: Seat[TokenKeeperMessage] = Seat("tokens")
        self.recovery: Seat[GapRecoveryMessage] = Seat("gap-recovery")
        self.instruments: Seat[InstrumentMasterMessage] = Seat("instruments")
        self.followers: dict[str, Seat[FollowerMessage]] = {name: Seat(name, dispatcher) for name in followers}
        self.feeds: dict[str, Seat[FeedMessage]] = {
            name: Seat(f"feed-{name}", dispatcher) for name in (leader, *self.followers)
        }
