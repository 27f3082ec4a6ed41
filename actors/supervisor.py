"""The error kernel: starts every actor, sees deaths, restarts, reports status, stops in order.

It parses nothing from outside and does no I/O.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pykka
from loguru import logger

from actors.base import ActorDied, ActorUp, GuardedActor, Incarnation, Report, Seat
from actors.clock import Clock
from actors.messages import Drain, Drained, DrainingTimedOut, LogStatus, RestartActor, StopAll, SupervisorMessage
from actors.restarts import RestartPolicy, Restarts
from copytrade.logs import fields

#: Seconds that requests under way get to end, at a stop.
DRAIN_DEADLINE = 6.0

#: Seconds after which the first status is logged, when everybody should be at work.
FIRST_STATUS = 5.0

#: Seconds that one actor gets to stop.
STOP_DEADLINE = 1.0


class Birth(Protocol):
    """Starts an incarnation of one child in its seat."""

    def __call__(self, life: Incarnation[Any]) -> object:
        """Start the actor; it takes its seat before its thread runs."""
        ...


@dataclass(frozen=True, slots=True)
class Child:
    """An actor to be kept alive.

    ``core`` children take the process with them when they are beyond repair; ``intake`` children bring work in, and
    are the first to stop; ``drains`` says that the child answers Drain when nothing of its is under way any more.
    """

    seat: Seat[Any]
    give_birth: Birth
    restart_policy: RestartPolicy
    core: bool
    intake: bool = False
    drains: bool = False


@dataclass(slots=True)
class _Kept:
    child: Child
    restarts: Restarts
    crashes: int = 0
    state: str = ""


class Supervisor(GuardedActor[SupervisorMessage]):
    """Keeps its children alive, one for one: a crash of one touches no other.

    Children start in the order given and stop in the reverse; ``ended`` is called once, with the exit code, when all
    have stopped.
    """

    def __init__(
        self,
        life: Incarnation[SupervisorMessage],
        children: Sequence[Child],
        clock: Clock,
        status_interval: float,
        ended: Callable[[int], object],
    ) -> None:
        super().__init__(life)
        self._kept = {child.seat.name: _Kept(child, Restarts(child.restart_policy)) for child in children}
        self._clock = clock
        self._status_interval = status_interval
        self._ended = ended
        self._started_at = time.monotonic()
        self._draining: set[str] | None = None
        self._exit_code = 0

    def set_up(self) -> None:
        """Start every child."""
        for kept in self._kept.values():
            self._start(kept)
        self._clock.tell_later(min(FIRST_STATUS, self._status_interval), self.seat, LogStatus(again=True))

    def receive(self, message: SupervisorMessage) -> None:
        """See what became of the children, and do what follows."""
        match message:
            case ActorUp(_, epoch):
                if epoch > 1:  # everybody waits for the first incarnation anyway
                    self._tell_others(message)
            case ActorDied():
                self._bury(message)
            case RestartActor(name, epoch):
                kept = self._kept[name]
                if kept.child.seat.epoch == epoch and self._draining is None:
                    self._restart(kept)
            case LogStatus(again):
                self._log_status()
                if again:
                    self._clock.tell_later(self._status_interval, self.seat, message)
            case StopAll():
                self._drain()
            case Drained(name) if self._draining is not None:
                self._draining.discard(name)
                if not self._draining:
                    self._stop_all()
            case DrainingTimedOut() if self._draining:
                logger.warning("Requests still under way stay pending {}", fields(followers=",".join(self._draining)))
                self._stop_all()
            case _:
                pass

    def _tell_others(self, report: Report) -> None:
        for kept in self._kept.values():
            if kept.child.seat.name != report.name:
                kept.child.seat.tell(report)

    def _start(self, kept: _Kept) -> None:
        seat = kept.child.seat
        epoch = seat.epoch + 1
        try:
            kept.child.give_birth(Incarnation(seat, epoch, self.seat.tell))
        except Exception as error:
            seat.epoch = epoch
            self.seat.tell(ActorDied(seat.name, epoch, f"{type(error).__name__}: {error}"))

    def _restart(self, kept: _Kept) -> None:
        kept.state = ""
        kept.crashes += 1
        self._start(kept)
        logger.warning("Actor {} restarted ({})", kept.child.seat.name, kept.crashes)

    def _bury(self, death: ActorDied) -> None:
        kept = self._kept[death.name]
        if death.epoch != kept.child.seat.epoch or self._draining is not None:
            return
        self._tell_others(death)
        logger.error("Actor {} crashed: {}", death.name, death.error)
        delay = kept.restarts.after_crash(time.monotonic())
        if delay is not None:
            kept.state = "backing off"
            self._clock.tell_later(delay, self.seat, RestartActor(death.name, death.epoch))
        elif kept.child.core:
            logger.critical("Actor {} cannot be kept alive, stopping {}", death.name, fields(error=death.error))
            self._exit_code = 70
            self._drain()
        else:
            kept.state = "quarantined"
            logger.critical("Actor {} quarantined {}", death.name, fields(error=death.error))

    def _log_status(self) -> None:
        now = time.monotonic()
        for kept in self._kept.values():
            seat = kept.child.seat
            vitals, ref = seat.vitals, seat.ref
            busy = vitals.busy_since
            line = fields(
                mailbox=ref.actor_inbox.qsize() if ref is not None and hasattr(ref.actor_inbox, "qsize") else 0,
                last_event=f"{now - vitals.last_event:.0f}s",
                busy=f"{now - busy:.1f}s" if busy is not None and now - busy > 1 else "",
                restarts=kept.crashes,
            )
            logger.info("STATUS {:<18} {:<12} {} {}", seat.name, kept.state or vitals.state, line, vitals.figures)
        alive = sum(kept.child.seat.is_taken for kept in self._kept.values())
        totals = fields(
            actors=f"{alive}/{len(self._kept)}",
            restarts=sum(kept.crashes for kept in self._kept.values()),
            up=f"{now - self._started_at:.0f}s",
        )
        logger.info("STATUS {:<18} {:<12} {}", "total", "draining" if self._draining else "live", totals)

    def _drain(self) -> None:
        """Stop intake, and let what is under way at the followers end."""
        if self._draining is not None:
            return
        self._draining = set()
        for kept in self._kept.values():
            if kept.child.intake and kept.child.seat.ref is not None:
                kept.child.seat.ref.stop(block=False)
            if kept.child.drains and kept.child.seat.tell(Drain(self.seat)):
                self._draining.add(kept.child.seat.name)
        if self._draining:
            self._clock.tell_later(DRAIN_DEADLINE, self.seat, DrainingTimedOut())
        else:
            self._stop_all()

    def _stop_all(self) -> None:
        self._draining = set()
        for kept in reversed(self._kept.values()):
            ref = kept.child.seat.ref
            if ref is None:
                continue
            try:
                ref.stop(block=True, timeout=STOP_DEADLINE)
            except pykka.Timeout:
                logger.warning("Actor {} did not stop in {}s", kept.child.seat.name, STOP_DEADLINE)
        self._ended(self._exit_code)
