"""What every adapter of a broker offers: all that actors may know of one.

An account is reached in three ways: an :class:`OrderGateway` sends its orders, an :class:`AccountReader` reads it, and
an :class:`OrderUpdateSource` tells of its orders as they change. A :class:`TokenService` gets the token that all three
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
    """What a resting order is to be, in full. ``quantity`` is the order's total, what is filled already included."""

    order_type: OrderType
    quantity: int
    price: Decimal = ZERO
    validity: Validity = Validity.DAY
    trigger_price: Decimal = ZERO
    disclosed_quantity: int = 0


@dataclass(frozen=True, slots=True)
class Placed:
    """The broker took the order (or its change). ``status`` is its first word on it, None if not one we know."""

    order_id: str
    status: Status | None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The broker took the cancellation. ``status`` is None if the reply was empty; only a read tells the end."""

    order_id: str
    status: Status | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something the broker sent that cannot be relied on. ``excerpt`` is its beginning, safe to log.

    The ids are those that can be read all the same, "" for none; ``correlation_id`` is None where that cannot be read.
    """

    where: str
    what: str
    excerpt: str
    order_id: str = ""
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Foreign:
    """An order that is said to be another account's, whatever else is said of it."""

    where: str
    client_id: str


#: What one frame or row can tell of; None is what says nothing of any order that is at the exchange.
Told = Order | Unreadable | Foreign


@dataclass(frozen=True, slots=True)
class OrderBook:
    """The day's orders: those that could be read, and what could not. ``read_from`` is when the request began.

    ``foreign`` are the rows that are said to be another account's; nothing else is made of them.

    An order whose row is as it was at the read before is the same object, with the ``observed_at`` that it had.
    """

    orders: tuple[Order, ...]
    unreadable: tuple[Unreadable, ...]
    read_from: datetime
    foreign: tuple[Foreign, ...] = ()


class EndKind(StrEnum):
    """How a connection ended."""

    REFUSED = "refused"  #: it never began: no connection, or no handshake
    CLOSED = "closed"  #: the server said so, with a close frame
    RESET = "reset"  #: the connection broke
    SILENT = "silent"  #: nothing came, not even an answer to a ping
    STOPPED = "stopped"  #: we closed it

    @property
    def is_ours(self) -> bool:
        """Whether we ended it, and not the broker or the network."""
        return self is EndKind.STOPPED


@dataclass(frozen=True, slots=True)
class FeedEnded:
    """There is no connection, or no more. ``close_code`` is the server's, if it gave one.

    ``http_status`` is what it refused a handshake with: 429 asks for a long wait.
    """

    kind: EndKind
    close_code: int | None
    reason: str
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """Whose token this is and until when it is valid; ``segments`` are the broker's words for what may be traded."""

    client_id: str
    token_valid_until: datetime | None
    segments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Net:
    """What an account holds: units by line, short ones negative, and the multipliers that its positions tell of."""

    units: Mapping[LineKey, int]
    multipliers: Mapping[InstrumentKey, Decimal]


T = TypeVar("T", covariant=True)  # noqa: PLC0105 (as in outcomes.py)


class PendingRequest(Protocol[T]):
    """A request that was begun, and its reply."""

    @property
    def is_under_way(self) -> bool:
        """Whether only the reply is missing: :meth:`advance` can read it. Else :meth:`outcome` has more to do."""
        ...

    @property
    def deadline(self) -> float:
        """When waiting for the reply ends; seconds of :func:`time.monotonic`."""
        ...

    def fileno(self) -> int:
        """Return the number of what can be read once there is something of the reply."""
        ...

    def advance(self, now: float) -> Outcome[T] | None:
        """Read what has come, without waiting; return the outcome once it is known, or the deadline has passed."""
        ...

    def outcome(self) -> Outcome[T]:
        """Wait for the outcome; to be asked once."""
        ...


