"""The broker's REST v2 and its order-update socket as one ASGI application."""

import asyncio
import json
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from copytrade.paper.exchange.instruments import master_csv
from copytrade.paper.exchange.matching import Exchange, PaperAccount
from copytrade.paper.exchange.orders import PaperOrder, Refusal, input_error, order_error
from copytrade.paper.exchange.validation import read_change, read_ticket
from copytrade.paper.server import wire
from copytrade.paper.server.account_status import AccountStatuses
from copytrade.paper.server.connections import Connections
from copytrade.paper.server.family_routes import FamilyRoutes, Handler
from copytrade.paper.server.faults import Faults, Kind, Mischief, RestFault
from copytrade.paper.server.feeds import Feeds
from copytrade.paper.server.forever_routes import ForeverRoutes
from copytrade.paper.server.rewriting import Fields, Told
from copytrade.paper.server.rows import Rows
from copytrade.paper.server.showing import Showing
from copytrade.paper.server.tokens import EXPIRED, LoginRefused, Tokens

_TOO_MANY = Refusal(
    429,
    "DH-904",
    "Rate_Limit",
    "Too many requests on server from single user breaching rate limits. Try throttling API calls.",
)

_WRITES = (Kind.PLACE, Kind.MODIFY, Kind.CANCEL)

#: Kinds of requests that are executed even if the answer is lost.
_CARRIED_OUT = (Mischief.NONE, Mischief.TRUNCATE, Mischief.HIDE)


@dataclass(slots=True)
class ReceivedWrite:
    """An order request as received: the broker's own record.

    ``at`` is when its first byte arrived in monotonic seconds, ``wall`` the same moment in UTC. ``order_id`` is the
    order it was about; of a placement, the order that it made. ``status`` is the broker's verdict, 0 if a fault kept
    the request from it; ``answered`` is the status that was sent, 0 if none was.
    """

    at: float
    wall: datetime
    kind: Kind
    order_id: str
    payload: Mapping[str, object]
    status: int = 0
    answered: int = 0

    @property
    def correlation_id(self) -> str:
        """The correlation id of a placement, "" without one."""
        return str(self.payload.get("correlationId") or "")


@dataclass(slots=True)
class ReceivedRead:
    """A read as received: ``at`` is monotonic seconds, ``answered`` the status that was sent, 0 if none was."""

    at: float
    path: str
    answered: int = 0


