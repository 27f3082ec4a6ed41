"""A tiny broker that shares nothing with Dhan, and the adapter for it.

Three endpoints, other field names, no tokens, and no socket for order updates: they come by polling.
"""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qs, urlsplit

from pydantic import SecretStr

from copytrade.brokers.api import (
    Cancelled,
    Deliver,
    EndKind,
    FeedEnded,
    Net,
    NewOrder,
    OrderBook,
    OrderChange,
    Placed,
    Profile,
)
from copytrade.brokers.outcomes import Accepted, HttpExchange, Outcome, Refusal, Refused, Unknown
from copytrade.brokers.tokens.token import Token
from copytrade.core.model.accounts import Funds, Result
from copytrade.core.model.ledger import LineKey
from copytrade.core.model.orders import (
    InstrumentKey,
    Order,
    OrderType,
    Product,
    Segment,
    Side,
    Source,
    Status,
    Validity,
)
from copytrade.settings import Account, Settings
from tests.support.waiting import PATIENCE

T = TypeVar("T")

_STATES = {"open": Status.PENDING, "done": Status.TRADED, "dropped": Status.CANCELLED, "bad": Status.REJECTED}
_KINDS = {"L": OrderType.LIMIT, "M": OrderType.MARKET}
_LETTERS = {kind: letter for letter, kind in _KINDS.items()}
_PREFIX = "NFO:"


class TinyBroker:
    """An exchange in memory behind ``POST /do``, ``GET /list`` and ``GET /have``; market orders fill at 120 at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._books: dict[str, list[dict[str, Any]]] = {}
        self._refs = 0
        self.said: list[dict[str, Any]] = []
        broker = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self._answer(broker.do(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                who = parse_qs(url.query)["who"][0]
                self._answer(broker.book(who) if url.path == "/list" else broker.have(who))

            def _answer(self, document: object) -> None:
                body = json.dumps(document).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address: tuple[str, int] = self._server.server_address[:2]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def do(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Carry out a request, and answer {"ok": ...}."""
        with self._lock:
            self.said.append(asked)
            book = self._books.setdefault(asked["who"], [])
            if asked["act"] == "new":
                self._refs += 1
                row = {key: asked[key] for key in ("tag", "scrip", "way", "amount", "kind", "rate")}
                row |= {"ref": f"T{self._refs}", "done": 0, "avg": "0", "state": "open", "born": time.time()}
                row["moved"] = row["born"]
                book.append(row)
                if row["kind"] == "M":
                    self._fill(row)
                return {"ok": True, "ref": row["ref"]}
            row = next((one for one in book if one["ref"] == asked["ref"]), {"state": "gone"})
            if row["state"] != "open":
                return {"ok": False, "why": f"it is {row['state']}"}
            row["moved"] = time.time()
            if asked["act"] == "drop":
                row["state"] = "dropped"
            else:
                row |= {key: asked[key] for key in ("amount", "kind", "rate")}
            return {"ok": True, "ref": row["ref"]}

    def fill(self, who: str, ref: str) -> None:
        with self._lock:
            self._fill(next(one for one in self._books[who] if one["ref"] == ref))

    @staticmethod
    def _fill(row: dict[str, Any]) -> None:
        avg = row["rate"] if row["kind"] == "L" else "120"
        row |= {"done": row["amount"], "avg": avg, "state": "done", "moved": time.time()}

    def book(self, who: str) -> list[dict[str, Any]]:
        with self._lock:
            return [dict(row) for row in self._books.get(who, [])]

    def have(self, who: str) -> dict[str, int]:
        held: dict[str, int] = {}
        for row in self.book(who):
            held[row["scrip"]] = held.get(row["scrip"], 0) + row["done"] * (1 if row["way"] == "B" else -1)
        return held


