"""What the leader's account and a follower's held before the orders of today: positions, and capital to size by."""

from actors import copy_log
from actors.base import Address, Seat
from actors.messages import FollowerMessage, GapRecoveryMessage, PositionsRead, ReadCapital, ReadPositions
from copytrade.desk import Desk
from copytrade.records import LEADER


class Baselines:
    """A part of a follower, in its thread."""

    def __init__(
        self,
        seat: Seat[FollowerMessage],
        recovery: Address[GapRecoveryMessage],
        desk: Desk,
        *,
        capital: bool,
        holdings: bool,
    ) -> None:
        """``capital`` and ``holdings`` say whether those are needed too."""
        self._seat = seat
        self._recovery = recovery
        self._desk = desk
        self._capital = capital
        self._holdings = holdings
        self._known: set[str] = set()
        #: Whether the positions of both are known.
        self.are_known = False

    def ask_for_capital(self) -> None:
        """Ask for the capital of both, where orders are sized by it."""
        if self._capital:
            for whose in (LEADER, self._seat.name):
                self._recovery.tell(ReadCapital(whose, self._seat))

    def ask_for_positions(self) -> None:
        """Ask for the positions that are not known yet; the ledger has to be loaded before they are of use."""
        for whose in (LEADER, self._seat.name):
            if whose not in self._known:
                self._recovery.tell(ReadPositions(whose, self._holdings, self._seat))

    def take(self, read: PositionsRead) -> None:
        """Take the positions of one of the two, the first time that they are read."""
        if read.account in self._known:
            return
        self._known.add(read.account)
        self.are_known = len(self._known) == 2
        if read.account == LEADER:
            for before, after in self._desk.know_leader_positions(read.baseline):
                copy_log.drifted(self._seat.name, before, after)
        else:
            self._desk.know_own_positions(read.baseline)
