"""What every actor extends: the parts of an actor system that pykka lacks.

pykka has no supervisors and no stable addresses. A ``BaseException`` in a handler stops every actor in the process, a
failed ``on_start`` is silent, and a handler that hangs is invisible. GuardedActor closes these holes.
"""

import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Generic

import pykka

from actors.runtime.address import Address, M
from actors.runtime.dispatcher import Mailbox, TurnOver
from copytrade.common.measures import Figure


@dataclass(frozen=True, slots=True)
class ActorUp:
    """An incarnation has finished its set-up."""

    name: str
    epoch: int


@dataclass(frozen=True, slots=True)
class ActorDied:
    """An incarnation has ended without being asked to, with an error of a ``kind``.

    ``subject`` is the leader order that it was handling, if that may be the cause.
    """

    name: str
    epoch: int
    error: str
    kind: str = ""
    subject: str = ""


Report = ActorUp | ActorDied


@dataclass(frozen=True, slots=True)
class ShowFigures:
    """Update your health, for a line of status."""


@dataclass(frozen=True, slots=True)
class Incarnation(Generic[M]):
    """One run of an actor: its address, its epoch (1, 2, ...) and where it reports that it is up or has died.

    ``set_aside`` are subjects over which earlier incarnations died too often: it must not handle them.
    """

    address: Address[M]
    epoch: int
    report: Callable[[Report], object]
    set_aside: frozenset[str] = frozenset()


#: The state of a child that is not restarted for a while, and of its stand-in.
QUARANTINED = "quarantined"


class _Contained(Exception):
    """Carries an error that pykka would not treat as one actor's death."""


class GuardedActor(pykka.ThreadingActor, Generic[M]):
    """An actor that cannot stop the process, and whose start, death and current work are visible.

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
        """Take one turn: run pykka's loop for some messages, or begin, or end."""
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
        """Drop references that would keep this incarnation alive until garbage is collected."""
        self._broken = None
        if isinstance(self.actor_inbox, Mailbox):
            self.actor_inbox.close()
        self.health.has_ended = True

    @property
    def is_current(self) -> bool:
        """Whether no later incarnation has taken the address. Check it before a side effect."""
        return self.address.epoch == self.epoch

    def set_up(self) -> None:
        """Prepare; runs before the first message."""

    def receive(self, message: M) -> None:
        """Handle one message."""
        raise NotImplementedError

    def tear_down(self) -> None:
        """Close what this incarnation owns; runs after a stop and after a death."""

    def figures(self) -> dict[str, Figure]:
        """Return the numbers of this actor's line of status, by name."""
        return {}

    def details(self) -> dict[str, Any]:
        """Return what a snapshot shows besides the figures, as JSON has it."""
        return {}

    def subject(self) -> str:
        """Return the leader order that is being handled, if another incarnation might die of it too."""
        return ""

    def on_start(self) -> None:
        """Set up, and report success or failure, because pykka reports neither."""
        self.health.busy_since = time.monotonic()
        try:
            self.set_up()
        except BaseException as error:  # a BaseException would leave a thread behind
            self._report_death(error)
            raise _Contained from error
        self.health.busy_since = None
        if not self.is_current:
            return
        if self.health.state == "starting":
            self.health.state = "live"
        self._report(ActorUp(self.address.name, self.epoch))

    def on_receive(self, message: M) -> None:
        """Hand a message to ``receive``, and show since when it is handled.

        An incarnation that was replaced while it hung takes no more messages. One that fails over an asked message dies
        too, although pykka would let it live on with a half-changed state.
        """
        if self._broken is not None:
            raise _Contained from self._broken
        if self.address.epoch != self.epoch:
            self.actor_ref.stop(block=False)
            return
        if isinstance(message, ShowFigures):
            self.health.figures, self.health.details = self.figures(), self.details()
            self.health.shown_at = time.monotonic()
            return
        self.health.busy_since = self.health.last_event = time.monotonic()
        state = self.health.state
        try:
            self.receive(message)
            if self.address.epoch != self.epoch:  # replaced meanwhile: there may never be another message
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
        self.actor_ref.tell(error)  # it dies of this if the message was asked; if it was told, it dies anyway

    def on_failure(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        """Report that this incarnation has died."""
        self._report_death(error)

    def on_stop(self) -> None:
        """Close what this incarnation owns, because it was asked to stop."""
        self.health.state = "stopped"
        self.tear_down()

    def _report_death(self, error: BaseException | None) -> None:
        self.health.state = "crashed"
        with suppress(Exception):  # its state may be broken
            self.health.figures = self.figures()
        died = ActorDied(self.address.name, self.epoch, _told(error), type(_root(error)).__name__, self.subject())
        try:
            self.tear_down()
        finally:
            self._report(died)


def _root(error: BaseException | None) -> BaseException | None:
    return error.__cause__ if isinstance(error, _Contained) else error


def _told(error: BaseException | None) -> str:
    """Return what went wrong and where, in one line."""
    error = _root(error)
    frames = traceback.extract_tb(error.__traceback__) if error else []
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {error}{where}"