class _Wire:
    """One account's requests, each on a connection of its own."""

    def __init__(self, address: tuple[str, int], who: str) -> None:
        self._address = address
        self.who = who

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[Any, HttpExchange]:
        """Return the document, None where there is no answer, and the record of the request."""
        text, began, said, status = json.dumps(body) if body else "", time.monotonic(), "", None
        connection = http.client.HTTPConnection(*self._address, timeout=5)
        document = None
        with suppress(OSError, http.client.HTTPException, ValueError):
            connection.request(method, path, text or None)
            reply = connection.getresponse()
            status, said = reply.status, reply.read().decode()
            document = json.loads(said)
        connection.close()
        return document, HttpExchange(method, path, text, status, said, (time.monotonic() - began) * 1000)

    def read(self, path: str, make: Callable[[Any], T]) -> Outcome[T]:
        document, exchange = self.ask("GET", f"{path}?who={self.who}")
        if document is None:
            return Unknown("no answer", exchange=exchange)
        return Accepted(make(document), exchange=exchange)

    def order_of(self, row: dict[str, Any]) -> Order:
        return Order(
            id=row["ref"],
            client_id=self.who,
            status=_STATES[row["state"]],
            side=Side.BUY if row["way"] == "B" else Side.SELL,
            key=InstrumentKey(Segment.NSE_FNO, row["scrip"].removeprefix(_PREFIX)),
            product=Product.MARGIN,
            order_type=_KINDS[row["kind"]],
            validity=Validity.DAY,
            quantity=row["amount"],
            observed_at=datetime.now(UTC),
            source=Source.BOOK,
            filled_quantity=row["done"],
            price=Decimal(row["rate"]),
            average_price=Decimal(row["avg"]),
            correlation_id=row["tag"],
            created_at=datetime.fromtimestamp(row["born"], UTC),
            updated_at=datetime.fromtimestamp(row["moved"], UTC),
        )


class _Deferred(Generic[T]):
    """A request that is made when its outcome is waited for."""

    is_under_way = False

    def __init__(self, make: Callable[[], Outcome[T]]) -> None:
        self._make = make
        self.deadline = time.monotonic() + PATIENCE

    def fileno(self) -> int:
        return -1

    def advance(self, now: float) -> Outcome[T] | None:
        return None

    def outcome(self) -> Outcome[T]:
        return self._make()


