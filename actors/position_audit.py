"""One follower's audit of positions: now and then what the account holds is compared with what was copied."""

from collections.abc import Iterable

from actors import copy_log
from actors.base import Address, Seat
from actors.clock import Clock, phase_of
from actors.messages import AuditPositions, FollowerMessage, GapRecoveryMessage, ReadNet
from copytrade.drift import Apart
from copytrade.ledger import LineKey


class PositionAudit:
    """A part of a follower, in its thread. It tells of each difference once, and changes nothing."""

    def __init__(
        self,
        seat: Seat[FollowerMessage],
        epoch: int,
        clock: Clock,
        recovery: Address[GapRecoveryMessage],
        interval: float,
        *,
        holdings: bool,
    ) -> None:
        """``interval`` is the seconds between two reads."""
        self._seat = seat
        self._again = AuditPositions(epoch)
        self._clock = clock
        self._recovery = recovery
        self._interval = interval
        self._holdings = holdings
        self._seen: dict[LineKey, Apart] = {}
        self._told: dict[LineKey, Apart] = {}

    def begin(self) -> None:
        """Ask for the first time within the interval: not all accounts at once."""
        self._clock.tell_later(self._interval * phase_of(self._seat.name), self._seat, self._again)

    def ask(self) -> None:
        """Have it read what the account holds, and again after the interval."""
        self._recovery.tell(ReadNet(self._seat.name, self._holdings, self._seat))
        self._clock.tell_later(self._interval, self._seat, self._again)

    def compare(self, apart: Iterable[Apart]) -> None:
        """Say what the account holds apart from its copies; what no order tells of has to be there twice.

        A fill between the read and now looks like that, and is gone the next time.
        """
        found = {one.line: one for one in apart}
        for line, one in found.items():
            if self._told.get(line) != one and (not one.unseen or self._seen.get(line) == one):
                self._told[line] = one
                copy_log.apart(self._seat.name, one)
        self._told = {line: one for line, one in self._told.items() if line in found}
        self._seen = found
