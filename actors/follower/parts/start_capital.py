"""The start-of-day capital of leaders and follower, if orders are sized by it."""

from collections.abc import Sequence
from decimal import Decimal

from actors.follower.messages import FollowerInbox
from actors.messages.reads import GapRecoveryMessage, ReadCapital
from actors.runtime.address import Address, Recipient
from copytrade.reports.log_lines import capital_log


class StartCapital:
    """A part of a follower, in its thread."""

    def __init__(
        self,
        address: Address[FollowerInbox],
        recovery: Recipient[GapRecoveryMessage],
        leaders: Sequence[str],
        *,
        needed: bool,
        with_collateral: bool = False,
        own_capital: Decimal | None = None,
    ) -> None:
        """``needed``: orders are sized by capital. ``with_collateral``: pledged securities count.

        ``own_capital`` is the follower's if the settings give it.
        """
        self._address = address
        self._recovery = recovery
        self._leaders = leaders
        self._needed = needed
        self._with_collateral = with_collateral
        self._own_capital = own_capital
        self._own_is_said = False

    def need(self, *, needed: bool) -> None:
        """Ask for the capital of all accounts if orders are sized by it from now on."""
        was_needed, self._needed = self._needed, needed
        if needed and not was_needed:
            self.ask()

    def ask(self) -> None:
        """Ask for the capital of all accounts."""
        if not self._needed:
            return
        for leader in self._leaders:
            self._recovery.tell(ReadCapital(leader, self._address, self._with_collateral))
        if self._own_capital is None:
            self._recovery.tell(ReadCapital(self._address.name, self._address, self._with_collateral))
        elif not self._own_is_said:
            self._own_is_said = True
            capital_log.set_in_settings(self._address.name, self._own_capital)
