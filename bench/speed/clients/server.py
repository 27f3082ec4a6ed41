"""A server on loopback that answers each path in its own way, in a process of its own.

python -m bench.speed.clients.server FOLDER     serves with the certificate in FOLDER until standard input ends
"""

import asyncio
import json
import ssl
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

#: Seconds that the reply to ``/drip`` takes.
DRIPS = 2.0


class Server:
    """The server's process. ``urls`` are its two addresses, ``trust`` the file with its certificate."""

    def __init__(self, folder: Path) -> None:
        self.trust = str(folder / "cert.pem")
        make_certificate(folder)
        command = [sys.executable, "-m", "bench.speed.clients.server", str(folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
        plain, tls = self._line().split()
        self.urls = {"plain": f"http://127.0.0.1:{plain}", "TLS": f"https://127.0.0.1:{tls}"}

    def counts(self) -> Counter[str]:
        """Return how many requests for each path have come in since the last call."""
        if self._process.stdin:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        return Counter(json.loads(self._line()))

    def stop(self) -> None:
        """End it."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(5)

    def _line(self) -> str:
        return self._process.stdout.readline() if self._process.stdout else ""


class Conversation(asyncio.Protocol):
    """One connection to the server. The answer depends on the path."""

    def __init__(self, seen: Counter[str]) -> None:
        self._seen = seen
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if not found or len(rest) < length:
            return
        self._received = b""
        path = head.split(b" ", 2)[1].decode()
        self._seen[path] += 1
        answer = b'{"orderId":"1125112500001","orderStatus":"TRANSIT"}'
        complete = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
        match path:
            case "/vanish":
                self._transport.abort()
            case "/redirect":
                self._transport.write(b"HTTP/1.1 307 T\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
            case "/drip":
                self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                self._drip(time.monotonic() + DRIPS)
            case _:
                self._transport.write(complete % (len(answer), answer))
                if path == "/last":
                    self._transport.close()

    def _drip(self, until: float) -> None:
        if time.monotonic() < until and not self._transport.is_closing():
            self._transport.write(b" ")
            asyncio.get_running_loop().call_later(0.05, self._drip, until)
        else:
            self._transport.close()


def make_certificate(folder: Path) -> None:
    """Make a certificate for 127.0.0.1, and its key."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)


async def serve(folder: Path) -> None:
    """Serve over plain TCP and over TLS until standard input ends; each line there asks for the counts."""
    seen: Counter[str] = Counter()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    loop = asyncio.get_running_loop()
    plain = await loop.create_server(lambda: Conversation(seen), "127.0.0.1", 0)
    secure = await loop.create_server(lambda: Conversation(seen), "127.0.0.1", 0, ssl=tls)
    print(plain.sockets[0].getsockname()[1], secure.sockets[0].getsockname()[1], flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(seen), flush=True)
        seen.clear()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
