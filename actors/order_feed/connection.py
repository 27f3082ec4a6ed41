"""A feed's connection: made in a thread of its own, read by the dispatcher's thread, made again when it is lost."""

import threading
import time
from collections.abc import Sequence
from datetime import datetime

from loguru import logger
from pydantic import SecretStr

from actors.messages.tokens import CheckToken, TokenKeeperMessage, WantToken
from actors.order_feed.account import FeedAccount
from actors.order_feed.gate import Gate
from actors.order_feed.messages import Connect, ConnectionId, FeedConnected, FeedLost, FrameReceived, OrderFeedInbox
from actors.runtime.address import Address, Health, Recipient
from actors.runtime.timers import Clock
from copytrade.brokers.api import EndKind, FeedConnection, FeedEnded, OrderUpdateSource, Told
from copytrade.common import wall_clock
from copytrade.common.backoff import Backoff
from copytrade.common.logs import fields
from copytrade.common.measures import Figure, Measure
from copytrade.core.model.orders import IST

#: Seconds to wait at least when the broker refuses a handshake because there were too many.
WAIT_AFTER_TOO_MANY = 30.0

_TOO_MANY_REQUESTS = 429

#: Seconds that a connection has to last for the next loss to count as the first.
STABLE_AFTER = 10.0


class Connection:
    """One socket at a time, and the token to log in with. A part of a feed, in its thread.

    It reconnects for as long as the token is not known to be refused.
    """

    def __init__(
        self,
        address: Address[OrderFeedInbox],
        epoch: int,
        clock: Clock,
        tokens: Recipient[TokenKeeperMessage],
        account: FeedAccount,
        health: Health,
        gate: Gate,
    ) -> None:
        self._address = address
        self._clock = clock
        self._tokens = tokens
        self._account = account
        self._health = health
        self._gate = gate
        self._backoff = Backoff()
        self._socket: FeedConnection | None = None
        self._connected_at = 0.0
        self._token: SecretStr | None = None
        self._token_expires: datetime | None = None
        self._token_lost = False
        #: The latest connection; messages about earlier ones are ignored.
        self.id: ConnectionId = (epoch, 0)

    @property
    def is_up(self) -> bool:
        """Whether the socket is open."""
        return self._socket is not None

    def ask_for_token(self) -> None:
        """Ask for a token to log in with."""
        self._tokens.tell(WantToken(self._account.name, self._address))

    def take_token(self, token: SecretStr, expires: datetime | None) -> None:
        """Log in again if the token is another one, or was not usable until now."""
        is_another, was_lost = token != self._token, self._token_lost
        self._token, self._token_expires, self._token_lost = token, expires, False
        if is_another or (was_lost and self._socket is None):
            if self._socket is not None:
                self._gate.is_reconnecting = True
                self._socket.close()
                self._socket = None
                self._gate.close()
            self._health.state = "reconnecting" if self._gate.is_reconnecting else "connecting"
            self._backoff.reset()
            self.connect()

    def lose_token(self) -> None:
        """Connect no more until there is another token; a socket that is open stays."""
        self._token_lost = True
        if self._socket is None:
            self._health.state = "unauthorised"

    def token_left(self) -> Figure:
        """Return how long the token lives, for the status line; "" if that is unknown."""
        if self._token_lost:
            return "refused"
        if self._token_expires is None:
            return ""
        left = (self._token_expires - wall_clock.now()).total_seconds()
        return Measure(round(left), "s", f"{left / 3600:.0f}h" if left >= 3600 else f"{max(0.0, left) / 60:.0f}m")

    def token_until(self) -> str:
        """Return until when the token lives, as an ISO time in India; "refused", or "" if that is unknown."""
        if self._token_lost:
            return "refused"
        return self._token_expires.astimezone(IST).isoformat(timespec="seconds") if self._token_expires else ""

    def connect(self) -> None:
        """Connect in a thread of its own, if there is a token."""
        if self._token is None or self._token_lost:
            return
        epoch, number = self.id
        self.id = (epoch, number + 1)
        self._gate.forget_prompt()
        connecting = threading.Thread(
            target=connect_feed,
            args=(self._address, self._account.updates, self._token, self.id),
            name=f"{self._address.name}-connecting",
            daemon=True,
        )
        connecting.start()

    def use(self, socket: FeedConnection) -> None:
        """Read a socket that has been connected, the leader's before all others."""
        self._socket = socket
        reading = FeedReading(self._address, self.id, socket)
        self._address.watch(socket.fileno(), reading, socket.due, urgent=self._account.is_leader)
        self._connected_at = time.monotonic()
        self._health.state = "live"

    def lost(self, end: FeedEnded) -> None:
        """Close the gate, and connect again after a while."""
        if self._socket is not None:
            self._gate.is_reconnecting = True
            if time.monotonic() - self._connected_at > STABLE_AFTER:
                self._backoff.reset()
            elif not end.kind.is_ours:  # the broker drops a login that it refuses, and says nothing
                self._tokens.tell(CheckToken(self._account.name, refused=False))
        self._socket = None
        self._health.state = "unauthorised" if self._token_lost else "reconnecting"
        self._gate.close()
        delay = self._backoff.next_delay()
        if end.http_status == _TOO_MANY_REQUESTS:
            delay = max(delay, WAIT_AFTER_TOO_MANY)
        why = fields(account=self._account.name, why=end.kind, reason=end.reason)
        logger.warning("Feed lost, reconnecting in {:.1f}s {}", delay, why)
        self._clock.tell_later(delay, self._address, Connect(self.id))

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()


def connect_feed(
    address: Address[OrderFeedInbox], feed: OrderUpdateSource, token: SecretStr, connection: ConnectionId
) -> None:
    """Connect and log in, in a thread of its own; tell FeedConnected or FeedLost in the end."""
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
    """Reads what has come on a connection, and tells the feed. The poller calls it."""

    def __init__(self, address: Address[OrderFeedInbox], connection: ConnectionId, socket: FeedConnection) -> None:
        self._address = address
        self._connection = connection
        self._socket = socket

    def __call__(self, now: float) -> float | None:
        """Read once; return when to read again at the latest, None once the connection has ended."""
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
