"""What one request costs with each HTTP client, and what each does that this program must not do by accident.

python -m bench.speed.clients                    every client that is installed (pip install -e '.[bench]')
python -m bench.speed.clients --only niquests    in an environment of its own: it takes the place of urllib3

A server on loopback, in a process of its own, answers an order at once. Each client keeps one connection; a request is
an order of the usual size, encoded anew each time.
"""

import argparse
import asyncio
import http.client
import importlib
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from copytrade.brokers.http.client import Reply, Request, Transport

ORDER: dict[str, object] = {
    "dhanClientId": "1000000001",
    "correlationId": "ct-179547170902100-1",
    "transactionType": "BUY",
    "exchangeSegment": "NSE_FNO",
    "productType": "MARGIN",
    "orderType": "LIMIT",
    "validity": "DAY",
    "securityId": "45674",
    "quantity": 65,
    "price": 100.05,
}

HEADERS = {
    "access-token": "t" * 300,
    "client-id": "1000000001",
    "Content-Type": "application/json",
    "Accept": "application/json",
}

#: Seconds that a client is told to wait, and that a reply which drips takes.
TIMEOUT, DRIPS = 0.5, 2.0

WARM_UP = 100


class Client(ABC):
    """One client with one connection; a missing library is an ImportError when it is made."""

    @abstractmethod
    def __init__(self, url: str, trust: str, timeout: float) -> None:
        """Prepare to talk to ``url``, trusting the certificates in the file ``trust``."""

    @abstractmethod
    def post(self, path: str) -> int:
        """Send the order and return the status. Raises whatever the library raises."""


class Ours(Client):
    """copytrade.brokers.http.client."""

    def __init__(self, url: str, trust: str, timeout: float) -> None:
        tls = ssl.create_default_context(cafile=trust)
        token = SecretStr(HEADERS["access-token"])
        self._transport = Transport(url, HEADERS["client-id"], token, request_timeout=timeout, tls=tls)

    def post(self, path: str) -> int:
        """Send it as the program does."""
        reply = self._transport.send(Request("POST", path, ORDER))
        if not isinstance(reply, Reply):
            raise ConnectionError(reply.cause)
        return reply.status


class HttpClient(Client):
    """The standard library's http.client, as documented."""

    def __init__(self, url: str, trust: str, timeout: float) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
        if parts.scheme == "https":
            tls = ssl.create_default_context(cafile=trust)
            self._connection = http.client.HTTPSConnection(parts.netloc, timeout=timeout, context=tls)

    def post(self, path: str) -> int:
        """Send it, and read the reply to its end, so that the connection can be used again."""
        self._connection.request("POST", path, body(), HEADERS)
        response = self._connection.getresponse()
        response.read()
        return response.status


class Urllib3(Client):
    """urllib3's PoolManager."""

    def __init__(self, url: str, trust: str, timeout: float) -> None:
        self._url, self._pool = url, library("urllib3").PoolManager(ca_certs=trust, timeout=timeout)

    def post(self, path: str) -> int:
        """Send it."""
        return int(self._pool.request("POST", self._url + path, body=body(), headers=HEADERS).status)


class Requests(Client):
    """A Session of requests, which is what the broker's SDK uses."""

    _name = "requests"

    def __init__(self, url: str, trust: str, timeout: float) -> None:
        self._url, self._session = url, library(self._name).Session()
        self._every: dict[str, Any] = {"timeout": timeout, "headers": HEADERS, "verify": trust}

    def post(self, path: str) -> int:
        """Send it."""
        return int(self._session.post(self._url + path, data=body(), **self._every).status_code)


class Niquests(Requests):
    """A Session of niquests."""

    _name = "niquests"


class Httpx(Client):
    """A Client of httpx."""

    def __init__(self, url: str, trust: str, timeout: float) -> None:
        tls = ssl.create_default_context(cafile=trust)
        self._url, self._client = url, library("httpx").Client(verify=tls, timeout=timeout)

    def post(self, path: str) -> int:
        """Send it."""
        return int(self._client.post(self._url + path, content=body(), headers=HEADERS).status_code)


class Pycurl(Client):
    """A handle of libcurl."""

    def __init__(self, url: str, trust: str, timeout: float) -> None:
        self._pycurl = library("pycurl")
        self._url, self._handle = url, self._pycurl.Curl()
        self._handle.setopt(self._pycurl.CAINFO, trust)
        self._handle.setopt(self._pycurl.TIMEOUT_MS, int(timeout * 1000))
        self._handle.setopt(self._pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in HEADERS.items()])
        self._handle.setopt(self._pycurl.WRITEFUNCTION, lambda _: None)

    def post(self, path: str) -> int:
        """Send it."""
        self._handle.setopt(self._pycurl.URL, self._url + path)
        self._handle.setopt(self._pycurl.POSTFIELDS, body())
        self._handle.perform()
        return int(self._handle.getinfo(self._pycurl.RESPONSE_CODE))


