"""Watches an account's result of the day, and closes everything when a limit or an operator says so."""

from datetime import datetime

from loguru import logger

from actors.follower.messages import CheckResult, FollowerInbox
from actors.messages.reads import GapRecoveryMessage, ReadResult
from actors.runtime.address import Address, Recipient
from actors.runtime.timers import Clock
from copytrade.common.logs import alert, fields, over
from copytrade.core.decide.decisions import Policy
from copytrade.core.decide.risk_limits import Breach, OnBreach
from copytrade.core.engine.engine import CopyEngine
from copytrade.core.model.accounts import Result
from copytrade.core.model.commands import breach_key
from copytrade.storage.records import CommandAnswered, ConfigSet, Record

#: Checks in a row without a result of the day after which an alert says that entries wait.
LACKED_OFTEN = 3


class LossLimitWatch:
    """A part of a follower, in its thread. The records that its methods return have to be written."""

    def __init__(
        self,
        address: Address[FollowerInbox],
        epoch: int,
        clock: Clock,
        recovery: Recipient[GapRecoveryMessage],
        engine: CopyEngine,
        policy: Policy,
        interval: float | None,
    ) -> None:
        """``interval`` is the seconds between two reads of the result, None if no limit needs it."""
        self._address = address
        self._again = CheckResult(epoch)
        self._clock = clock
        self._recovery = recovery
        self._engine = engine
        self._policy = policy
        self._interval = interval
        self._checks_without_result = 0
        self._is_watching = False
        #: The numbers of commands to close everything.
        self._closing_for: list[int] = []

    def begin(self, breach: Breach | None, now: datetime) -> None:
        """Take over a breach that was recorded today, and begin to watch."""
        if breach is not None:
            self._engine.know_breach(breach)
            self._close_what_is_lost(now)
        self.check(now)

    def change(self, policy: Policy, interval: float | None, now: datetime, *, begins: bool) -> None:
        """Watch by other limits from now on; ``begins``: results are taken in already."""
        self._policy, self._interval = policy, interval
        if begins and not self._is_watching:
            self.check(now)

    def check(self, now: datetime) -> None:
        """Read the result of the day now, and again after the interval."""
        self._is_watching = self._interval is not None
        if self._interval is None:
            return
        usage = self._engine.limit_usage
        lacks_result = usage.is_set and usage.lacks_result(now)
        if not lacks_result and self._checks_without_result >= LACKED_OFTEN:
            who = self._address.name
            over("no_result", who, "Result of the day known again {}", fields(follower=who))
        self._checks_without_result = self._checks_without_result + 1 if lacks_result else 0
        if self._checks_without_result == LACKED_OFTEN:
            who = self._address.name
            alert("no_result", who, "Result of the day not known, entries wait {}", fields(follower=who), level="ERROR")
        self.read()
        self._clock.tell_later(self._interval, self._address, self._again)

    def read(self) -> None:
        """Have the result of the day read, if a limit needs it."""
        if self._interval is not None:
            self._recovery.tell(ReadResult(self._address.name, self._address))

    def take(self, result: Result, now: datetime) -> list[Record]:
        """Take in a result. If the loss limit is reached, alert once and close everything if the settings say so."""
        breach = self._engine.know_result(result)
        if breach is None:
            return []
        what = fields(follower=self._address.name, loss=breach.detail, open=len(self._engine.copies.live))
        alert("daily_loss", self._address.name, "Daily loss reached, entries stop {}", what)
        self._close_what_is_lost(now)
        return [ConfigSet(breach_key(self._address.name), str(breach))]

    def _close_what_is_lost(self, now: datetime) -> None:
        """Close everything if the limit is reached and ``on_breach`` is flatten."""
        risk_limits = self._policy.risk_limits
        closes = risk_limits and risk_limits.on_breach is OnBreach.FLATTEN and not self._policy.dry_run
        if closes and self._engine.limit_usage.is_breached(now):
            self._engine.close_all()

    def close_for(self, number: int, *, leaves: bool = False, leader: str | None = None) -> None:
        """Close everything for a command, or what is copied of one leader, or leave it; it is answered then."""
        if number not in self._closing_for:
            doing = "Cancelling, and leaving what is held" if leaves else "Closing everything"
            logger.warning("{} {}", doing, fields(follower=self._address.name, leader=leader, command=number))
            self._closing_for.append(number)
            self._engine.close_all(leaves=leaves, leader=leader)

    def mind_closing(self, now: datetime, obstacle: str) -> list[Record]:
        """Report and answer when everything is closed, or with the ``obstacle`` while nothing can be sent."""
        closed = self._engine.take_closed(now)
        if closed is not None and closed.left_alone:
            what = fields(follower=self._address.name, reason="left", outcome=str(closed))
            logger.warning("Lines do not count as copied any more {}", what)
        elif closed is not None and (closed.cancelled or closed.closed or closed.left):
            what = fields(follower=self._address.name, outcome=str(closed))
            if closed.left:
                alert("closing", self._address.name, "Not everything is closed {}", what)
            else:
                logger.warning("Everything is closed {}", what)
        if closed is None and not obstacle:
            return []
        answer = str(closed) if closed is not None else obstacle
        is_done = closed is not None and not closed.left
        numbers, self._closing_for = self._closing_for, []
        return [CommandAnswered(number, is_done, answer, now) for number in numbers]
