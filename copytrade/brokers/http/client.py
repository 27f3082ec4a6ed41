"""HTTP to the broker for one account: persistent connections, one attempt and one deadline per request.

This module never retries, follows a redirect or reads proxies from the environment: a request that may have been
executed must not be sent twice, and the token must not go to another host.
"""

import base64
import ipaddress
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import unquote, urlsplit

import msgspec
from pydantic import SecretStr

from copytrade.brokers.http.connection import BrokenExchangeError, Connection, Endpoint, Proxy
from copytrade.brokers.http.pool import Connections
from copytrade.brokers.http.response import ReplyReader
from copytrade.brokers.http.server_clock import ServerClock
from copytrade.common.header_value import is_sendable

_PATH = re.compile(r"/[!-~]*")
_UNUSABLE = "the client id and the access token must be printable ASCII without spaces"


@dataclass(frozen=True, slots=True)
class Request:
    """A request: ``path`` begins with "/" and is already quoted, ``payload`` is the JSON object to send, or None.

    ``secret_query`` is appended to the path on the wire, and never shown.
    """

    method: str
    path: str
    payload: Mapping[str, object] | None = None
    secret_query: SecretStr | None = None

    @property
    def payload_json(self) -> str:
        """The body as JSON, "" without one."""
        return "" if self.payload is None else msgspec.json.encode(self.payload).decode()


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete reply, whatever its status."""

    status: int
    body: bytes
    duration_ms: float


@dataclass(frozen=True, slots=True)
class NotSent:
    """No byte of the request was sent: there was no connection."""

    cause: str
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Lost:
    """The request was sent, at least in part, without a complete reply. ``status`` is set once its head came."""

    cause: str
    status: int | None
    duration_ms: float


#: Seconds that writing a request to a ready connection may take.
WRITE_TIMEOUT = 0.05


@dataclass(slots=True)
class Begun:
    """A request that was begun; if ``connection`` is None it is not sent yet.

    ``at`` and ``deadline`` are monotonic seconds.
    """

    content: bytes = field(repr=False)
    token: bytes = field(repr=False)
    at: float
    deadline: float
    connection: Connection | None = None
    broken: BrokenExchangeError | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether the request was sent, and only the reply is missing."""
        return self.connection is not None and self.broken is None


@dataclass(frozen=True, slots=True)
class _Login:
    """The headers that authenticate a request. One object, so that it is replaced as a whole."""

    headers: str
    token: bytes


