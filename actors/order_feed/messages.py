"""What a feed is told by itself and by its parts, and all that its inbox holds."""

from collections.abc import Sequence
from dataclasses import dataclass

from actors.messages.feeds import FeedMessage
from copytrade.brokers.api import FeedConnection, FeedEnded, Told

#: One connection of one incarnation of a feed.
ConnectionId = tuple[int, int]


@dataclass(frozen=True, slots=True)
class FeedConnected:
    """The socket is open and the login was sent; the broker acknowledges neither."""

    connection: ConnectionId
    socket: FeedConnection


@dataclass(frozen=True, slots=True)
class FrameReceived:
    """A frame has come in on a connection, at a monotonic time; ``items`` is its content."""

    connection: ConnectionId
    items: Sequence[Told]
    received: float


@dataclass(frozen=True, slots=True)
class FeedLost:
    """A connection has ended, or could not be made."""

    connection: ConnectionId
    end: FeedEnded


@dataclass(frozen=True, slots=True)
class Connect:
    """Try to connect again."""

    after: ConnectionId


@dataclass(frozen=True, slots=True)
class Lasted:
    """A connection was made a while ago: if it is still there, it has lasted."""

    connection: ConnectionId


@dataclass(frozen=True, slots=True)
class RereadBook:
    """Read the book again on this connection: after a login, or because something could not be read."""

    connection: ConnectionId


@dataclass(frozen=True, slots=True)
class AuditBook:
    """Read the book although nothing seems wrong."""

    epoch: int


@dataclass(frozen=True, slots=True)
class GlanceAtBook:
    """Read the book because an order changed: a frame about another one may have been lost.

    Only the latest ``number`` counts.
    """

    epoch: int
    number: int


OrderFeedInbox = (
    FeedMessage | FeedConnected | FrameReceived | FeedLost | Connect | Lasted | RereadBook | AuditBook | GlanceAtBook
)
