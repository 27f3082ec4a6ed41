"""Messages on the bus: told to whoever listens, or asked and answered."""

from collections.abc import Callable
from typing import Protocol

from copytrade.bus.keys import KeyBus

#: Takes the payload of a message, and what sends an answer to it; called in the bus's thread.
Take = Callable[[bytes, Callable[[bytes], object]], object]


class Heard(Protocol):
    """A subject that is listened to."""

    def end(self) -> None:
        """Listen no more. Returns at once."""
        ...


class MessageBus(Protocol):
    """Messages by subject. Nothing is kept: what cannot be sent now is lost."""

    def publish(self, subject: str, payload: bytes) -> None:
        """Send a message to whoever listens. Returns at once."""
        ...

    def listen(self, subject: str, take: Take) -> Heard | None:
        """Have messages of a subject taken, in the order in which they were sent; None if the bus is not there."""
        ...

    def ask(self, subject: str, payload: bytes) -> bytes | None:
        """Send a message and wait for its answer; None if there is none in time."""
        ...


class Bus(KeyBus, MessageBus, Protocol):
    """Both: keys that are kept, and messages that are not."""
