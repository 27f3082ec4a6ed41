"""An operator's commands to one follower, and its answers."""

from loguru import logger

from actors.follower.parts.broker_clock import BrokerClock
from actors.follower.parts.loss_limit import LossLimitWatch
from actors.follower.parts.outbox import Outbox
from actors.messages.store import CommandGiven
from copytrade.common.logs import fields
from copytrade.core.engine.engine import CopyEngine
from copytrade.core.model.commands import FLATTEN, LEAVE, TRY_AGAIN
from copytrade.storage.records import CommandAnswered


class Commands:
    """A part of a follower, in its thread."""

    def __init__(
        self,
        follower: str,
        engine: CopyEngine,
        outbox: Outbox,
        broker_clock: BrokerClock,
        loss_limit_watch: LossLimitWatch,
        *,
        dry_run: bool,
    ) -> None:
        self._follower = follower
        self._engine = engine
        self._outbox = outbox
        self._now = broker_clock.now
        self._loss_limit_watch = loss_limit_watch
        self._dry_run = dry_run

    def obey(self, command: CommandGiven) -> None:
        """Carry out a command, or answer why not."""
        name, *arguments = command.name.split()
        if name not in (FLATTEN, LEAVE, TRY_AGAIN):
            self._answer(command.number, f"{command.name} is no command of this version", is_done=False)
        elif self._dry_run:
            self._answer(command.number, "dry_run is set: nothing is sent", is_done=False)
        elif name == TRY_AGAIN:
            self._try_again(command.number, *arguments)
        else:
            leader = arguments[0] if arguments else None
            if leader is not None and self._enters_from(leader):
                refusal = f"{leader} is copied: first set enabled = false in [followers.of.{leader}], and run.py reload"
                self._answer(command.number, refusal, is_done=False)
                return
            self._loss_limit_watch.close_for(command.number, leaves=name == LEAVE, leader=leader)

    def _enters_from(self, leader: str) -> bool:
        """Whether a leader's next entry would be copied."""
        followed = self._engine.context.leaders.get(leader)
        return followed is not None and followed.policy.enabled and not self._engine.flattener.concerns(leader)

    def _try_again(self, number: int, order_id: str, units: str) -> None:
        """Have a leader order decided again."""
        changed = self._engine.try_again(order_id, int(units))
        if changed is None:
            answer = f"{order_id} cannot be taken up: it is not of today, its copy rests, or it never had a size"
            self._answer(number, answer, is_done=False)
            return
        what = fields(follower=self._follower, leader_order=order_id, command=number)
        logger.warning("Leader order is decided again {}", what)
        self._outbox.note(*changed)
        self._answer(number, f"{order_id} is decided afresh", is_done=True)

    def _answer(self, number: int, answer: str, *, is_done: bool) -> None:
        self._outbox.add(CommandAnswered(number, is_done, answer, self._now()))
