"""A server and sockets that answer as a test says, also with what no broker should answer."""

import base64
import hashlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

CLIENT_ID = "1000000001"
TOKEN = "canary-token-0123456789"
FIXTURES = Path(__file__).parent / "fixtures"


Step = Callable[[socket.socket], bool]


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def payload(self) -> object:
        return json.loads(self.body)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def http(status: int, body: bytes = b"", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


class FaultServer:
    """Answers each request with the next scripted step, byte for byte."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/v2"
        self._tls = tls
        self._steps: Queue[Step] = Queue()
        self.requests: list[Seen] = []
        self.accepted: Queue[socket.socket] = Queue()
        self.connections = 0
        self.arrived: Queue[Seen] = Queue()
        self.stopping = threading.Event()
        self.pace = 0.002
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def will_send(self, raw: bytes, *, then: str = "keep") -> None:
        def step(connection: socket.socket) -> bool:
            connection.sendall(raw)
            if then == "close":
                connection.close()
            elif then == "reset":
                reset(connection)
            return then == "keep"

        self._steps.put(step)

    def will_answer(self, status: int, document: object = None, headers: str = "") -> None:
        body = b"" if document is None else document if isinstance(document, bytes) else json.dumps(document).encode()
        self.will_send(http(status, body, headers))

    def will_reset(self) -> None:
        self.will_send(b"", then="reset")

    def will_hang(self) -> None:
        self._steps.put(lambda _: bool(self.stopping.wait()) and False)

    def will_drip(self, first: bytes, drop: bytes) -> None:
        """Send ``first``, and then ``drop`` again and again for as long as the client listens."""

        def step(connection: socket.socket) -> bool:
            connection.sendall(first)
            while not self.stopping.wait(self.pace):
                connection.sendall(drop)
            return False

        self._steps.put(step)

    def stop(self) -> None:
        self.stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            self.accepted.put(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError):
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            file = connection.makefile("rb")
            while seen := _read_request(file):
                self.requests.append(seen)
                self.arrived.put(seen)
                if seen.path.startswith("/v2/echo"):
                    connection.sendall(http(200, json.dumps(seen.path).encode()))
                elif not self._steps.get(timeout=5)(connection):
                    return


def _read_request(file) -> Seen | None:  # type: ignore[no-untyped-def]
    head = file.readline().decode()
    if not head:
        return None
    method, path, _ = head.split(" ")
    headers = {}
    while (line := file.readline().decode().strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Seen(method, path, headers, file.read(int(headers.get("content-length", 0))))


class Sockets:
    """A websocket server of raw frames: does the handshake, reads the login, then does as the test says."""

    def __init__(self, handshake: bytes | None = None, tls: tuple[Path, Path] | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._tls: ssl.SSLContext | None = None
        if tls:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*tls)
        self.url = f"{'wss' if tls else 'ws'}://127.0.0.1:{self._listener.getsockname()[1]}"
        self._handshake = handshake
        self.ready: Queue[socket.socket] = Queue()
        self.logins: Queue[object] = Queue()
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            connection, _ = self._listener.accept()
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._open.append(connection)
            file = connection.makefile("rb")
            key = b""
            while (line := file.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                if name.lower() == b"sec-websocket-key":
                    key = value.strip()
            if self._handshake is not None:
                connection.sendall(self._handshake)
                connection.close()
                return
            accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())  # noqa: S324
            connection.sendall(
                b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )
            opcode, payload = read_client_frame(file)
            assert opcode == 1
            self.logins.put(json.loads(payload))
            self.ready.put(connection)

    @staticmethod
    def frame(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
        length = len(payload)
        if length < 126:
            size = struct.pack("!B", length)
        else:
            size = struct.pack("!BH", 126, length) if length < 65_536 else struct.pack("!BQ", 127, length)
        return bytes([opcode | (0x80 if fin else 0)]) + size + payload

    def read(self, connection: socket.socket) -> tuple[int, bytes]:
        return read_client_frame(connection.makefile("rb", buffering=0))

    reset = staticmethod(reset)

    def stop(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._thread.join(5)


def read_client_frame(file) -> tuple[int, bytes]:  # type: ignore[no-untyped-def]
    first, second = file.read(2)
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack("!H", file.read(2))
    mask = file.read(4)
    data = file.read(size) if size else b""
    return first & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
