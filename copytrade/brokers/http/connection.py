"""One persistent HTTP/1.1 connection, with one deadline per exchange."""

import select
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

from copytrade.brokers.http.response import NotHttpError, ReplyReader

#: Bytes per read.
_PIECE = 65_536

#: Maximum bytes of a proxy's reply before the tunnel is open.
_PROXY_HEAD_LIMIT = 16 * 1024


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy that opens tunnels (CONNECT). ``authorization`` is the value of its header, "" for none."""

    host: str
    port: int
    authorization: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect: ``tls`` is None for plain text, ``source`` None lets the system choose the local address.

    With a ``proxy`` the connection goes through a tunnel; TLS is end to end with the host.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None
    source: str | None
    proxy: Proxy | None = None


class BrokenExchangeError(Exception):
    """The reply did not arrive completely. ``status`` is set if its head did."""

    def __init__(self, cause: str, status: int | None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.status = status


#: Errors of a non-blocking socket that would have to wait.
_NOT_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Connection:
    """One connection. Used by one thread at a time; only :meth:`abort` may come from another."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._sock: socket.socket | None = None
        self._reply = ReplyReader()
        self._aborted = False
        self.idle_since = 0.0
        #: When the first byte of the last reply came; seconds of :func:`time.monotonic`.
        self.answered_at = 0.0

    def open(self, deadline: float) -> None:
        """Connect (and shake hands, for TLS) before ``deadline``, a time of :func:`time.monotonic`.

        Every address of the host is tried in turn. Raises OSError; nothing has been sent then. A name
        lookup cannot be interrupted and may take longer than the deadline.
        """
        first = self._endpoint.proxy or self._endpoint
        found = socket.getaddrinfo(first.host, first.port, _family(self._endpoint.source), socket.SOCK_STREAM)
        failure: OSError = OSError(f"{first.host} has no address")
        for family, kind, protocol, _, address in found:
            try:
                self._connect(socket.socket(family, kind, protocol), address, deadline)
            except OSError as error:
                self.close()
                failure = error
            else:
                return
        raise failure

    def _connect(self, sock: socket.socket, address: object, deadline: float) -> None:
        self._sock = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._endpoint.source:
            sock.bind((self._endpoint.source, 0))
        sock.settimeout(remaining(deadline))
        sock.connect(address)  # type: ignore[arg-type]
        if self._endpoint.proxy:
            _open_tunnel(sock, self._endpoint, self._endpoint.proxy, deadline)
        if self._endpoint.tls:
            sock.settimeout(remaining(deadline))
            self._sock = sock = self._endpoint.tls.wrap_socket(
                sock, server_hostname=self._endpoint.host, do_handshake_on_connect=False
            )
            self._go_on()
            sock.do_handshake()
        self._go_on()
        sock.setblocking(False)  # each call is then one into the system, and waiting is done where there is time for it
        self.idle_since = time.monotonic()

    def _go_on(self) -> None:
        """Raise ConnectionAbortedError if :meth:`abort` was called before there was a socket."""
        if self._aborted:
            raise ConnectionAbortedError("closed while connecting")

    def is_alive(self) -> bool:
        """Whether an idle connection is usable: the server has neither closed it nor sent anything unasked."""
        if self._sock is None or self._aborted:
            return False
        try:
            self._sock.recv(1)
        except _NOT_YET:
            return True
        except OSError:
            return False
        return False

    def write(self, request: bytes, deadline: float) -> None:
        """Send the request. Raises BrokenExchangeError if it cannot be sent before ``deadline``."""
        self._reply, self.answered_at = ReplyReader(), 0.0
        try:
            sock = cast("socket.socket", self._sock)
            remaining(deadline)
            rest = memoryview(request)
            while rest:
                try:
                    rest = rest[sock.send(rest) :]
                except _NOT_YET as reason:
                    reads = isinstance(reason, ssl.SSLWantReadError)
                    _wait(sock, select.POLLIN if reads else select.POLLOUT, deadline)
        except TimeoutError:
            raise BrokenExchangeError("the request could not be written in time", None) from None
        except OSError as error:
            raise BrokenExchangeError(error.strerror or str(error) or type(error).__name__, None) from None

    def receive(self, deadline: float) -> ReplyReader:
        """Wait for the reply to the last request.

        Raises BrokenExchangeError if it is not complete before ``deadline``, a time of :func:`time.monotonic`.
        """
        while True:
            try:
                _wait(cast("socket.socket", self._sock), select.POLLIN, deadline)
            except TimeoutError:
                raise self.out_of_time() from None
            except OSError as error:
                raise BrokenExchangeError(error.strerror or str(error), self._reply.status) from None
            if reply := self.read(time.monotonic()):
                return reply

    def read(self, now: float) -> ReplyReader | None:
        """Read what has arrived of the reply, without waiting; return the reply if it is complete, else None.

        ``now`` is when the socket became readable. Raises BrokenExchangeError if the rest will not come.
        """
        reply, sock = self._reply, cast("socket.socket", self._sock)
        try:
            while not reply.is_whole:
                piece = sock.recv(_PIECE)
                self.answered_at = self.answered_at or now
                if piece:
                    reply.feed(piece)
                    continue
                reply.end()
                if not reply.is_whole:
                    raise BrokenExchangeError(
                        "the server closed the connection before the reply was complete", reply.status
                    )
        except _NOT_YET:
            return None
        except OSError as error:
            raise BrokenExchangeError(error.strerror or str(error) or type(error).__name__, reply.status) from None
        except NotHttpError as error:
            raise BrokenExchangeError(str(error), reply.status) from None
        self._reply = ReplyReader()  # whoever asked has it now: an idle connection keeps no order book
        self.idle_since = time.monotonic()
        return reply

    def out_of_time(self) -> BrokenExchangeError:
        """Return the error of a reply that did not come in time."""
        return BrokenExchangeError("no complete reply in time", self._reply.status)

    def fileno(self) -> int:
        """Return the socket's file descriptor; -1 once it is closed."""
        return self._sock.fileno() if self._sock is not None else -1

    def abort(self) -> None:
        """Break the connection, from any thread. The thread that uses it gets an error."""
        self._aborted = True
        if self._sock is not None:
            with suppress(OSError):
                # Not the method of SSLSocket: it drops the encryption before it shuts the socket, and a thread that
                # is sending at that moment would go on in plain text.
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket."""
        if self._sock is not None:
            self._sock.close()


def _family(source: str | None) -> socket.AddressFamily:
    """Return the address family that matches a local address."""
    if source is None:
        return socket.AF_UNSPEC
    return socket.AF_INET6 if ":" in source else socket.AF_INET


def _open_tunnel(sock: socket.socket, endpoint: Endpoint, proxy: Proxy, deadline: float) -> None:
    """Have the proxy open a tunnel to the host (CONNECT, RFC 9110, 9.3.6). Raises OSError if it refuses."""
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    authorization = f"Proxy-Authorization: {proxy.authorization}\r\n" if proxy.authorization else ""
    target = f"{host}:{endpoint.port}"
    sock.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        sock.settimeout(remaining(deadline))
        # A byte at a time: what comes after the head belongs to the host.
        if not (byte := sock.recv(1)) or len(head) > _PROXY_HEAD_LIMIT:
            raise ConnectionRefusedError("the proxy opened no tunnel")
        head += byte
    version, _, rest = head.partition(b" ")
    if not version.startswith(b"HTTP/1.") or not rest.startswith(b"2"):
        said = ascii(head.split(b"\r\n")[0][:100].decode(errors="replace"))[1:-1]
        raise ConnectionRefusedError(f"the proxy opened no tunnel: {said}")


def _wait(sock: socket.socket, events: int, deadline: float) -> None:
    """Wait until a socket is readable or writable. Raises TimeoutError at ``deadline``."""
    poll = select.poll()
    poll.register(sock, events)
    if not poll.poll(remaining(deadline) * 1000):
        raise TimeoutError("the deadline has passed")


def remaining(deadline: float) -> float:
    """Return the seconds until ``deadline``. Raises TimeoutError if it has passed."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("the deadline has passed")
    return seconds
