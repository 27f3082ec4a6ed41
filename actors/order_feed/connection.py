"""A feed's socket: connected in a thread of its own, and read by whoever watches it."""

from collections.abc import Sequence

from loguru import logger
from pydantic import SecretStr

from actors.order_feed.messages import ConnectionId, FeedConnected, FeedLost, FrameReceived, OrderFeedInbox
from actors.runtime.address import Address
from copytrade.brokers.api import EndKind, FeedConnection, FeedEnded, OrderUpdateSource, Told


def connect_feed(
    address: Address[OrderFeedInbox], feed: OrderUpdateSource, token: SecretStr, connection: ConnectionId
) -> None:
    """Connect and log in: a thread's whole life, which always ends in FeedConnected or FeedLost."""
    try:
        socket = feed.connect(token)
    except Exception as error:  # an exception in a thread would otherwise end in silence
        logger.opt(exception=error).error("Connecting the feed failed unexpectedly")
        socket = FeedEnded(EndKind.RESET, None, f"{type(error).__name__}: {error}")
    if isinstance(socket, FeedEnded):
        address.tell(FeedLost(connection, socket))
    elif not address.tell(FeedConnected(connection, socket)):
        socket.release()


class FeedReading:
    """Reads what has come on a feed's connection, and tells the feed: called by the poller."""

    def __init__(self, address: Address[OrderFeedInbox], connection: ConnectionId, socket: FeedConnection) -> None:
        self._address = address
        self._connection = connection
        self._socket = socket

    def __call__(self, now: float) -> float | None:
        """Look once; return when to look again at the latest, None once the connection has ended."""
        try:
            end = self._socket.look(self._deliver, now)
        except Exception as error:  # it ends with the connection, and the next one begins afresh
            logger.opt(exception=error).error("Reading the feed failed unexpectedly")
            end = FeedEnded(EndKind.RESET, None, f"{type(error).__name__}: {error}")
        if end is None:
            return self._socket.due
        self._address.tell(FeedLost(self._connection, end))
        return None

    def _deliver(self, items: Sequence[Told], received: float) -> None:
        if self._address.epoch != self._connection[0]:
            self._socket.close()  # its actor hung and has been replaced
        self._address.tell(FrameReceived(self._connection, items, received))
