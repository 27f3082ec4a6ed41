"""How actors address each other: a stable name, whoever answers to it at the moment."""

import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import pykka

from actors.runtime.dispatcher import Dispatcher
from actors.runtime.poller import OnReadable

M = TypeVar("M")


Told = TypeVar("Told", contravariant=True)  # noqa: PLC0105 (one letter would say less)


class Recipient(Protocol[Told]):
    """Where messages of one protocol can be told."""

    @property
    def name(self) -> str:
        """The name of the actor behind it."""
        ...

    def tell(self, message: Told) -> bool:
        """Send a message; False if nobody is there to take it."""
        ...


class Address(Generic[M]):
    """A name in the system, whoever sits there at the moment: an address that outlives each incarnation.

    The one object that several threads share: only the supervisor writes it, one reference at a time, as a runtime
    keeps its table of registered names. ``epoch`` counts the incarnations, so one that has been replaced can see it.
    """

    def __init__(self, name: str, dispatcher: Dispatcher | None = None) -> None:
        """Without a ``dispatcher``, whoever sits here has a thread of its own."""
        self.name = name
        self.dispatcher = dispatcher
        self.epoch = 0
        self.health = Health()
        self._ref: pykka.ActorRef[Any] | None = None

    def tell(self, message: M) -> bool:
        """Send a message to whoever sits here; False if nobody does. A message to the dead is not an error."""
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
        """Tell whoever sits here something once its thread has nothing else to do, in so many seconds at the latest."""
        if self.dispatcher is None:
            self.tell(message)
        else:
            self.dispatcher.call_when_idle(partial(self.tell, message), time.monotonic() + within)

    @property
    def is_taken(self) -> bool:
        """Whether somebody alive sits here."""
        return self._ref is not None and self._ref.is_alive()

    @property
    def ref(self) -> pykka.ActorRef[Any] | None:
        """The current incarnation's reference, for its supervisor."""
        return self._ref


@dataclass(slots=True)
class Health:
    """What an actor shows of itself: written by its own thread alone, read by the supervisor without asking."""

    state: str = "starting"
    figures: str = ""
    busy_since: float | None = None
    last_event: float = field(default_factory=time.monotonic)
    #: Of the leader's feed: when there was last something new of an order, or else when it began.
    last_order: float = field(default_factory=time.monotonic)
    has_ended: bool = False
