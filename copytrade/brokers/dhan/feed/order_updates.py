"""One account's order updates from the broker's socket, decoded."""

from pydantic import SecretStr

from copytrade.brokers.api import Deliver, FeedEnded
from copytrade.brokers.dhan.decode import read_frame
from copytrade.brokers.dhan.feed.connection import FeedConnection, FrameArrived, connect


class OrderUpdates:
    """An ``OrderUpdateSource`` over the order-update socket at ``url``."""

    def __init__(self, url: str, client_id: str) -> None:
        self._url = url
        self._client_id = client_id

    def connect(self, token: SecretStr) -> "OrderUpdateConnection | FeedEnded":
        """Connect and log in; the broker does not confirm a login."""
        connection = connect(self._url, self._client_id, token)
        return connection if isinstance(connection, FeedEnded) else OrderUpdateConnection(connection, self._client_id)


class OrderUpdateConnection:
    """A ``FeedConnection`` that delivers frames as orders."""

    def __init__(self, connection: FeedConnection, client_id: str) -> None:
        self._connection = connection
        self._client_id = client_id

    @property
    def due(self) -> float:
        """When to call ``look`` although nothing has arrived."""
        return self._connection.due

    def fileno(self) -> int:
        """Return the socket's file descriptor."""
        return self._connection.fileno()

    def look(self, deliver: Deliver, now: float) -> FeedEnded | None:
        """Deliver the orders of every frame that has arrived, frame by frame."""

        def decode(frame: FrameArrived) -> None:
            if items := read_frame(frame.payload, self._client_id, frame.received_at):
                deliver(items, frame.received_monotonic)

        return self._connection.look(decode, now)

    def close(self) -> None:
        """End the connection now."""
        self._connection.close()

    def release(self) -> None:
        """Close the socket."""
        self._connection.release()