class Transport:
    """The connections of one account. All methods may be called from any thread."""

    def __init__(
        self,
        base_url: str,
        client_id: str,
        access_token: SecretStr | None,
        *,
        headers: Mapping[str, str] | None = None,
        connect_timeout: float = 3.0,
        request_timeout: float = 5.0,
        idle_limit: float = 50.0,
        source_address: str | None = None,
        proxy: SecretStr | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Prepare connections to ``base_url`` (https; plain http only to this machine). Opens none yet.

        Without an ``access_token``, requests are sent without one. ``headers`` are sent in addition.
        ``connect_timeout`` and ``request_timeout`` are seconds; the second bounds the whole exchange, connecting
        included. A connection unused for ``idle_limit`` seconds is not used again. ``source_address`` is the local
        address that is registered at the broker; with a ``proxy`` (``http://[user:password@]host:port``) the broker
        sees the proxy's address. ``tls`` replaces the system's trusted certificates.

        Raises ValueError for an invalid URL, id or token; the message shows no token and no password.
        """
        url = urlsplit(base_url)
        if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment or url.username:
            raise ValueError(f"{base_url!r} is not a base URL like https://api.dhan.co/v2")
        if url.scheme == "http" and not is_loopback(url.hostname):
            raise ValueError(f"{base_url!r} would send the access token unencrypted; use https")
        if not is_sendable(client_id):
            raise ValueError(_UNUSABLE)
        secure = url.scheme == "https"
        endpoint = Endpoint(
            host=url.hostname,
            port=url.port or (443 if secure else 80),
            tls=(tls or trusted()) if secure else None,
            source=source_address,
            proxy=_proxy(proxy.get_secret_value(), secure=secure) if proxy else None,
        )
        self._connections = Connections(endpoint, connect_timeout, idle_limit)
        self._prefix = url.path.rstrip("/")
        self._host = url.netloc
        self._client_id = client_id
        self._more_headers = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self.take_token(access_token)
        self._request_timeout = request_timeout
        #: How far our clock is from the broker's.
        self.server_clock = ServerClock()

    def __repr__(self) -> str:
        return f"<Transport {self._host} of client {self._client_id}>"

    def take_token(self, access_token: SecretStr | None) -> None:
        """Use another token from the next request on. Raises ValueError for an invalid one."""
        token = access_token.get_secret_value() if access_token is not None else ""
        if access_token is not None and not is_sendable(token):
            raise ValueError(_UNUSABLE)
        headers = (
            f"Host: {self._host}\r\n"
            + (f"access-token: {token}\r\n" if token else "")
            + f"client-id: {self._client_id}\r\n"
            "Content-Type: application/json\r\n"
            f"Accept: application/json\r\n{self._more_headers}"
        )
        self._login = _Login(headers, token.encode())

    def send(self, request: Request) -> Reply | NotSent | Lost:
        """Send the request once and return the result, at the latest after ``request_timeout`` seconds."""
        return self.finish(self.begin(request))

    def begin(self, request: Request) -> Begun:
        """Write the request to a ready connection, if there is one, without waiting.

        The request fits into the connection's empty buffer; if not, writing ends after :data:`WRITE_TIMEOUT`.
        """
        login, now = self._login, time.monotonic()
        begun = Begun(self._encode(request, login.headers), login.token, now, now + self._request_timeout)
        if connection := self._connections.take():
            begun.connection = connection
            self._write(begun, time.monotonic() + WRITE_TIMEOUT)
        return begun

    def advance(self, begun: Begun, now: float) -> Reply | Lost | None:
        """Read what has arrived of the reply to a request; return the reply if it is complete, else None."""
        connection = begun.connection
        if connection is None:
            raise ValueError("the request is not under way")
        try:
            whole = connection.read(now)
            if whole is None and now >= begun.deadline:
                raise connection.out_of_time()
        except BrokenExchangeError as broken:
            return self._lost(begun, connection, broken)
        return None if whole is None else self._replied(begun, connection, whole)

    def finish(self, begun: Begun) -> Reply | NotSent | Lost:
        """Wait for the result of a request; send it first if no connection was ready, and its time begins then."""
        if begun.connection is None:
            begun.at = time.monotonic()
            begun.deadline = begun.at + self._request_timeout
            try:
                begun.connection = self._connections.open(begun.deadline)
            except (OSError, UnicodeError) as error:  # UnicodeError: a host name that cannot be one
                return NotSent(_cause(error), _milliseconds_since(begun.at))
            self._write(begun, begun.deadline)
        connection = begun.connection
        try:
            if begun.broken:
                raise begun.broken
            whole = connection.receive(begun.deadline)
        except BrokenExchangeError as broken:
            return self._lost(begun, connection, broken)
        return self._replied(begun, connection, whole)

    def _lost(self, begun: Begun, connection: Connection, broken: BrokenExchangeError) -> Lost:
        self._connections.discard(connection)
        return Lost(broken.cause, broken.status, _milliseconds_since(begun.at))

    def _replied(self, begun: Begun, connection: Connection, whole: ReplyReader) -> Reply:
        took = connection.answered_at - begun.at  # before it is given back: the next request forgets it
        if whole.leaves_connection:
            self._connections.give_back(connection)
        else:
            self._connections.discard(connection)
        self.server_clock.replied(whole.date, took)
        body = whole.body
        # A server that echoes the request must not put the token into the audit trail.
        if begun.token:
            body = body.replace(begun.token, b"[access token]")
        return Reply(whole.status or 0, body, took * 1000)

    def _write(self, begun: Begun, deadline: float) -> None:
        if begun.connection:
            try:
                begun.connection.write(begun.content, deadline)
            except BrokenExchangeError as broken:
                begun.broken = broken

    def warm(self, count: int, fresh_for: float = 0.0) -> int:
        """Open ``count`` connections ahead of need, and return how many are ready: see :meth:`Connections.warm`."""
        return self._connections.warm(count, fresh_for)

    def is_warm(self, count: int, fresh_for: float = 0.0) -> bool:
        """Whether :meth:`warm` has nothing to do. It does not block; call it from the thread that begins requests."""
        return self._connections.is_warm(count, fresh_for)

    def close(self) -> None:
        """Close every connection, also those in use: their requests end as :class:`Lost`, later ones as NotSent."""
        self._connections.close()

    def _encode(self, request: Request, headers: str) -> bytes:
        """Return the request as bytes, to be written in one piece."""
        if not _PATH.fullmatch(request.path):
            raise ValueError(f"{request.path!r} is not a quoted path")
        body = request.payload_json.encode()
        length = f"Content-Length: {len(body)}\r\n" if request.payload is not None else ""
        query = f"?{request.secret_query.get_secret_value()}" if request.secret_query else ""
        head = f"{request.method} {self._prefix}{request.path}{query} HTTP/1.1\r\n{headers}{length}\r\n"
        return head.encode() + body


@cache
def trusted() -> ssl.SSLContext:
    """Return the system's trusted certificates. Cached: reading them takes some 10 ms."""
    return ssl.create_default_context()


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _proxy(proxy_url: str, *, secure: bool) -> Proxy:
    """Parse a proxy's URL. Without TLS to the broker the proxy must be on this machine, as it sees the token."""
    url = urlsplit(proxy_url)
    if url.scheme != "http" or not url.hostname or url.path not in ("", "/") or url.query or url.fragment:
        raise ValueError("the proxy is no URL like http://proxy.example:3128")
    if not secure and not is_loopback(url.hostname):
        raise ValueError("the proxy would be sent the access token unencrypted; use https for the broker")
    authorization = ""
    if url.username is not None:
        pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
        authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return Proxy(url.hostname, url.port or 80, authorization)


def _cause(error: Exception) -> str:
    return f"no connection: {getattr(error, 'strerror', None) or str(error) or type(error).__name__}"


def _milliseconds_since(started: float) -> float:
    return (time.monotonic() - started) * 1000
