"""What the leader's account and a follower's held before the orders of today: positions, and capital to size by."""

from decimal import Decimal

from actors import capital_log, copy_log
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
        with_collateral: bool = False,
        own_capital: Decimal | None = None,
    ) -> None:
        """``capital`` and ``holdings`` say whether those are needed too.

        Capital is ``with_collateral`` or without, the follower's ``own_capital`` what the settings say, if they do.
        """
        self._seat = seat
        self._recovery = recovery
        self._desk = desk
        self._capital = capital
        self._with_collateral = with_collateral
        self._own_capital = own_capital
        self._own_is_said = False
        self._holdings = holdings
        self._known: set[str] = set()
        #: Whether the positions of both are known.
        self.are_known = False

    def ask_for_capital(self) -> None:
        """Ask for the capital of both, where orders are sized by it."""
        if self._capital:
            self._recovery.tell(ReadCapital(LEADER, self._seat, self._with_collateral))
            if self._own_capital is None:
                self._recovery.tell(ReadCapital(self._seat.name, self._seat, self._with_collateral))
            elif not self._own_is_said:
                self._own_is_said = True
                capital_log.set_in_settings(self._seat.name, self._own_capital)

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