class BrokerServer:
    """Answers requests. Runs on one loop; nothing in it is thread-safe."""

    def __init__(
        self,
        exchange: Exchange,
        feeds: Feeds,
        faults: Faults,
        connections: Connections,
        account_statuses: AccountStatuses,
        tokens: Tokens,
        showing: Showing,
        families: FamilyRoutes,
        forever: ForeverRoutes,
        master_rows: int,
        per_second: int,
    ) -> None:
        self._exchange = exchange
        self._account_statuses = account_statuses
        self._tokens = tokens
        self._feeds = feeds
        self._faults = faults
        self._showing = showing
        self._families = families
        self._forever = forever
        self._connections = connections
        self._master_rows = master_rows
        self._per_second = per_second
        self._rows = Rows()
        self._recent: dict[str, deque[float]] = defaultdict(deque)
        self.writes: dict[str, list[ReceivedWrite]] = defaultdict(list)
        self.reads: dict[str, list[ReceivedRead]] = defaultdict(list)

    def app(self, more: Sequence[BaseRoute] = ()) -> Starlette:
        """Return the ASGI application, with additional routes."""
        return Starlette(
            routes=[
                self._route("/orders", "POST", Kind.PLACE, self._place),
                self._route("/orders/{order_id}", "PUT", Kind.MODIFY, self._modify),
                self._route("/orders/{order_id}", "DELETE", Kind.CANCEL, self._cancel),
                self._route("/orders", "GET", Kind.READ, self._orders),
                self._route("/orders/external/{correlation_id}", "GET", Kind.READ, self._by_correlation_id),
                self._route("/orders/{order_id}", "GET", Kind.READ, self._order),
                *self._families.routes(self._route),
                *self._forever.routes(self._route),
                self._route("/trades", "GET", Kind.READ, self._trades),
                self._route("/trades/{order_id}", "GET", Kind.READ, self._trades),
                self._route("/positions", "GET", Kind.READ, self._positions),
                self._route("/holdings", "GET", Kind.READ, self._holdings),
                self._route("/fundlimit", "GET", Kind.READ, self._fund_limit),
                self._route("/ip/getIP", "GET", Kind.READ, self._addresses),
                self._route("/profile", "GET", Kind.TOKEN, self._profile),
                self._route("/RenewToken", "GET", Kind.TOKEN, self._renew),
                Route("/app/generateAccessToken", self._log_in, methods=["POST"]),
                Route("/instruments.csv", self._master),
                WebSocketRoute("/", self._feeds.serve),
                *more,
            ]
        )

    def _route(self, path: str, method: str, kind: Kind, handler: Handler) -> Route:
        async def endpoint(request: Request) -> Response:
            response = await answer(request)
            response.headers["date"] = self._account_statuses.date(time.time())
            return response

        async def answer(request: Request) -> Response:
            arrived = self._connections.arrived(request)
            try:
                account = self._account(request)
            except Refusal as refusal:
                return Response(msgspec.json.encode(wire.error(refusal)), refusal.status, media_type="application/json")
            payload = _payload(await request.body())
            wall = datetime.now(UTC) - timedelta(seconds=time.monotonic() - arrived)
            write = ReceivedWrite(arrived, wall, kind, request.path_params.get("order_id", ""), payload)
            read = ReceivedRead(arrived, request.url.path.removeprefix("/v2"))
            if kind in _WRITES:
                self.writes[account.client_id].append(write)
            elif kind is Kind.READ:
                self.reads[account.client_id].append(read)

            def handle() -> tuple[int, object]:
                return self._handle(request, account, write, handler)

            if fault := self._faults.take(account.client_id, kind, request.url.path, payload):
                response = await self._misbehave(fault, handle, request, write)
            else:
                response = _answer(*handle(), write)
            read.answered = write.answered
            return response

        return Route(f"/v2{path}", endpoint, methods=[method])

    def _account(self, request: Request) -> PaperAccount:
        """Return the account of the token. Raises Refusal. Not every client sends the header with the client id."""
        client_id = self._tokens.owner(request.headers.get("access-token", ""))
        account = self._exchange.account(client_id)
        if account is None or request.headers.get("client-id") not in (None, client_id):
            raise EXPIRED
        return account

    def _handle(
        self, request: Request, account: PaperAccount, write: ReceivedWrite, handler: Handler
    ) -> tuple[int, object]:
        try:
            if write.kind in _WRITES:
                self._count(account, write.at)
                if write.payload.get("dhanClientId", account.client_id) != account.client_id:
                    raise input_error("Invalid dhanClientId")
                self._account_statuses.of(account.client_id).check_address(_address(request))
            status, answer = handler(request, account, write.payload)
        except Refusal as refusal:
            status, answer = refusal.status, wire.error(refusal)
        write.status = status
        if write.kind is Kind.PLACE and isinstance(answer, dict):
            write.order_id = answer.get("orderId", "")
        return status, answer

    async def _misbehave(
        self, fault: RestFault, handle: Callable[[], tuple[int, object]], request: Request, write: ReceivedWrite
    ) -> Response:
        await asyncio.sleep(fault.delay)
        status, answer = handle() if fault.accepted or fault.mischief in _CARRIED_OUT else (0, "")
        match fault.mischief:
            case Mischief.NONE:
                return _answer(status, answer, write)
            case Mischief.HIDE:
                self._showing.hide(write.order_id, fault.hidden)
                return _answer(status, answer, write)
            case Mischief.SWALLOW:
                write.order_id = write.order_id or self._exchange.next_id()
                words = {"orderId": write.order_id, "orderStatus": "TRANSIT"}
                return _answer(202 if write.kind is Kind.CANCEL else 200, words, write)
            case Mischief.ANSWER:
                write.answered = fault.status
                return Response(fault.body, fault.status, media_type=fault.content_type)
            case Mischief.TRUNCATE:
                write.answered = status
                whole = msgspec.json.encode(answer)
                response = Response(whole[: len(whole) // 2], status, media_type="application/json")
                response.headers["content-length"] = str(len(whole))
                return response
            case Mischief.RESET:
                self._connections.reset(request)
            case Mischief.HANG:
                await asyncio.sleep(3600)
        return Response(status_code=500)

    def _count(self, account: PaperAccount, now: float) -> None:
        recent = self._recent[account.client_id]
        while recent and recent[0] <= now - 1.0:
            recent.popleft()
        if len(recent) >= self._per_second:
            raise _TOO_MANY
        recent.append(now)

    def _place(self, _request: Request, account: PaperAccount, payload: Mapping[str, object]) -> tuple[int, object]:
        ticket = read_ticket(payload, self._exchange.instruments)
        self._account_statuses.of(account.client_id).check_segment(ticket.instrument.segment)
        order = self._exchange.place(account.client_id, ticket)
        return 200, {"orderId": order.id, "orderStatus": "TRANSIT"}

    def _modify(self, request: Request, account: PaperAccount, payload: Mapping[str, object]) -> tuple[int, object]:
        order = self._exchange.order(account.client_id, request.path_params["order_id"])
        self._exchange.modify(order, read_change(payload, order))
        return 200, {"orderId": order.id, "orderStatus": "TRANSIT"}

    def _cancel(self, request: Request, account: PaperAccount, _payload: Mapping[str, object]) -> tuple[int, object]:
        order = self._exchange.order(account.client_id, request.path_params["order_id"])
        self._exchange.cancel(order)
        return 202, {"orderId": order.id, "orderStatus": "CANCELLED"}

    def _orders(self, _request: Request, account: PaperAccount, _payload: Mapping[str, object]) -> tuple[int, object]:
        rows: list[object] = [self._rows.order(order) for order in self._visible(account)]
        rows += self._families.dormant_rows(account.client_id)
        if self._showing.is_plain(Told.ROW, account.client_id):
            return 200, rows
        return 200, self._showing.rows(
            Told.ROW, account.client_id, [msgspec.json.decode(msgspec.json.encode(row)) for row in rows]
        )

    def _order(self, request: Request, account: PaperAccount, _payload: Mapping[str, object]) -> tuple[int, object]:
        shown = self._showing.order(self._exchange.order(account.client_id, request.path_params["order_id"]))
        if shown is None:
            raise order_error("Order not found")
        return 200, [self._told(shown)]

    def _by_correlation_id(
        self, request: Request, account: PaperAccount, _payload: Mapping[str, object]
    ) -> tuple[int, object]:
        wanted = request.path_params["correlation_id"]
        return 200, [self._told(order) for order in self._visible(account) if order.correlation_id == wanted]

    def _trades(self, request: Request, account: PaperAccount, _payload: Mapping[str, object]) -> tuple[int, object]:
        wanted = request.path_params.get("order_id")
        orders = (order for order in self._visible(account) if wanted in (None, order.id))
        rows = [fill for order in orders for fill in self._rows.trades(order)]
        if self._showing.is_plain(Told.TRADE, account.client_id):
            return 200, rows
        return 200, self._showing.rows(Told.TRADE, account.client_id, [msgspec.json.decode(row) for row in rows])

    def _positions(
        self, _request: Request, account: PaperAccount, _payload: Mapping[str, object]
    ) -> tuple[int, object]:
        prices, client_id = self._exchange.prices, account.client_id
        shown = self._showing.positions(client_id, self._exchange.positions(client_id))
        rows = [wire.position(client_id, held, prices[held.instrument.key]) for held in shown]
        return 200, self._showing.rows(Told.POSITION, client_id, rows)

    def _holdings(self, _request: Request, account: PaperAccount, _payload: Mapping[str, object]) -> tuple[int, object]:
        held = self._exchange.portfolio(account.client_id).holdings.values()
        rows = self._showing.rows(Told.HOLDING, account.client_id, [wire.holding(share) for share in held])
        if not rows:
            raise Refusal(400, "DH-1111", "HOLDING_ERROR", "No holdings available")
        return 200, rows

    def _fund_limit(
        self, _request: Request, account: PaperAccount, _payload: Mapping[str, object]
    ) -> tuple[int, object]:
        funds = wire.fund_limit(account, self._exchange.portfolio(account.client_id))
        return 200, self._showing.rewritings.told(Told.FUNDS, account.client_id, funds)

    def _profile(self, _request: Request, account: PaperAccount, _payload: Mapping[str, object]) -> tuple[int, object]:
        account_status = self._account_statuses.of(account.client_id)
        until = self._tokens.valid_until(account.client_id)
        return 200, wire.profile(account, until, account_status.segments, account_status.data_plan)

    def _addresses(self, request: Request, account: PaperAccount, _payload: Mapping[str, object]) -> tuple[int, object]:
        return 200, self._account_statuses.of(account.client_id).addresses_as_seen_from(_address(request))

    def _renew(self, request: Request, _account: PaperAccount, _payload: Mapping[str, object]) -> tuple[int, object]:
        if "dhanClientId" not in request.headers:
            raise input_error("Missing dhanClientId")
        return 200, self._tokens.renew(request.headers["access-token"])

    async def _log_in(self, request: Request) -> Response:
        """Answer a login; its errors come with HTTP 200 too (seen in production)."""
        words = (request.query_params.get(name, "") for name in ("dhanClientId", "pin", "totp"))
        try:
            answer: Mapping[str, object] = self._tokens.log_in(*words)
        except LoginRefused as refused:
            answer = {"status": "error", "message": str(refused)}
        return Response(msgspec.json.encode(answer), media_type="application/json")

    def _visible(self, account: PaperAccount) -> list[PaperOrder]:
        orders = self._exchange.orders(account.client_id)
        return list(self._showing.orders(account.client_id, orders, self._faults.visibility_lag))

    def _told(self, order: PaperOrder) -> msgspec.Raw | Fields:
        row = self._rows.order(order)
        if not self._showing.rewritings:
            return row
        return self._showing.rewritings.told(Told.ROW, order.client_id, msgspec.json.decode(row))

    async def _master(self, _request: Request) -> Response:
        return PlainTextResponse(master_csv(list(self._exchange.instruments.values()), self._master_rows))


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _payload(body: bytes) -> Mapping[str, object]:
    try:
        payload = json.loads(body) if body else {}
    except ValueError:
        return {}
    return payload if isinstance(payload, dict) else {}


def _answer(status: int, answer: object, write: ReceivedWrite) -> Response:
    write.answered = status
    return Response(msgspec.json.encode(answer), status, media_type="application/json")
