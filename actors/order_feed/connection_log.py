"""What is logged of a feed's connections."""

from loguru import logger

from actors.order_feed.account import FeedAccount
from copytrade.common.logs import fields

#: Seconds that a connection has to last before it is said to be back: a broker accepts logins and drops them at once.
LASTS_AFTER = 0.5


class ConnectionLog:
    """Holds back what is said of a new connection until it has lasted, or has shown missed orders. A part of a feed."""

    def __init__(self, account: FeedAccount) -> None:
        self._is_leader = account.is_leader
        self._who = fields(account=account.name)
        self._held: list[str] = []

    def connected(self, *, again: bool) -> None:
        """A connection was made: the first, or another one ``again``."""
        if not again:
            logger.info("Feed connected {}", self._who)
        elif self._is_leader:
            self._held = ["Reconnected after disconnect, fetching missed orders..."]
        else:
            self._held = ["Feed reconnected"]

    def found(self, missed: int) -> None:
        """The book was read after a gap."""
        self._held.append(f"Found {missed} missed orders, processing...")
        if missed or len(self._held) == 1:
            self.lasted()

    def lasted(self) -> None:
        """The connection has lasted: say what was held back."""
        held, self._held = self._held, []
        for text in held:
            logger.info("{} {}", text, self._who)

    def lost(self) -> None:
        """The connection was lost: what was held back is not so."""
        self._held = []
