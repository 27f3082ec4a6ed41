"""The broker's REST interface for one account: one method per request, one attempt each, typed outcomes.

No method raises for a fault of the broker or the network. Every outcome carries the
:class:`~copytrade.brokers.outcomes.HttpExchange` for the audit trail.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Generic, TypeVar

from pydantic import SecretStr

from copytrade.brokers.api import Cancelled, Foreign, NewOrder, OrderBook, OrderChange, Placed, Profile, Unreadable
from copytrade.brokers.dhan.accounts import (
    FundLimit,
    Holding,
    Position,
    Trade,
    read_addresses,
    read_fund_limit,
    read_holding,
    read_position,
    read_profile,
    read_trade,
)
from copytrade.brokers.dhan.decode import STATUSES, read_row
from copytrade.brokers.dhan.family_rows import read_forever_row, read_super_row
from copytrade.brokers.dhan.json_values import Fields, UnreadableError
from copytrade.brokers.dhan.order_book_cache import OrderRows
from copytrade.brokers.dhan.requests import Builders
from copytrade.brokers.dhan.responses import Answer, exchange_of, judge, rows_of
from copytrade.brokers.families import (
    ForeverOrder,
    ForeverOrderBook,
    NewSuperOrder,
    SuperChange,
    SuperOrder,
    SuperOrderBook,
)
from copytrade.brokers.http.client import Lost, NotSent, Reply, Request, Transport
from copytrade.brokers.outcomes import Accepted, Outcome, Refused, Unknown
from copytrade.common import wall_clock
from copytrade.core.model.accounts import IpAddresses
from copytrade.core.model.orders import IST, Leg, Order

T = TypeVar("T")

_NO_HOLDINGS = frozenset({"DHOLDING_ERROR", "DH-1111"})


class Call(Generic[T]):
    """A ``PendingRequest``: under way if a connection was ready for it."""

    def __init__(self, transport: Transport, request: Request, read: Callable[[Answer], Outcome[T]]) -> None:
        self._transport = transport
        self._request = request
        self._read = read
        self._begun = transport.begin(request)

    @property
    def is_under_way(self) -> bool:
        """Whether the request was sent, so that :meth:`advance` can read the reply."""
        return self._begun.is_under_way

    @property
    def deadline(self) -> float:
        """When waiting for the reply ends; seconds of :func:`time.monotonic`."""
        return self._begun.deadline

    def fileno(self) -> int:
        """Return the file descriptor of the socket for the reply, -1 if it is closed."""
        return self._begun.connection.fileno() if self._begun.connection else -1

    def advance(self, now: float) -> Outcome[T] | None:
        """Read without waiting; return the outcome if it is known or the deadline has passed, else None."""
        sent = self._transport.advance(self._begun, now)
        return None if sent is None else self._judged(sent)

    def outcome(self) -> Outcome[T]:
        """Wait for the outcome. Call it once."""
        return self._judged(self._transport.finish(self._begun))

    def _judged(self, sent: Reply | NotSent | Lost) -> Outcome[T]:
        answer = judge(self._request, sent)
        return self._read(answer) if isinstance(answer, Answer) else answer


class DhanRest:
    """One account's requests. Methods may be called from any thread.

    A read blocks until its outcome is known. An order request returns at once, and the caller asks for its outcome.
    """

    def __init__(self, transport: Transport, client_id: str) -> None:
        self._transport = transport
        self._client_id = client_id
        self._build = Builders(client_id)
        self._order_rows = OrderRows(client_id)

    def warm(self, connections: int, fresh_for: float = 0.0) -> int:
        """Open connections that stay ready for ``fresh_for`` seconds; return how many are ready."""
        return self._transport.warm(connections, fresh_for)

    def is_warm(self, connections: int, fresh_for: float = 0.0) -> bool:
        """Whether all of them are ready and stay so. It does not block."""
        return self._transport.is_warm(connections, fresh_for)

    def take_token(self, access_token: SecretStr) -> None:
        """Use another token from the next request on."""
        self._transport.take_token(access_token)

    @property
    def skew(self) -> float:
        """Seconds to add to our time to get the broker's, measured by its replies; 0 before the first."""
        return self._transport.server_clock.skew

    @property
    def known_skew(self) -> float | None:
        """The same, but None before the first reply."""
        clock = self._transport.server_clock
        return clock.skew if clock.is_known else None

    def close(self) -> None:
        """Close every connection; requests under way end as unknown."""
        self._transport.close()

    def place(self, order: NewOrder) -> Call[Placed]:
        """Place an order: POST /orders. The request is under way when this returns, if a connection was ready.

        Raises ValueError if a price has more digits than a JSON number carries exactly; nothing is sent then.
        """
        return Call(self._transport, self._build.place(order), lambda answer: _placed(answer, None))

    def modify(self, order_id: str, change: OrderChange) -> Call[Placed]:
        """Change a resting order: PUT /orders/{id}. The change states all parameters.

        Sent at once as in ``place``, and raises ValueError as it does.
        """
        return Call(self._transport, self._build.modify(order_id, change), lambda answer: _placed(answer, order_id))

    def cancel(self, order_id: str) -> Call[Cancelled]:
        """Cancel a resting order: DELETE /orders/{id}. An empty reply 2xx is an acceptance. Sent at once, too."""
        return Call(self._transport, self._build.cancel(order_id), lambda answer: _cancelled(answer, order_id))

    def place_super(self, order: NewSuperOrder) -> Call[Placed]:
        """Place a super order: POST /super/orders. Sent at once as in ``place``, and raises ValueError as it does."""
        return Call(self._transport, self._build.place_super(order), lambda answer: _placed(answer, None))

    def modify_super(self, order_id: str, change: SuperChange) -> Call[Placed]:
        """Change a leg: PUT /super/orders/{entry}. Sent at once as in ``place``, and raises ValueError as it does."""
        request = self._build.modify_super(order_id, change)
        return Call(self._transport, request, lambda answer: _placed(answer, order_id))

    def cancel_super(self, order_id: str, leg: Leg) -> Call[Cancelled]:
        """Cancel a leg: DELETE /super/orders/{entry}/{leg}; the entry's cancels all. Sent at once, too."""
        return Call(
            self._transport, self._build.cancel_super(order_id, leg), lambda answer: _cancelled(answer, order_id)
        )

    def super_orders(self) -> Outcome[SuperOrderBook]:
        """Read the day's super orders: GET /super/orders."""
        began = wall_clock.now().astimezone(IST)
        rows = self._rows(self._build.super_orders())
        if not isinstance(rows, Accepted):
            return rows
        read = [read_super_row(row, self._client_id, began) for row in rows.value]
        found = tuple(row for row in read if isinstance(row, SuperOrder))
        return Accepted(SuperOrderBook(found, *_others(read, began)), exchange=rows.exchange)

    def forever_orders(self) -> Outcome[ForeverOrderBook]:
        """Read the forever orders: GET /forever/orders."""
        began = wall_clock.now().astimezone(IST)
        rows = self._rows(self._build.forever_orders())
        if not isinstance(rows, Accepted):
            return rows
        read = [read_forever_row(row, self._client_id) for row in rows.value]
        found = tuple(row for row in read if isinstance(row, ForeverOrder))
        return Accepted(ForeverOrderBook(found, *_others(read, began)), exchange=rows.exchange)

    def order(self, order_id: str) -> Outcome[Order]:
        """Read one order: GET /orders/{id}, answered with an object or a list of one."""
        found = self._read_orders(self._build.order(order_id))
        if not isinstance(found, Accepted):
            return found
        match found.value:
            case (order,) if order.id == order_id:
                return Accepted(order, exchange=found.exchange)
        return Unknown("the reply is not about this one order", exchange=found.exchange)

    def order_by_correlation_id(self, correlation_id: str) -> Outcome[tuple[Order, ...]]:
        """Read the orders placed with this id: GET /orders/external/{id}.

        Accepted without orders proves that there is none. A refusal ("not found" included) does not.
        """
        found = self._read_orders(self._build.order_by_correlation_id(correlation_id))
        if isinstance(found, Accepted) and any(order.correlation_id != correlation_id for order in found.value):
            return Unknown("the reply is about another correlation id", exchange=found.exchange)
        return found

    def orders(self) -> Outcome[OrderBook]:
        """Read the day's order book: GET /orders."""
        began = wall_clock.now().astimezone(IST)
        request = self._build.orders()
        sent = self._transport.send(request)
        read = self._order_rows.read(raw_rows, began) if (raw_rows := rows_of(sent)) else None
        if read is None:
            rows = _listed(judge(request, sent))
            if not isinstance(rows, Accepted):
                return rows
            read = [read_row(row, self._client_id, began) for row in rows.value]
        book = OrderBook(
            orders=tuple(order for order in read if isinstance(order, Order)),
            unreadable=tuple(row for row in read if isinstance(row, Unreadable)),
            read_from=began,
            foreign=tuple(row for row in read if isinstance(row, Foreign)),
        )
        return Accepted(book, exchange=exchange_of(request, sent))

    def trades(self) -> Outcome[tuple[Trade, ...]]:
        """Read the day's fills: GET /trades. A row that cannot be read makes the whole answer unknown."""
        return _each(self._rows(self._build.trades()), read_trade)

    def positions(self) -> Outcome[tuple[Position, ...]]:
        """Read the day's positions: GET /positions. A row that cannot be read makes the whole answer unknown."""
        return _each(self._rows(self._build.positions()), read_position)

    def holdings(self) -> Outcome[tuple[Holding, ...]]:
        """Read the holdings: GET /holdings. For an account without any the broker returns an error, read as none."""
        rows = self._rows(self._build.holdings())
        if _says_no_holdings(rows):
            return Accepted((), exchange=rows.exchange)
        return _each(rows, read_holding)

    def fund_limit(self) -> Outcome[FundLimit]:
        """Read the funds: GET /fundlimit."""
        return self._read_object(self._build.fund_limit(), read_fund_limit)

    def profile(self) -> Outcome[Profile]:
        """Read the profile: GET /profile. The cheapest proof that the token works."""
        return self._read_object(self._build.profile(), read_profile)

    def addresses(self) -> Outcome[IpAddresses]:
        """Read the registered addresses: GET /ip/getIP."""
        return self._read_object(self._build.addresses(), read_addresses)

    def _ask(self, request: Request) -> Answer | Refused | Unknown:
        return judge(request, self._transport.send(request))

    def _rows(self, request: Request) -> Outcome[list[object]]:
        return _listed(self._ask(request))

    def _read_orders(self, request: Request) -> Outcome[tuple[Order, ...]]:
        """Decode an object or a list of orders, all of which must be readable."""
        began = wall_clock.now().astimezone(IST)
        answer = self._ask(request)
        if not isinstance(answer, Answer):
            return answer
        rows = answer.document if isinstance(answer.document, list) else [answer.document]
        orders = []
        for row in rows:
            order = read_row(row, self._client_id, began)
            if isinstance(order, Unreadable):
                return Unknown(f"an order cannot be read: {order.what}", exchange=answer.exchange)
            if isinstance(order, Order):
                orders.append(order)
        return Accepted(tuple(orders), exchange=answer.exchange)

    def _read_object(self, request: Request, read: Callable[[Fields], T]) -> Outcome[T]:
        answer = self._ask(request)
        if not isinstance(answer, Answer):
            return answer
        if not isinstance(answer.document, dict):
            return Unknown("the reply is not an object", exchange=answer.exchange)
        try:
            return Accepted(read(Fields(answer.document)), exchange=answer.exchange)
        except UnreadableError as error:
            return Unknown(f"the reply cannot be read: {error}", exchange=answer.exchange)


