"""A proxy that opens tunnels."""

import socket
import threading
from contextlib import suppress


class ConnectProxy:
    """Opens tunnels from ``source``, or answers every CONNECT with ``refusal``."""

    def __init__(self, refusal: bytes = b"", source: str = "127.0.0.1") -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._refusal = refusal
        self._source = source
        self.heads: list[str] = []
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        for sock in (self._listener, *self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                threading.Thread(target=self._tunnel, args=(client,), daemon=True).start()

    def _tunnel(self, client: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        self.heads.append(head.decode())
        if self._refusal:
            client.sendall(self._refusal)
            client.close()
            return
        host, _, port = head.split(b" ")[1].decode().rpartition(":")
        server = socket.create_connection((host, int(port)), source_address=(self._source, 0))
        self._open.append(server)
        client.sendall(b"HTTP/1.1 200 Connection established\r\nVia: a test\r\n\r\n")
        threading.Thread(target=_pour, args=(server, client), daemon=True).start()
        _pour(client, server)


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
