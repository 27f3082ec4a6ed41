"""The error kernel: starts every actor, sees deaths and hangs, restarts, reports status, stops in order.

It parses nothing from outside and does no I/O.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import pykka
from loguru import logger

from actors.messages.followers import Drain, Drained
from actors.messages.supervision import LogStatus, RetryQuarantined, StatusEvery, StopAll
from actors.runtime.actor import QUARANTINED, ActorDied, ActorUp, GuardedActor, Incarnation, Report, ShowFigures
from actors.runtime.address import Address
from actors.runtime.timers import Clock
from actors.supervisor import status
from actors.supervisor.child import ChildSpec, Kept, StartActor
from actors.supervisor.messages import (
    ChildLeaves,
    ChildrenJoin,
    DrainingTimedOut,
    LeavingTimedOut,
    LogLines,
    RestartActor,
    SupervisorInbox,
    Sweep,
    TakeSnapshot,
)
from actors.supervisor.restarts import RestartPolicy, Storms
from copytrade.common.logs import alert, fields
from copytrade.common.measures import Figure, PartOf, seconds
from copytrade.storage.files.status_file import ActorStatus

#: Seconds that requests under way get to end, at a stop.
DRAIN_DEADLINE = 6.0

#: Seconds after which the first status is logged.
FIRST_STATUS = 5.0

#: Seconds that the actors get to bring their figures up to date before they are logged.
FIGURES_AFTER = 0.1

#: Seconds that one actor gets to stop.
STOP_DEADLINE = 1.0

#: Seconds between two snapshots, and that busy actors get to bring their figures up to date for one.
SNAPSHOT_EVERY, SNAPSHOT_WITHIN = 1.0, 5.0

#: Seconds between looks at every actor; the second until all of them have been live once.
SWEEP_EVERY, SWEEP_AT_FIRST = 0.5, 0.1


class Supervisor(GuardedActor[SupervisorInbox]):
    """Keeps its children alive. Each is restarted alone: a crash of one touches no other.

    Children start in the order given and stop in reverse. ``ended`` is called once, with the exit code, when all have
    stopped. A supervisor that follows one that died keeps the running children. ``publish`` gets a snapshot of all
    children again and again, and must not block.
    """

    def __init__(
        self,
        life: Incarnation[SupervisorInbox],
        children: Sequence[ChildSpec],
        clock: Clock,
        status_interval: float,
        quarantine_retry: float,
        ended: Callable[[int], object],
        publish: Callable[[list[ActorStatus]], object] | None = None,
    ) -> None:
        super().__init__(life)
        self._kept = {child.address.name: Kept(child) for child in children}
        self._clock = clock
        self._status_interval = status_interval
        self._quarantine_retry = quarantine_retry
        self._ended = ended
        self._publish = publish
        self._started_at = time.monotonic()
        self._draining: set[str] | None = None
        #: The children that leave, by name.
        self._leaving: dict[str, ChildLeaves] = {}
        self._exit_code = 0
        self._was_ready = False
        followers = [child for child in children if child.drains]
        policy = followers[0].restart_policy if followers else RestartPolicy(5, 60.0, 0.25, 30.0)
        self._storms = Storms(len(followers), policy)

    def set_up(self) -> None:
        """Start every child that does not run."""
        for kept in self._kept.values():
            if not kept.child.address.is_taken:
                self._start(kept, kept.child.start)
            elif kept.child.address.health.state == QUARANTINED:  # a stand-in that an earlier supervisor has started
                self._quarantine(kept)
        self._clock.tell_later(SWEEP_EVERY, self.address, Sweep(self.epoch))
        self._take_snapshot()
        self._clock.tell_later(min(FIRST_STATUS, self._status_interval), self.address, LogStatus(self.epoch))

    def receive(self, message: SupervisorInbox) -> None:
        """Take in reports of children, and act on them."""
        match message:
            case ActorUp(_, epoch):
                if epoch > 1:  # nobody has asked the first incarnation anything yet
                    self._tell_others(message)
            case ActorDied():
                self._on_child_died(message)
            case RestartActor(name, epoch):
                kept = self._kept.get(name)
                if kept is not None and kept.child.address.epoch == epoch and self._draining is None:
                    self._restart(kept)
            case RetryQuarantined(name):
                self._retry_quarantined(name)
            case ChildrenJoin(children) if self._draining is None:
                self._join(children)
            case ChildLeaves() if self._draining is None:
                self._begin_leaving(message)
            case Drained(name) | LeavingTimedOut(name) if name in self._leaving and self._draining is None:
                self._end_leaving(self._leaving.pop(name))
            case StatusEvery(interval):
                self._status_interval = interval
            case Sweep(epoch) if epoch == self.epoch:
                self._sweep()
                self._clock.tell_later(SWEEP_EVERY if self._was_ready else SWEEP_AT_FIRST, self.address, message)
            case TakeSnapshot(epoch) if epoch == self.epoch:
                self._take_snapshot()
            case LogStatus(epoch):
                for kept in self._kept.values():
                    kept.child.address.tell(ShowFigures())
                self._clock.tell_later(FIGURES_AFTER, self.address, LogLines())
                if epoch == self.epoch:
                    self._clock.tell_later(self._status_interval, self.address, message)
            case LogLines():
                self._log_status()
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
            if kept.child.address.name != report.name:
                kept.child.address.tell(report)

    def _start(self, kept: Kept, start: StartActor | None) -> None:
        address = kept.child.address
        epoch = address.epoch + 1
        if start is None:
            return
        try:
            start(Incarnation(address, epoch, self.address.tell, kept.set_aside))
        except Exception as error:
            address.epoch = epoch
            self.address.tell(ActorDied(address.name, epoch, f"{type(error).__name__}: {error}", type(error).__name__))

    def _join(self, children: Sequence[ChildSpec]) -> None:
        """Start other children, which their peers have been told of."""
        for child in children:
            if child.address.name not in self._kept:  # else a supervisor that was restarted has begun with them
                self._kept[child.address.name] = Kept(child)
                self._start(self._kept[child.address.name], child.start)
        self._storms.members = self._followers()

    def _followers(self) -> int:
        return sum(kept.child.drains for kept in self._kept.values())

    def _begin_leaving(self, leaves: ChildLeaves) -> None:
        """Let a child finish what is under way, for so long at most as at a stop."""
        self._leaving[leaves.name] = leaves
        if self._kept[leaves.name].child.address.tell(Drain(self.address)):
            self._clock.tell_later(DRAIN_DEADLINE, self.address, LeavingTimedOut(leaves.name))
        else:
            self._end_leaving(self._leaving.pop(leaves.name))

    def _end_leaving(self, leaves: ChildLeaves) -> None:
        for name in (leaves.name, *leaves.others):
            address = self._kept.pop(name).child.address
            if address.ref is not None:
                address.ref.stop(block=False)
        self._storms.members = self._followers()
        leaves.then()

    def _restart(self, kept: Kept) -> None:
        kept.state = ""
        kept.crashes += 1
        self._start(kept, kept.child.start)
        logger.warning("Actor {} restarted ({})", kept.child.address.name, kept.crashes)

    def _on_child_died(self, death: ActorDied) -> None:
        """Restart, quarantine or give up a child that died or hung; once for each incarnation."""
        kept = self._kept.get(death.name)
        if kept is None:  # it has left
            return
        if death.name in self._leaving:
            self._end_leaving(self._leaving.pop(death.name))
            return
        if death.epoch != kept.child.address.epoch or death.epoch == kept.handled_death or self._draining is not None:
            return
        kept.handled_death = death.epoch
        if kept.state == QUARANTINED:  # its stand-in: the address stays empty until the next chance
            alert("crashed", death.name, "Stand-in of {} crashed: {}", death.name, death.error, level="ERROR")
            return
        self._tell_others(death)
        alert("crashed", death.name, "Actor {} crashed: {}", death.name, death.error, level="ERROR")
        if death.subject:
            kept.died_over[death.subject] += 1
        now = time.monotonic()
        delay = None if kept.child.core else self._storms.after_crash(death.name, death.kind, now)
        if delay is None:
            delay = kept.restarts.after_crash(now)
        elif self._storms.is_first():
            alert("storm", "", "Actors die together, restarted together {}", fields(cause=death.kind))
        if delay is not None:
            kept.state = "backing off"
            self._clock.tell_later(delay, self.address, RestartActor(death.name, death.epoch))
        elif kept.child.core:
            why = fields(error=death.error)
            alert("core", death.name, "Actor {} cannot be kept alive, stopping {}", death.name, why)
            self._exit_code = 70
            self._drain()
        else:
            self._quarantine(kept)
            had = fields(**kept.child.address.health.figures)
            left = fields(error=death.error, retry=f"{self._quarantine_retry:g}s", left=str(had))
            alert("quarantine", death.name, "Actor {} quarantined {}", death.name, left)
            self._start(kept, kept.child.stand_in)

    def _quarantine(self, kept: Kept) -> None:
        kept.state = QUARANTINED
        self._clock.tell_later(self._quarantine_retry, self.address, RetryQuarantined(kept.child.address.name))

    def _retry_quarantined(self, name: str) -> None:
        """Restart a quarantined actor, or all of them for an empty name."""
        for kept in self._kept.values():
            if kept.state == QUARANTINED and name in ("", kept.child.address.name) and self._draining is None:
                kept.restarts.forgive()
                if kept.child.address.ref is not None:
                    kept.child.address.ref.stop(block=False)  # its stand-in
                self._restart(kept)

    def _sweep(self) -> None:
        """Look for actors that hang or have ended without a report, and log changed states."""
        now = time.monotonic()
        for dispatcher in {kept.child.address.dispatcher for kept in self._kept.values()}:
            if dispatcher is not None:
                dispatcher.relieve()
        for kept in self._kept.values():
            address = kept.child.address
            health = address.health
            busy = health.busy_since
            if self._draining is None and kept.handled_death != address.epoch:
                # Told to ourselves, so that a report of the actor itself comes first.
                if busy is not None and now - busy > kept.child.deadline:
                    hung = f"hung: busy with one message for {now - busy:.1f}s"
                    self.address.tell(ActorDied(address.name, address.epoch, hung, "hung"))
                elif health.has_ended:
                    self.address.tell(ActorDied(address.name, address.epoch, "ended without a word", "vanished"))
            shown = status.state(address, kept.state)
            if shown != kept.shown:
                kept.shown = shown
                self._log_line(kept)
        if not self._was_ready and all(kept.shown == "live" for kept in self._kept.values() if kept.child.awaited):
            self._was_ready = True
            logger.info("Ready {}", fields(actors=len(self._kept), after=seconds(now - self._started_at, 1)))

    def _take_snapshot(self) -> None:
        """Publish what the children show now. They are asked for the next one when they have nothing else to do."""
        if self._publish is None:
            return
        self._publish([status.snapshot(one.child.address, one.state, one.crashes) for one in self._kept.values()])
        now = time.monotonic()
        for kept in self._kept.values():
            address = kept.child.address
            if address.health.shown_at >= kept.asked_at or now - kept.asked_at > SNAPSHOT_WITHIN:
                kept.asked_at = now
                address.tell_when_idle(ShowFigures(), SNAPSHOT_WITHIN)
        self._clock.tell_later(SNAPSHOT_EVERY, self.address, TakeSnapshot(self.epoch))

    def _log_line(self, kept: Kept) -> None:
        logger.info("STATUS {}", status.status(kept.child.address, kept.state, kept.crashes))

    def _log_status(self) -> None:
        for kept in self._kept.values():
            self._log_line(kept)
        totals: dict[str, Figure] = {
            "actors": PartOf(sum(kept.child.address.is_taken for kept in self._kept.values()), len(self._kept)),
            "restarts": sum(kept.crashes for kept in self._kept.values()),
            "up": seconds(time.monotonic() - self._started_at),
        }
        logger.info("STATUS {}", status.line("total", "draining" if self._draining else "live", totals))

    def _drain(self) -> None:
        """Stop intake, and let the followers finish what is under way."""
        if self._draining is not None:
            return
        self._draining = set()
        for kept in self._kept.values():
            if kept.child.intake and kept.child.address.ref is not None:
                kept.child.address.ref.stop(block=False)
            if kept.child.drains and kept.child.address.tell(Drain(self.address)):
                self._draining.add(kept.child.address.name)
        if self._draining:
            self._clock.tell_later(DRAIN_DEADLINE, self.address, DrainingTimedOut())
        else:
            self._stop_all()

    def _stop_all(self) -> None:
        self._draining = set()
        for kept in reversed(self._kept.values()):
            stop(kept.child.address)
        self._ended(self._exit_code)


def stop(address: Address[Any]) -> None:
    """Stop the actor behind an address, or log that it did not stop in time."""
    if address.ref is None:
        return
    try:
        address.ref.stop(block=True, timeout=STOP_DEADLINE)
    except pykka.Timeout:
        logger.warning("Actor {} did not stop in {}s", address.name, STOP_DEADLINE)
