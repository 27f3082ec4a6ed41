"""What every actor extends, and how actors address each other: the parts of an actor system that pykka lacks.

pykka has no supervisors, no stable addresses and no guard against a ``BaseException``, which would stop every actor in
the process; a failed ``on_start`` is silent, and a handler that hangs is invisible. The base closes these holes.
"""

import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

import pykka

from actors.runtime.dispatcher import Dispatcher, Mailbox, TurnOver
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


@dataclass(frozen=True, slots=True)
class ActorUp:
    """An incarnation has finished its set-up."""

    name: str
    epoch: int


@dataclass(frozen=True, slots=True)
class ActorDied:
    """An incarnation has ended without being asked to, with an error of a ``kind``.

    ``subject`` names what it was busy with, where that may be what it cannot handle.
    """

    name: str
    epoch: int
    error: str
    kind: str = ""
    subject: str = ""


Report = ActorUp | ActorDied


@dataclass(frozen=True, slots=True)
class ShowFigures:
    """Bring your vitals up to date, for a line of status."""


@dataclass(frozen=True, slots=True)
class Incarnation(Generic[M]):
    """One life of an actor: where it sits, the how-manieth it is there, and whom it tells of its birth and death.

    ``set_aside`` are subjects that its predecessors died of too often: it is to leave them alone.
    """

    address: Address[M]
    epoch: int
    report: Callable[[Report], object]
    set_aside: frozenset[str] = frozenset()


#: The state of a child that is not restarted for a while, and of who has its seat meanwhile.
QUARANTINED = "quarantined"


class _Contained(Exception):
    """Carries an error that pykka would not treat as one actor's death."""


class GuardedActor(pykka.ThreadingActor, Generic[M]):
    """An actor that cannot take the process with it, and whose start, death and business can be seen.

    Extend ``set_up``, ``receive`` and ``tear_down``; all three run in the actor's own thread.
    """

    use_daemon_thread = True

    def __init__(self, life: Incarnation[M]) -> None:
        self._dispatcher = life.address.dispatcher
        self._has_begun = False
        super().__init__()
        self.address = life.address
        self.epoch = life.epoch
        self._report = life.report
        # Bound before on_start runs, so that nothing told from now on misses the new incarnation.
        self.address.take(self.actor_ref, self.epoch)
        self.health = self.address.health
        self._broken: BaseException | None = None

    def _create_actor_inbox(self) -> Any:  # type: ignore[override]  # pykka's needs to know nothing of the actor
        return SimpleQueue() if self._dispatcher is None else Mailbox(self._dispatcher, self._step)

    def _start_actor_loop(self) -> None:
        if isinstance(self.actor_inbox, Mailbox):
            self.actor_inbox.begin()
        else:
            super()._start_actor_loop()

    def _actor_loop(self) -> None:
        try:
            super()._actor_loop()
        finally:
            self._end()

    def _step(self) -> None:
        """Take one turn: run pykka's loop for one message, or begin, or end."""
        try:
            if not self._has_begun:
                self._has_begun = True
                self._actor_loop_setup()
            self._actor_loop_running()
            if isinstance(self.actor_inbox, Mailbox):  # the loop ends with the actor
                self.actor_inbox.open()
                self._actor_loop_teardown()
            self._end()
        except TurnOver:
            pass
        except Exception:  # pykka's own, since all of ours are contained: the thread is not this actor's to end
            self._end()

    def _end(self) -> None:
        """Let go of what would keep this incarnation, and all that it knows, until garbage is collected."""
        self._broken = None
        if isinstance(self.actor_inbox, Mailbox):
            self.actor_inbox.close()
        self.health.has_ended = True

    @property
    def is_current(self) -> bool:
        """Whether no later incarnation has taken the seat: to be asked before each side effect."""
        return self.address.epoch == self.epoch

    def set_up(self) -> None:
        """Prepare; runs before the first message."""

    def receive(self, message: M) -> None:
        """Handle one message."""
        raise NotImplementedError

    def tear_down(self) -> None:
        """Close what this incarnation owns; runs after a stop and after a death."""

    def figures(self) -> str:
        """Return what this actor shows in its line of status."""
        return ""

    def subject(self) -> str:
        """Return what the message in hand is about, where another incarnation may die of the same."""
        return ""

    def on_start(self) -> None:
        """Set up, and say how that went: pykka keeps a failed start to itself."""
        self.health.busy_since = time.monotonic()
        try:
            self.set_up()
        except BaseException as error:  # a BaseException would leave an undead thread behind
            self._report_death(error)
            raise _Contained from error
        self.health.busy_since = None
        if not self.is_current:
            return
        if self.health.state == "starting":
            self.health.state = "live"
        self._report(ActorUp(self.address.name, self.epoch))

    def on_receive(self, message: M) -> None:
        """Hand a message to ``receive``, showing that we are busy with it.

        An incarnation that has been replaced while it hung takes no more messages. One that failed over a message that
        was asked, and not told, would live on with its state half changed, if pykka had its way: it dies all the same.
        """
        if self._broken is not None:
            raise _Contained from self._broken
        if self.address.epoch != self.epoch:
            self.actor_ref.stop(block=False)
            return
        if isinstance(message, ShowFigures):
            self.health.figures = self.figures()
            return
        self.health.busy_since = self.health.last_event = time.monotonic()
        state = self.health.state
        try:
            self.receive(message)
            if self.address.epoch != self.epoch:  # replaced meanwhile: nobody may ever tell it anything again
                self.actor_ref.stop(block=False)
            if self.health.state != state:
                self.health.figures = self.figures()
        except Exception as error:
            self._break(error)
            raise
        except BaseException as error:  # it would stop every actor in the process
            self._break(error)
            raise _Contained from error
        finally:
            self.health.busy_since = None

    def _break(self, error: BaseException) -> None:
        self._broken = error
        self.actor_ref.tell(error)  # so that it dies now where the message was asked; lost where it dies anyway

    def on_failure(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        """Say that this incarnation has died."""
        self._report_death(error)

    def on_stop(self) -> None:
        """Close what we own, because we were asked to stop."""
        self.health.state = "stopped"
        self.tear_down()

    def _report_death(self, error: BaseException | None) -> None:
        self.health.state = "crashed"
        with suppress(Exception):  # of one that is broken already
            self.health.figures = self.figures()
        died = ActorDied(self.address.name, self.epoch, _told(error), type(_root(error)).__name__, self.subject())
        try:
            self.tear_down()
        finally:
            self._report(died)


def _root(error: BaseException | None) -> BaseException | None:
    return error.__cause__ if isinstance(error, _Contained) else error


def _told(error: BaseException | None) -> str:
    """Say what went wrong and where, in one line."""
    error = _root(error)
    frames = traceback.extract_tb(error.__traceback__) if error else []
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {error}{where}"