class TinyGateway:
    """Sends orders by ``POST /do``."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    def place(self, order: NewOrder) -> _Deferred[Placed]:
        way, scrip = "B" if order.side is Side.BUY else "S", f"{_PREFIX}{order.key.security_id}"
        asked = {"act": "new", "tag": order.correlation_id, "scrip": scrip, "way": way, **_terms(order)}
        return _Deferred(lambda: self._do(asked, lambda ref: Placed(ref, None)))

    def modify(self, order_id: str, change: OrderChange) -> _Deferred[Placed]:
        asked = {"act": "edit", "ref": order_id, **_terms(change)}
        return _Deferred(lambda: self._do(asked, lambda ref: Placed(ref, None)))

    def cancel(self, order_id: str) -> _Deferred[Cancelled]:
        return _Deferred(lambda: self._do({"act": "drop", "ref": order_id}, lambda ref: Cancelled(ref, None)))

    def _do(self, asked: dict[str, Any], make: Callable[[str], T]) -> Outcome[T]:
        document, exchange = self._wire.ask("POST", "/do", {"who": self._wire.who, **asked})
        if document is None:
            return Unknown("no answer", exchange=exchange)
        if not document["ok"]:
            return Refused(Refusal.ORDER, "", document["why"], exchange=exchange)
        return Accepted(make(document["ref"]), exchange=exchange)

    def warm(self, connections: int, fresh_for: float = 0.0) -> int:
        return connections

    def is_warm(self, connections: int, fresh_for: float = 0.0) -> bool:
        return True

    def take_token(self, access_token: SecretStr) -> None:
        pass

    def close(self) -> None:
        pass


def _terms(order: NewOrder | OrderChange) -> dict[str, Any]:
    return {"amount": order.quantity, "kind": _LETTERS[order.order_type], "rate": str(order.price)}


class TinyReader:
    """Reads ``GET /list`` and ``GET /have``; of money the broker says nothing."""

    known_skew = 0.0

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    def orders(self) -> Outcome[OrderBook]:
        began = datetime.now(UTC)
        return self._wire.read("/list", lambda rows: OrderBook(tuple(map(self._wire.order_of, rows)), (), began))

    def search(self, correlation_id: str) -> Outcome[tuple[Order, ...]]:
        def matching(rows: list[dict[str, Any]]) -> tuple[Order, ...]:
            return tuple(self._wire.order_of(row) for row in rows if row["tag"] == correlation_id)

        return self._wire.read("/list", matching)

    def net(self, *, holdings: bool) -> Generator[None, None, Outcome[Net]]:
        yield from ()

        def units(held: dict[str, int]) -> Net:
            keys = {name: InstrumentKey(Segment.NSE_FNO, name.removeprefix(_PREFIX)) for name in held}
            return Net({LineKey(keys[name], Product.MARGIN): units for name, units in held.items() if units}, {})

        return self._wire.read("/have", units)

    def funds(self) -> Outcome[Funds]:
        return Unknown("the broker does not say", exchange=HttpExchange("", "", "", None, "", 0.0))

    def result(self) -> Outcome[Result]:
        return Unknown("the broker does not say", exchange=HttpExchange("", "", "", None, "", 0.0))

    def take_token(self, access_token: SecretStr) -> None:
        pass

    def close(self) -> None:
        pass


class PolledUpdates:
    """Polls the book in a thread; what is new wakes who watches a socket."""

    due = float("inf")

    def __init__(self, wire: _Wire, every: float) -> None:
        self._wire = wire
        self._every = every
        self._news: list[tuple[Order, float]] = []
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._here, self._there = socket.socketpair()
        self._here.setblocking(False)
        threading.Thread(target=self._poll, daemon=True).start()

    def fileno(self) -> int:
        return self._here.fileno()

    def look(self, deliver: Deliver, now: float) -> FeedEnded | None:
        with suppress(BlockingIOError):
            self._here.recv(65536)
        with self._lock:
            news, self._news = self._news, []
        for order, at in news:
            deliver([order], at)
        if self._ending.is_set():
            self.release()
            return FeedEnded(EndKind.STOPPED, None, "closed")
        return None

    def close(self) -> None:
        self._ending.set()
        with suppress(OSError):
            self._there.send(b"!")

    def release(self) -> None:
        self._ending.set()
        self._here.close()

    def _poll(self) -> None:
        known: dict[str, dict[str, Any]] = {}
        while not self._ending.wait(self._every):
            rows, _ = self._wire.ask("GET", f"/list?who={self._wire.who}")
            fresh = [row for row in rows or [] if known.get(row["ref"]) != row]
            if fresh:
                known |= {row["ref"]: row for row in fresh}
                with self._lock:
                    self._news += [(self._wire.order_of(row), time.monotonic()) for row in fresh]
                with suppress(OSError):
                    self._there.send(b"!")
        self._there.close()


class TinyAccount:
    """A ``BrokerAccount`` at the tiny broker."""

    def __init__(self, address: tuple[str, int], account: Account, _: Settings) -> None:
        self._wire = _Wire(address, account.client_id)

    def gateway(self) -> TinyGateway:
        return TinyGateway(self._wire)

    def reader(self) -> TinyReader:
        return TinyReader(self._wire)

    def updates(self) -> "TinyAccount":
        return self

    def connect(self, token: SecretStr) -> PolledUpdates:
        return PolledUpdates(self._wire, 0.1)

    def tokens(self) -> "TinyAccount":
        return self

    def check(self, token: SecretStr) -> Outcome[Profile]:
        return Accepted(Profile(self._wire.who, None, ()), exchange=HttpExchange("", "", "", None, "", 0.0))

    def renew(self, token: SecretStr) -> Outcome[Token]:
        return Unknown("there are no tokens", exchange=HttpExchange("", "", "", None, "", 0.0))

    def log_in(self, pin: SecretStr, totp_secret: SecretStr, at: datetime) -> Outcome[Token]:
        return Unknown("there are no tokens", exchange=HttpExchange("", "", "", None, "", 0.0))

    def close(self) -> None:
        pass
