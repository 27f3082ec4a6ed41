"""The interface of a broker: what every adapter offers, and all that actors may know of one.

An account is reached in three ways: an :class:`OrderGateway` sends its orders, an :class:`AccountReader` reads it, and
an :class:`OrderUpdateSource` delivers changes of its orders. A :class:`TokenService` gets the token that all three
need. No method raises for what the broker or the network does, if its docstring does not say so.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, TypeVar

from pydantic import SecretStr

from copytrade.brokers.outcomes import Outcome
from copytrade.brokers.tokens.token import Token
from copytrade.core.model.accounts import Funds, Result
from copytrade.core.model.ledger import LineKey
from copytrade.core.model.orders import (
    ZERO,
    AmoTime,
    InstrumentKey,
    Order,
    OrderType,
    Product,
    Side,
    Status,
    Validity,
)


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to place. ``quantity`` is units, prices are rupees; ``amo_time`` counts for after-market orders only."""

    correlation_id: str
    side: Side
    key: InstrumentKey
    product: Product
    order_type: OrderType
    quantity: int
    price: Decimal = ZERO
    validity: Validity = Validity.DAY
    trigger_price: Decimal = ZERO
    disclosed_quantity: int = 0
    after_market: bool = False
    amo_time: AmoTime = AmoTime.OPEN


@dataclass(frozen=True, slots=True)
class OrderChange:
    """The new parameters of a resting order, all of them. ``quantity`` is the order's total, filled units included."""

    order_type: OrderType
    quantity: int
    price: Decimal = ZERO
    validity: Validity = Validity.DAY
    trigger_price: Decimal = ZERO
    disclosed_quantity: int = 0


@dataclass(frozen=True, slots=True)
class Placed:
    """The broker took the order (or its change). ``status`` is the one in the reply, None if unknown."""

    order_id: str
    status: Status | None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The broker took the cancellation. ``status`` is None if the reply was empty. A later update shows the end."""

    order_id: str
    status: Status | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message or row that cannot be decoded. ``excerpt`` is its beginning, safe to log.

    The ids are set if they can be read, "" for none; ``correlation_id`` is None if it cannot be read.
    """

    where: str
    what: str
    excerpt: str
    order_id: str = ""
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Foreign:
    """An order of another account. Nothing else of it is read."""

    where: str
    client_id: str


#: What a frame or row is decoded to, if it is about an order at the exchange.
Told = Order | Unreadable | Foreign


@dataclass(frozen=True, slots=True)
class OrderBook:
    """The day's orders, and the rows that cannot be decoded. ``read_from`` is when the request began.

    ``foreign`` are rows of another account. An order whose row has not changed since the last read is the same object,
    with its earlier ``observed_at``.
    """

    orders: tuple[Order, ...]
    unreadable: tuple[Unreadable, ...]
    read_from: datetime
    foreign: tuple[Foreign, ...] = ()


class EndKind(StrEnum):
    """How a connection ended."""

    REFUSED = "refused"  #: no connection, or no handshake
    CLOSED = "closed"  #: by the server, with a close frame
    RESET = "reset"  #: the connection broke
    SILENT = "silent"  #: nothing was received, not even an answer to a ping
    STOPPED = "stopped"  #: we closed it

    @property
    def is_ours(self) -> bool:
        """Whether we ended it, not the broker or the network."""
        return self is EndKind.STOPPED


@dataclass(frozen=True, slots=True)
class FeedEnded:
    """A connection ended, or could not be made. ``close_code`` is the server's, if it sent one.

    ``http_status`` is that of a refused handshake: 429 asks for a long wait.
    """

    kind: EndKind
    close_code: int | None
    reason: str
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """The account of a token, and its expiry; ``segments`` are the broker's names of what may be traded."""

    client_id: str
    token_valid_until: datetime | None
    segments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Net:
    """What an account holds: units by line, negative for short ones.

    ``multipliers`` and ``result``, the day's, are what the positions show besides; the result is None if they do not.
    """

    units: Mapping[LineKey, int]
    multipliers: Mapping[InstrumentKey, Decimal]
    result: Result | None = None


T = TypeVar("T", covariant=True)  # noqa: PLC0105 (as in outcomes.py)


class PendingRequest(Protocol[T]):
    """A request that was begun."""

    @property
    def is_under_way(self) -> bool:
        """Whether the request was sent, so that :meth:`advance` can read the reply. Else :meth:`outcome` sends it."""
        ...

    @property
    def deadline(self) -> float:
        """When waiting for the reply ends; seconds of :func:`time.monotonic`."""
        ...

    def fileno(self) -> int:
        """Return the file descriptor that becomes readable when the reply arrives."""
        ...

    def advance(self, now: float) -> Outcome[T] | None:
        """Read without waiting; return the outcome if it is known or the deadline has passed, else None."""
        ...

    def outcome(self) -> Outcome[T]:
        """Wait for the outcome. Call it once."""
        ...


