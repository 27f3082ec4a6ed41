"""The leader's positions, read once for all followers."""

from actors.messages.positions import NetRead
from actors.messages.reads import GapRecoveryMessage, ReadNet
from actors.order_feed.messages import OrderFeedInbox
from actors.runtime.address import Address, Recipient


class LeaderNet:
    """A part of the leader's feed, in its thread. ``holdings``: shares are copied, so holdings count too."""

    def __init__(
        self, address: Address[OrderFeedInbox], recovery: Recipient[GapRecoveryMessage], leader: str, *, holdings: bool
    ) -> None:
        self._address = address
        self._recovery = recovery
        self._leader = leader
        self._holdings = holdings
        #: The last read, None before the first.
        self.last: NetRead | None = None

    def ask(self) -> None:
        """Have the positions read; the first time before all other reads, because followers wait for it."""
        self._recovery.tell(ReadNet(self._leader, self._holdings, self._address, urgent=self.last is None))

    def ask_if_unknown(self) -> None:
        """Have the positions read if they never were."""
        if self.last is None:
            self.ask()
