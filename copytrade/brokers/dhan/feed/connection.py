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
from typing import Any
from urllib.parse import urlsplit

import websocket
from pydantic import SecretStr

from copytrade.brokers.api import EndKind, FeedEnded
from copytrade.brokers.dhan.decode import FRAME_LIMIT
from copytrade.brokers.dhan.json_values import excerpt_of
from copytrade.brokers.http.client import is_loopback, trusted
from copytrade.common import wall_clock
from copytrade.core.model.orders import IST

_LOGIN_CODE = 42
_DATA = (websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY)

#: Bytes per read.
_PIECE = 65_536

#: Errors of a non-blocking socket that would have to wait.
_NOT_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

#: Errors of the library for a broken connection or frame.
_BROKEN = (websocket.WebSocketException, OSError, ValueError, AttributeError)


@dataclass(frozen=True, slots=True)
class FrameArrived:
    """A frame as it came. ``received_monotonic`` is seconds of :func:`time.monotonic`, for measuring."""

    payload: str | bytes
    received_at: datetime
    received_monotonic: float


FeedEvent = FrameArrived | FeedEnded


class _Buffered:
    """A socket that is read in large pieces: the library reads each frame in three."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._piece = b""
        self._taken = 0

    @property
    def holds_more(self) -> bool:
        """Whether there is buffered data, for which the socket does not become readable."""
        return self._taken < len(self._piece) or (isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0)

    def recv(self, size: int) -> bytes:
        """Return at most ``size`` bytes of what has arrived."""
        if self._taken >= len(self._piece):
            self._piece, self._taken = self._sock.recv(_PIECE), 0
        taken = self._piece[self._taken : self._taken + size]
        self._taken += len(taken)
        return taken

    def shutdown(self, how: int) -> None:
        """End the connection in any state.

        SSLSocket.shutdown would drop the encryption first: another thread that reads or sends at that moment would go
        on in plain text.
        """
        socket.socket.shutdown(self._sock, how)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _LimitedFrames(websocket.frame_buffer):
    """A frame buffer that refuses frames longer than any order update by their header."""

    def recv_length(self) -> None:
        super().recv_length()
        _check_length(self.length or 0)


class _LimitedWebSocket(websocket.WebSocket):
    """A WebSocket on which no message is longer than the limit, in one frame or in many."""

    def __init__(self, *, skip_utf8_validation: bool = False, **options: Any) -> None:
        super().__init__(skip_utf8_validation=skip_utf8_validation, **options)
        self.frame_buffer = _LimitedFrames(self._recv, skip_utf8_validation)
        self._message_length = 0

    def recv_frame(self) -> websocket.ABNF:
        frame: websocket.ABNF = super().recv_frame()  # type: ignore[no-untyped-call]
        if frame.opcode in _DATA:
            self._message_length = 0
        if frame.opcode in (*_DATA, websocket.ABNF.OPCODE_CONT):
            self._message_length += len(frame.data)
            _check_length(self._message_length)
        return frame


def _check_length(length: int) -> None:
    """Raise WebSocketProtocolException if a message is too long."""
    if length > FRAME_LIMIT:
        raise websocket.WebSocketProtocolException(f"a message of {length} bytes, longer than {FRAME_LIMIT}")


class FeedConnection:
    """One connection that has logged in. One thread at a time calls :meth:`look`; any may call :meth:`close`."""

    def __init__(self, ws: websocket.WebSocket, sock: _Buffered, read_timeout: float) -> None:
        self._ws = ws
        self._sock = sock
        self._read_timeout = read_timeout
        self._stopping = self._pinged = False
        #: When something was last received, pings included; seconds of :func:`time.monotonic`.
        self.last_heard = time.monotonic()
        #: When to call ``look`` although nothing has arrived.
        self.due = self.last_heard + (0.0 if sock.holds_more else read_timeout)

    def fileno(self) -> int:
        """Return the socket's file descriptor; -1 once it is released."""
        return int(self._sock.fileno())

    def run(self, deliver: Callable[[FrameArrived], None]) -> FeedEnded:
        """Call ``look`` until the connection ends. It blocks: for callers with a thread of their own."""
        while True:
            if (number := self.fileno()) >= 0:
                poll = select.poll()
                poll.register(number, select.POLLIN)
                poll.poll(max(0.0, self.due - time.monotonic()) * 1000)
            if end := self.look(deliver, time.monotonic()):
                return end

    def look(self, deliver: Callable[[FrameArrived], None], now: float) -> FeedEnded | None:
        """Deliver every data frame that has arrived, without waiting; return the end if the connection has ended.

        ``now`` is when the socket became readable or :attr:`due` was reached. After the read timeout without data a
        ping is sent; after as long again the connection has ended. An exception of ``deliver`` ends it and is raised.
        """
        try:
            end = self._read(deliver, now) or self._see_to_silence(now)
        except BaseException:
            self.release()
            raise
        if end is not None:
            self.release()
        return end

    def close(self) -> None:
        """End the connection now; the socket becomes readable, so that a waiting thread reads the end."""
        self._stopping = True
        self._ws.abort()  # type: ignore[no-untyped-call]

    def release(self) -> None:
        """Close the socket. Do not call ``look`` afterwards."""
        self._ws.shutdown()  # type: ignore[no-untyped-call]

    def _read(self, deliver: Callable[[FrameArrived], None], now: float) -> FeedEnded | None:
        while True:
            try:
                opcode, frame = self._ws.recv_data_frame(control_frame=True)
            except _NOT_YET:
                return None
            except _BROKEN as error:
                return self._ended(EndKind.RESET, f"{type(error).__name__}: {error}")
            self.last_heard, self.due, self._pinged = now, now + self._read_timeout, False
            if opcode in _DATA:
                deliver(FrameArrived(frame.data, wall_clock.at(now).astimezone(IST), now))
            elif opcode == websocket.ABNF.OPCODE_CLOSE:
                code = int.from_bytes(frame.data[:2], "big") if len(frame.data) >= 2 else None
                return self._ended(EndKind.CLOSED, excerpt_of(frame.data[2:]), code)
            if not self._sock.holds_more:
                return None

    def _see_to_silence(self, now: float) -> FeedEnded | None:
        if now < self.due:
            return None
        if self._pinged or self._stopping or not self._ping():
            return self._ended(EndKind.SILENT, "nothing came, not even an answer to a ping")
        self._pinged, self.due = True, now + self._read_timeout
        return None

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
        sock = _Buffered(_open_socket(host, parts.port or (443 if context else 80), context, connect_timeout))
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
            class_=_LimitedWebSocket,
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
    ws.settimeout(0)  # from now on nobody waits in a read
    return FeedConnection(ws, sock, read_timeout)


def _open_socket(host: str, port: int, tls: ssl.SSLContext | None, timeout: float) -> socket.socket:
    """Connect directly: the library would take proxies and certificates from the environment."""
    sock = socket.create_connection((host, port), timeout)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return tls.wrap_socket(sock, server_hostname=host) if tls else sock
    except BaseException:
        sock.close()
        raise


def _refused(reason: str, http_status: int | None = None) -> FeedEnded:
    return FeedEnded(EndKind.REFUSED, None, reason[:200], http_status)
