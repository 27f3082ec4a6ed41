"""Addresses: stable names of actors, whichever incarnation is behind them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import pykka

from actors.runtime.dispatcher import Dispatcher
from actors.runtime.poller import OnReadable
from copytrade.common.measures import Figure

M = TypeVar("M")


Told = TypeVar("Told", contravariant=True)  # noqa: PLC0105 (one letter would say less)


class Recipient(Protocol[Told]):
    """Something that takes messages of one protocol."""

    @property
    def name(self) -> str:
        """The name of the actor behind it."""
        ...

    def tell(self, message: Told) -> bool:
        """Send a message; False if no actor is there to take it."""
        ...


class Address(Generic[M]):
    """The stable name of an actor; it outlives each incarnation.

    Several threads share it. Only the supervisor puts a new incarnation behind it. ``epoch`` counts incarnations, so
    that one that has been replaced can see it.
    """

    def __init__(self, name: str, dispatcher: Dispatcher | None = None) -> None:
        """Without a ``dispatcher`` the actor has a thread of its own."""
        self.name = name
        self.dispatcher = dispatcher
        self.epoch = 0
        self.health = Health()
        self._ref: pykka.ActorRef[Any] | None = None

    def tell(self, message: M) -> bool:
        """Send a message to the current incarnation; False if there is none. That is not an error."""
        ref = self._ref
        if ref is None:
            return False
        try:
            ref.tell(message)
        except pykka.ActorDeadError:
            return False
        return True

    def take(self, ref: pykka.ActorRef[Any], epoch: int) -> None:
        """Put a new incarnation behind the address."""
        self.epoch = epoch
        self.health = Health()
        self._ref = ref

    def watch(self, fileno: int, on_readable: OnReadable, due: float, *, urgent: bool = False) -> None:
        """Have the actor's thread call ``on_readable`` when a socket can be read, and at ``due``."""
        if self.dispatcher is None:
            raise RuntimeError(f"{self.name} has a thread of its own, which reads no sockets")
        self.dispatcher.watch(fileno, on_readable, due, urgent=urgent)

    def tell_when_idle(self, message: M, within: float) -> None:
        """Send a message once the actor's thread has nothing else to do, ``within`` seconds at the latest."""
        if self.dispatcher is None:
            self.tell(message)
        else:
            self.dispatcher.call_when_idle(partial(self.tell, message), time.monotonic() + within)

    @property
    def is_taken(self) -> bool:
        """Whether the current incarnation is alive."""
        return self._ref is not None and self._ref.is_alive()

    @property
    def ref(self) -> pykka.ActorRef[Any] | None:
        """The current incarnation's reference, for its supervisor."""
        return self._ref


@dataclass(slots=True)
class Health:
    """What an actor shows of itself. Its own thread writes it; the supervisor reads it without asking."""

    state: str = "starting"
    #: The numbers of its line of status.
    figures: Mapping[str, Figure] = field(default_factory=dict)
    #: What a snapshot shows besides, as JSON has it, and when both were last brought up to date.
    details: Mapping[str, Any] = field(default_factory=dict)
    shown_at: float = 0.0
    busy_since: float | None = None
    last_event: float = field(default_factory=time.monotonic)
    #: Since when this incarnation is there.
    since: float = field(default_factory=time.monotonic)
    #: Only for the leader's feed: when an order last changed, or when the feed began.
    last_order: float = field(default_factory=time.monotonic)
    has_ended: bool = False
