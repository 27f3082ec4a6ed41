"""The broker's order-update socket: one connection, read until it ends.

The broker sends every order of the account from any platform. It confirms no login, replays nothing and numbers
nothing, so each new connection calls for a read of the order book. Its server pings about every 10 s (seen in
production); a quiet account sends nothing else for hours.
"""

import json
import select
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit

import websocket
from pydantic import SecretStr

from copytrade import wall_clock
from copytrade.dhan.fields import excerpt_of
from copytrade.dhan.transport import is_loopback, trusted
from copytrade.orders import IST

_LOGIN_CODE = 42
_DATA = (websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY)

#: What the library raises for a broken connection or a broken frame.
_BROKEN = (websocket.WebSocketException, OSError, ValueError, AttributeError)


@dataclass(frozen=True, slots=True)
class FrameArrived:
    """A frame as it came. ``received_monotonic`` is seconds of :func:`time.monotonic`, for measuring."""

    payload: str | bytes
    received_at: datetime
    received_monotonic: float


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


FeedEvent = FrameArrived | FeedEnded


class FeedConnection:
    """One connection that has logged in. One thread calls :meth:`run`; any thread may call :meth:`close`."""

    def __init__(self, ws: websocket.WebSocket) -> None:
        self._ws = ws
        self._stopping = False
        #: When the server was last heard of, pings included; seconds of :func:`time.monotonic`.
        self.last_heard = time.monotonic()

    def run(self, deliver: Callable[[FrameArrived], None], linger: float = 0.0) -> FeedEnded:
        """Pass on every frame with data until the connection ends, and return how it did.

        When nothing comes for the read timeout a ping is sent; when nothing comes for as long again, that is the end.
        After a pause, what comes is read ``linger`` seconds later, for what is more urgent than reading it; the time of
        arrival is none the later for it. What ``deliver`` raises ends the connection and is raised on.
        """
        try:
            return self._run(deliver, linger)
        finally:
            self._ws.shutdown()  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """End the connection now; :meth:`run` returns within milliseconds."""
        self._stopping = True
        self._ws.abort()  # type: ignore[no-untyped-call]

    def _run(self, deliver: Callable[[FrameArrived], None], linger: float) -> FeedEnded:
        pinged = False
        while True:
            try:
                arrived = self._await(linger) if linger else None
                opcode, frame = self._ws.recv_data_frame(control_frame=True)
            except websocket.WebSocketTimeoutException:
                if pinged or self._stopping or not self._ping():
                    return self._ended(EndKind.SILENT, "nothing came, not even an answer to a ping")
                pinged = True
                continue
            except _BROKEN as error:
                return self._ended(EndKind.RESET, f"{type(error).__name__}: {error}")
            self.last_heard = arrived or time.monotonic()
            pinged = False
            if opcode in _DATA:
                deliver(FrameArrived(frame.data, wall_clock.at(self.last_heard).astimezone(IST), self.last_heard))
            elif opcode == websocket.ABNF.OPCODE_CLOSE:
                code = int.from_bytes(frame.data[:2], "big") if len(frame.data) >= 2 else None
                return self._ended(EndKind.CLOSED, excerpt_of(frame.data[2:]), code)

    def _await(self, linger: float) -> float:
        """Wait until something can be read, and a little longer unless it could be at once; return when it came."""
        sock = self._ws.sock
        if sock is None:  # closed: the read says so
            return time.monotonic()
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        if (isinstance(sock, ssl.SSLSocket) and sock.pending()) or poll.poll(0):
            return time.monotonic()
        if not poll.poll((sock.gettimeout() or 0.0) * 1000):
            raise websocket.WebSocketTimeoutException("nothing came")
        arrived = time.monotonic()
        time.sleep(linger)
        return arrived

    def _ping(self) -> bool:
        try:
            self._ws.ping()
        except _BROKEN:
            return False
        return True

    def _ended(self, kind: EndKind, reason: str, close_code: int | None = None) -> FeedEnded:
        return FeedEnded(EndKind.STOPPED if self._stopping else kind, close_code, reason[:200])


def connect(
    url: str,
    client_id: str,
    token: SecretStr,
    *,
    connect_timeout: float = 5.0,
    read_timeout: float = 15.0,
    tls: ssl.SSLContext | None = None,
) -> FeedConnection | FeedEnded:
    """Connect and log in. The server does not confirm a login; it drops the connection if it refuses one.

    ``url`` is wss, or ws to this machine. ``read_timeout`` is how many seconds the server may be silent before it is
    pinged; after twice that the connection counts as dead. ``tls`` replaces the system's trusted certificates.

    Raises ValueError for a URL that would send the token unencrypted.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "wss" and not (parts.scheme == "ws" and is_loopback(host)):
        raise ValueError(f"{url!r} would send the access token unencrypted; use wss")
    context = (tls or trusted()) if parts.scheme == "wss" else None
    login = {"LoginReq": {"MsgCode": _LOGIN_CODE, "ClientId": client_id, "Token": token.get_secret_value()}}
    try:
        sock = _open_socket(host, parts.port or (443 if context else 80), context, connect_timeout)
    except _BROKEN as error:
        return _refused(f"{type(error).__name__}: {error}")
    ws: websocket.WebSocket | None = None
    try:
        ws = websocket.create_connection(
            url,
            timeout=connect_timeout,
            skip_utf8_validation=True,  # twenty times as fast; the codec checks
            socket=sock,
            redirect_limit=0,  # the token goes to this server or nowhere
        )
    except websocket.WebSocketBadStatusException as error:
        return _refused(f"the server refused with HTTP {error.status_code}", error.status_code)
    except _BROKEN as error:
        return _refused(f"{type(error).__name__}: {error}")
    finally:
        if ws is None:
            sock.close()
    try:
        ws.send(json.dumps(login | {"UserType": "SELF"}))
    except _BROKEN as error:
        ws.shutdown()  # type: ignore[no-untyped-call]
        return _refused(f"the connection broke during the login: {type(error).__name__}")
    ws.settimeout(read_timeout)
    return FeedConnection(ws)


def _open_socket(host: str, port: int, tls: ssl.SSLContext | None, timeout: float) -> socket.socket:
    """Connect directly. The library would take proxies and trusted certificates from the environment."""
    sock = socket.create_connection((host, port), timeout)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return tls.wrap_socket(sock, server_hostname=host) if tls else sock
    except BaseException:
        sock.close()
        raise


def _refused(reason: str, http_status: int | None = None) -> FeedEnded:
    return FeedEnded(EndKind.REFUSED, None, reason[:200], http_status)
