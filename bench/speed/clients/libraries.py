"""One way to send an order over each HTTP library, and over the program's own client."""

import http.client
import importlib
import ssl
from abc import ABC, abstractmethod
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from bench.speed.clients.order import HEADERS, ORDER, body
from copytrade.brokers.http.client import Reply, Request, Transport


class Client(ABC):
    """A client with one connection. Making one raises ImportError if its library is not installed."""

    @abstractmethod
    def __init__(self, url: str, trust: str, timeout: float) -> None:
        """Prepare to talk to ``url``, trusting the certificates in the file ``trust``."""

    @abstractmethod
    def post(self, path: str) -> int:
        """Send the order and return the status. Raises what the library raises."""


class Ours(Client):
    """copytrade.brokers.http.client."""

    def __init__(self, url: str, trust: str, timeout: float) -> None:
        tls = ssl.create_default_context(cafile=trust)
        token = SecretStr(HEADERS["access-token"])
        self._transport = Transport(url, HEADERS["client-id"], token, request_timeout=timeout, tls=tls)

    def post(self, path: str) -> int:
        """Send it as the program does. Raises ConnectionError if no reply came."""
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
    """Import a library that may not be installed."""
    return importlib.import_module(name)