def _others(read: Sequence[object], began: datetime) -> tuple[tuple[Unreadable, ...], datetime, tuple[Foreign, ...]]:
    """Return what a book of families has after its orders."""
    unreadable = tuple(row for row in read if isinstance(row, Unreadable))
    return unreadable, began, tuple(row for row in read if isinstance(row, Foreign))


def _listed(answer: Answer | Refused | Unknown) -> Outcome[list[object]]:
    if not isinstance(answer, Answer):
        return answer
    if not isinstance(answer.document, list):
        return Unknown("the reply is not a list", exchange=answer.exchange)
    return Accepted(answer.document, exchange=answer.exchange)


def _placed(answer: Answer, order_id: str | None) -> Outcome[Placed]:
    """Read {orderId, orderStatus}, alone or in a list of one; with ``order_id``, it must be about that order."""
    document = answer.document
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    if not isinstance(document, dict):
        return Unknown("the reply is empty" if answer.empty else "the reply is not an object", exchange=answer.exchange)
    fields = Fields(document)
    try:
        found = fields.required_identifier("orderid")
        word = fields.text("orderstatus").upper()
    except UnreadableError as error:
        return Unknown(f"the reply cannot be read: {error}", exchange=answer.exchange)
    if order_id not in (None, found):
        return Unknown("the reply is about another order", exchange=answer.exchange)
    return Accepted(Placed(found, STATUSES.get(word)), exchange=answer.exchange)