class OrderGateway(Protocol):
    """Sends one account's orders. Methods may be called from any thread; each request is made once."""

    def place(self, order: NewOrder) -> PendingRequest[Placed]:
        """Begin to place an order. Raises ValueError if a number cannot be sent exactly; nothing is sent then."""
        ...

    def modify(self, order_id: str, change: OrderChange) -> PendingRequest[Placed]:
        """Begin to change a resting order. Raises ValueError as ``place`` does."""
        ...

    def cancel(self, order_id: str) -> PendingRequest[Cancelled]:
        """Begin to cancel a resting order."""
        ...

    def warm(self, connections: int, fresh_for: float = 0.0) -> int:
        """Open connections that stay ready for ``fresh_for`` seconds; return how many are ready. It may block."""
        ...

    def is_warm(self, connections: int, fresh_for: float = 0.0) -> bool:
        """Whether all of them are ready. It does not block."""
        ...

    def take_token(self, access_token: SecretStr) -> None:
        """Use another token from the next request on."""
        ...

    def close(self) -> None:
        """Close every connection; requests under way end as unknown."""
        ...


class AccountReader(Protocol):
    """Reads one account. Each method blocks until its outcome is known; one thread calls them."""

    @property
    def known_skew(self) -> float | None:
        """Seconds to add to our time to get the broker's, None before the first reply."""
        ...

    def orders(self) -> Outcome[OrderBook]:
        """Read all orders of the day."""
        ...

    def search(self, correlation_id: str) -> Outcome[tuple[Order, ...]]:
        """Read the orders that were placed with a correlation id. Accepted without orders proves that there is none."""
        ...

    def net(self, *, holdings: bool) -> Generator[None, None, Outcome[Net]]:
        """Read what the account holds, with ``holdings`` the shares in the depository too.

        It yields before each request but the first, so that the caller can spread them.
        """
        ...

    def funds(self) -> Outcome[Funds]:
        """Read the account's funds."""
        ...

    def result(self) -> Outcome[Result]:
        """Read the account's profit or loss of the day."""
        ...

    def take_token(self, access_token: SecretStr) -> None:
        """Use another token from the next request on."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


#: Takes what one frame said about orders, and when it arrived: seconds of :func:`time.monotonic`.
Deliver = Callable[[Sequence[Told], float], None]


class FeedConnection(Protocol):
    """A source of order updates that has logged in. One thread at a time calls ``look``; any may call ``close``."""

    @property
    def due(self) -> float:
        """When to call ``look`` although nothing has arrived; seconds of :func:`time.monotonic`."""
        ...

    def fileno(self) -> int:
        """Return the file descriptor that becomes readable when something arrives."""
        ...

    def look(self, deliver: Deliver, now: float) -> FeedEnded | None:
        """Deliver what has arrived, without waiting; return the end if the connection has ended, else None.

        An exception of ``deliver`` ends the connection and is raised.
        """
        ...

    def close(self) -> None:
        """End the connection now; a waiting thread is woken and reads the end."""
        ...

    def release(self) -> None:
        """Free the connection's resources. Do not call ``look`` afterwards."""
        ...


class OrderUpdateSource(Protocol):
    """Where one account's order updates come from."""

    def connect(self, token: SecretStr) -> FeedConnection | FeedEnded:
        """Connect and log in. It blocks for some seconds at most."""
        ...


class TokenService(Protocol):
    """Checks, renews and gets one account's token. Each method blocks until its outcome is known; for one thread."""

    def check(self, token: SecretStr) -> Outcome[Profile]:
        """Find out whether a token works, and is this account's."""
        ...

    def renew(self, token: SecretStr) -> Outcome[Token]:
        """Replace a token by a new one."""
        ...

    def log_in(self, pin: SecretStr, totp_secret: SecretStr, at: datetime) -> Outcome[Token]:
        """Get a token for the account's credentials; ``at`` is the time of the TOTP code."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


class BrokerAccount(Protocol):
    """One account at one broker. Each call opens connections of its own, which have no token before ``take_token``."""

    def gateway(self) -> OrderGateway:
        """Return the sender of the account's orders."""
        ...

    def reader(self) -> AccountReader:
        """Return the reader of the account."""
        ...

    def updates(self) -> OrderUpdateSource:
        """Return the source of the account's order updates."""
        ...

    def tokens(self) -> TokenService:
        """Return the service for the account's token."""
        ...
