"""The open connections: when bytes were received and sent on each, and how to break one like a network failure."""

import asyncio
import socket
import struct
import time
from contextlib import suppress
from typing import Any
from weakref import WeakValueDictionary

from starlette.requests import HTTPConnection
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Linux's socket option for the kernel's time of arrival; elsewhere the time of reading is used.
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@qq")


class StampedSocket(socket.socket):
    """A socket with the time of the current request's first byte, and of the last reply.

    The kernel's time of arrival is used where available: it does not depend on when this process reads. Times are
    monotonic seconds.
    """

    __slots__ = ("arrived", "sent")
    arrived: float | None
    sent: float

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Read, and note the time."""
        received, ancillary, _, _ = self.recvmsg(size, socket.CMSG_SPACE(_TIMESPEC.size), flags)
        if self.arrived is None:
            self.arrived = _arrival(ancillary)
        return received

    def send(self, sent: Any, flags: int = 0) -> int:
        """Write, and note the time."""
        # Before the call: who is woken by it may be given this processor, and what it does meanwhile would not count.
        self.sent, self.arrived = time.monotonic(), None
        return super().send(sent, flags)


class StampingListener(socket.socket):
    """Listens on a loopback port; ``connections`` are the accepted ones by remote address."""

    __slots__ = ("connections",)

    def __init__(self, port: int) -> None:
        # Named as TCP, so that asyncio switches Nagle's delay off on what it accepts: 40 ms an answer otherwise.
        super().__init__(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self.connections: WeakValueDictionary[object, StampedSocket] = WeakValueDictionary()
        with suppress(OSError):  # not Linux
            self.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.bind(("127.0.0.1", port))
        self.listen(1024)

    def accept(self) -> tuple[StampedSocket, Any]:
        """Accept, and keep the connection."""
        plain, address = super().accept()
        stamped = StampedSocket(plain.family, plain.type, plain.proto, plain.detach())
        stamped.arrived, stamped.sent = None, 0.0
        self.connections[address] = stamped
        return stamped, address


class Connections:
    """The socket and the transport of every connection by remote address."""

    def __init__(self, port: int) -> None:
        self.listener = StampingListener(port)
        self._transports: WeakValueDictionary[object, asyncio.Transport] = WeakValueDictionary()

    def reset(self, connection: HTTPConnection) -> None:
        """Reset a connection: no close frame, no last chunk."""
        if connection.client and (transport := self._transports.get(tuple(connection.client))):
            transport.abort()

    def arrived(self, connection: HTTPConnection) -> float:
        """Return when the first byte of the current request arrived."""
        stamped = self.listener.connections.get(tuple(connection.client or ()))
        return time.monotonic() if stamped is None or stamped.arrived is None else stamped.arrived

    def sent(self, connection: HTTPConnection) -> float:
        """Return when something was last sent."""
        stamped = self.listener.connections.get(tuple(connection.client or ()))
        return stamped.sent if stamped else time.monotonic()

    def protocol(self) -> type[HttpToolsProtocol]:
        """Return an HTTP protocol class that registers its connections here."""
        transports = self._transports

        class Protocol(HttpToolsProtocol):
            """HTTP/1.1 with registered connections."""

            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                transports[transport.get_extra_info("peername")] = transport

        return Protocol


def _arrival(ancillary: list[tuple[int, int, bytes]]) -> float:
    for level, kind, stamp in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = _TIMESPEC.unpack(stamp)
            return float(seconds + nanoseconds / 1e9) + time.monotonic() - time.time()
    return time.monotonic()