def _cancelled(answer: Answer, order_id: str) -> Outcome[Cancelled]:
    if answer.empty:
        return Accepted(Cancelled(order_id, None), exchange=answer.exchange)
    placed = _placed(answer, order_id)
    if isinstance(placed, Accepted):
        return Accepted(Cancelled(order_id, placed.value.status), exchange=answer.exchange)
    return placed


def _each(rows: Outcome[list[object]], read: Callable[[Fields], T | None]) -> Outcome[tuple[T, ...]]:
    """Decode every row; rows for which ``read`` returns None are left out."""
    if not isinstance(rows, Accepted):
        return rows
    try:
        found = [read(_row_fields(row)) for row in rows.value]
        return Accepted(tuple(one for one in found if one is not None), exchange=rows.exchange)
    except UnreadableError as error:
        return Unknown(f"a row cannot be read: {error}", exchange=rows.exchange)


def _row_fields(row: object) -> Fields:
    if not isinstance(row, dict):
        raise UnreadableError("not an object")
    return Fields(row)


def _says_no_holdings(rows: Outcome[list[object]]) -> bool:
    if isinstance(rows, Refused):
        return rows.code in _NO_HOLDINGS
    return isinstance(rows, Unknown) and any(code in rows.cause for code in _NO_HOLDINGS)
