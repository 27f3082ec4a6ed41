"""What an operator wants of one follower, and what it answers."""

from loguru import logger

from actors.follower.parts.broker_clock import BrokerClock
from actors.follower.parts.loss_limit import Safeguard
from actors.follower.parts.outbox import Journal
from actors.messages import CommandGiven
from copytrade.common.logs import fields
from copytrade.core.engine.engine import Desk
from copytrade.core.model.commands import FLATTEN, TRY_AGAIN
from copytrade.storage.records import CommandAnswered


class Commands:
    """A part of a follower, in its thread."""

    def __init__(
        self,
        follower: str,
        desk: Desk,
        journal: Journal,
        broker_clock: BrokerClock,
        safeguard: Safeguard,
        *,
        dry_run: bool,
    ) -> None:
        self._follower = follower
        self._desk = desk
        self._journal = journal
        self._now = broker_clock.now
        self._safeguard = safeguard
        self._dry_run = dry_run

    def obey(self, command: CommandGiven) -> None:
        """Do what an operator wants, or say why not."""
        name, *arguments = command.name.split()
        if name not in (FLATTEN, TRY_AGAIN):
            self._answer(command.number, f"{command.name} is no command of this version", is_done=False)
        elif self._dry_run:
            self._answer(command.number, "dry_run is set: nothing is sent", is_done=False)
        elif name == TRY_AGAIN:
            self._try_again(command.number, *arguments)
        else:
            self._safeguard.close_for(command.number)

    def _try_again(self, number: int, order_id: str, units: str) -> None:
        """Have a leader order decided afresh, on an operator's word."""
        changed = self._desk.try_again(order_id, int(units))
        if changed is None:
            answer = f"{order_id} cannot be taken up: it is not of today, its copy rests, or it never had a size"
            self._answer(number, answer, is_done=False)
            return
        logger.warning("Taken up again {}", fields(follower=self._follower, leader_order=order_id, command=number))
        self._journal.note(*changed)
        self._answer(number, f"{order_id} is decided afresh", is_done=True)

    def _answer(self, number: int, answer: str, *, is_done: bool) -> None:
        self._journal.add(CommandAnswered(number, is_done, answer, self._now()))