CLIENTS: dict[str, type[Client]] = {
    "ours": Ours,
    "http.client": HttpClient,
    "urllib3": Urllib3,
    "requests": Requests,
    "niquests": Niquests,
    "httpx": Httpx,
    "pycurl": Pycurl,
}


def library(name: str) -> Any:
    """Import a library that may not be there."""
    return importlib.import_module(name)


def body() -> bytes:
    """Return the order as it travels."""
    return json.dumps(ORDER, separators=(",", ":")).encode()


class Server:
    """The server's process, and its two addresses."""

    def __init__(self, folder: Path) -> None:
        self.trust = str(folder / "cert.pem")
        make_certificate(folder)
        command = [sys.executable, "-m", "bench.speed.clients", "--serve", str(folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
        plain, tls = self._line().split()
        self.urls = {"plain": f"http://127.0.0.1:{plain}", "TLS": f"https://127.0.0.1:{tls}"}

    def counts(self) -> Counter[str]:
        """Return how many requests for each path have come in since this was asked last."""
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
    """One connection to the server: what is answered depends on the path."""

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
    """Serve plainly and over TLS until standard input ends; each line there asks for the counts."""
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


def cost(kind: type[Client], url: str, trust: str, requests: int) -> tuple[float, float]:
    """Return the microseconds of a request, the median, and of our processor time, the mean."""
    client = kind(url, trust, 5.0)
    for _ in range(WARM_UP):
        client.post("/orders")
    times = []
    cpu = time.process_time()
    for _ in range(requests):
        began = time.perf_counter()
        client.post("/orders")
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6, (time.process_time() - cpu) / requests * 1e6


def behaviour(kind: type[Client], server: Server) -> dict[str, str]:
    """Return what a client does, left at its defaults, in each situation that has to be known."""
    url, trust = server.urls["plain"], server.trust

    def ask(*paths: str) -> tuple[str, Counter[str]]:
        """Send one request after the other over one client; return how the last ended, and what the server got."""
        client = kind(url, trust, TIMEOUT)
        server.counts()
        for path in paths[:-1]:
            client.post(path)
            time.sleep(0.05)
        try:
            ended = str(client.post(paths[-1]))
        except Exception as error:  # every library has its own
            ended = type(error).__name__
        return ended, server.counts()

    stale, _ = ask("/last", "/orders")
    lost, came = ask("/orders", "/vanish")
    redirected, led = ask("/redirect")
    began = time.monotonic()
    dripped, _ = ask("/drip")
    took = time.monotonic() - began
    os.environ["http_proxy"] = "http://127.0.0.1:9"
    proxied, direct = ask("/orders")
    del os.environ["http_proxy"]
    return {
        "idle connection closed by the server": "opens another" if stale == "200" else f"fails ({stale})",
        "connection lost after the request": f"sent {came['/vanish']}x, {lost}",
        "redirect of a POST": "followed" if led["/elsewhere"] else f"not followed ({redirected})",
        "reply drips": f"ends after {took:.1f} s ({dripped})",
        "http_proxy": "ignored" if direct["/orders"] else f"obeyed ({proxied})",
    }


def main() -> None:
    """Measure and print two tables, ready for a document."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed.clients", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=CLIENTS, default=list(CLIENTS), help="which clients")
    parser.add_argument("--requests", type=int, default=2000, help="in each repetition")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.serve))
        return
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            _compare(server, options.only, options.requests, options.repetitions)
        finally:
            server.stop()


def _compare(server: Server, names: list[str], requests: int, repetitions: int) -> None:
    there = []
    for name in names:
        try:
            CLIENTS[name](server.urls["plain"], server.trust, TIMEOUT)
        except ImportError as error:
            print(f"{name}: left out, {error}")
        else:
            there.append(name)
    print(f"\nmicroseconds a request, median of {repetitions} repetitions of {requests} (least to most)\n")
    print("| client | plain | CPU | TLS | CPU |\n|---|---|---|---|---|")
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(repetitions):  # in turns, so that what disturbs one disturbs all
        for name in there:
            for wire, url in server.urls.items():
                found.setdefault((name, wire), []).append(cost(CLIENTS[name], url, server.trust, requests))
    for name in there:
        cells = [_cell(values) for wire in server.urls for values in zip(*found[name, wire], strict=True)]
        print(f"| {name} | {' | '.join(cells)} |")
    shown = {name: behaviour(CLIENTS[name], server) for name in there}
    situations = list(shown[there[0]])
    print(f"\n| client | {' | '.join(situations)} |\n|{'---|' * (len(situations) + 1)}")
    for name in there:
        print(f"| {name} | {' | '.join(shown[name].values())} |")


def _cell(values: tuple[float, ...]) -> str:
    return f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


if __name__ == "__main__":
    main()
