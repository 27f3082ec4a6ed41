"""What a feed is told by itself and by its parts, and all that its inbox holds."""

from collections.abc import Sequence
from dataclasses import dataclass

from actors.messages.feeds import FeedMessage
from copytrade.brokers.api import FeedConnection, FeedEnded, Told

#: One connection of one incarnation of a feed.
ConnectionId = tuple[int, int]


@dataclass(frozen=True, slots=True)
class FeedConnected:
    """The feed's socket is open and the login was sent; the broker acknowledges neither."""

    connection: ConnectionId
    socket: FeedConnection


@dataclass(frozen=True, slots=True)
class FrameReceived:
    """A frame has come in on a connection, at a monotonic time: what it tells of."""

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
class RereadBook:
    """Read the book once more on this connection: a login has no acknowledgement, or something could not be read."""

    connection: ConnectionId


@dataclass(frozen=True, slots=True)
class AuditBook:
    """Read the book although nothing seems wrong."""

    epoch: int


@dataclass(frozen=True, slots=True)
class GlanceAtBook:
    """Read the book because there was something new of an order: a frame about another may have been lost.

    Only the last ``number`` that was given counts.
    """

    epoch: int
    number: int


OrderFeedInbox = (
    FeedMessage | FeedConnected | FrameReceived | FeedLost | Connect | RereadBook | AuditBook | GlanceAtBook
)