class OrderGateway(Protocol):
    """Sends one account's orders. Methods may be called from any thread; each request is made once."""

    def place(self, order: NewOrder) -> PendingRequest[Placed]:
        """Begin to place an order. Raises ValueError where it cannot be said exactly; nothing is sent then."""
        ...

    def modify(self, order_id: str, change: OrderChange) -> PendingRequest[Placed]:
        """Begin to change a resting order. Raises ValueError as ``place`` does."""
        ...

    def cancel(self, order_id: str) -> PendingRequest[Cancelled]:
        """Begin to cancel a resting order."""
        ...

    def warm(self, connections: int, fresh_for: float = 0.0) -> int:
        """Have so many connections ready that stay so for so many seconds; return how many are. It may wait."""
        ...

    def is_warm(self, connections: int, fresh_for: float = 0.0) -> bool:
        """Whether they all are ready; waits for nothing."""
        ...

    def take_token(self, access_token: SecretStr) -> None:
        """Use another token from the next request on."""
        ...

    def close(self) -> None:
        """End every connection; what is under way ends as unknown."""
        ...


class AccountReader(Protocol):
    """Reads one account. Each method blocks until its outcome is known; one thread calls them."""

    @property
    def known_skew(self) -> float | None:
        """Seconds to add to our time to have the broker's, None while no reply has told."""
        ...

    def orders(self) -> Outcome[OrderBook]:
        """Read all orders of the day."""
        ...

    def search(self, correlation_id: str) -> Outcome[tuple[Order, ...]]:
        """Read the orders that were placed with an id. Accepted with none says that there is none."""
        ...

    def net(self, *, holdings: bool) -> Generator[None, None, Outcome[Net]]:
        """Read what the account holds, ``holdings`` in the depository too.

        It takes one request or several, and stops before each but the first, so that they can be spread.
        """
        ...

    def funds(self) -> Outcome[Funds]:
        """Read what the account has to trade with."""
        ...

    def result(self) -> Outcome[Result]:
        """Read what the account has made of the day."""
        ...

    def take_token(self, access_token: SecretStr) -> None:
        """Use another token from the next request on."""
        ...

    def close(self) -> None:
        """End every connection."""
        ...


#: Takes what was told of orders at once, and when it came: seconds of :func:`time.monotonic`.
Deliver = Callable[[Sequence[Told], float], None]


class FeedConnection(Protocol):
    """A source of order updates that has logged in. One thread at a time calls ``look``; any may call ``close``."""

    @property
    def due(self) -> float:
        """When to look again although nothing has come; seconds of :func:`time.monotonic`."""
        ...

    def fileno(self) -> int:
        """Return the number of what can be read once something has come."""
        ...

    def look(self, deliver: Deliver, now: float) -> FeedEnded | None:
        """Deliver what has come, without waiting for more; return the end, if it has come to that.

        What ``deliver`` raises ends the connection and is raised on.
        """
        ...

    def close(self) -> None:
        """End the connection now; whoever waits finds the end to read."""
        ...

    def release(self) -> None:
        """Give back what the connection holds; nobody may look any more."""
        ...


class OrderUpdateSource(Protocol):
    """Where one account's order updates come from."""

    def connect(self, token: SecretStr) -> FeedConnection | FeedEnded:
        """Connect and log in; blocks for some seconds at most."""
        ...


class TokenService(Protocol):
    """Asks about one account's token. Each method blocks until its outcome is known; one thread calls them."""

    def check(self, token: SecretStr) -> Outcome[Profile]:
        """Find out whether a token works, and is this account's."""
        ...

    def renew(self, token: SecretStr) -> Outcome[Token]:
        """Have a token replaced by another one."""
        ...

    def log_in(self, pin: SecretStr, totp_secret: SecretStr, at: datetime) -> Outcome[Token]:
        """Get a token for the account's credentials; ``at`` is the time by which the code is made."""
        ...

    def close(self) -> None:
        """End every connection."""
        ...


class BrokerAccount(Protocol):
    """One account at one broker. Each call returns connections of their own, that have no token until they are told."""

    def gateway(self) -> OrderGateway:
        """Return what sends the account's orders."""
        ...

    def reader(self) -> AccountReader:
        """Return what reads the account."""
        ...

    def updates(self) -> OrderUpdateSource:
        """Return where the account's order updates come from."""
        ...

    def tokens(self) -> TokenService:
        """Return what asks about the account's token."""
        ...
