"""The way out: which address the broker sees, and through which proxy."""

import base64
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from copytrade.brokers.http.client import NotSent, Reply, Request, Transport
from tests.brokers.fault_server import CLIENT_ID, TOKEN, FaultServer
from tests.support.proxying import ConnectProxy

READ = Request("GET", "/echo")


@pytest.fixture
def proxy() -> Iterator[ConnectProxy]:
    running = ConnectProxy()
    yield running
    running.stop()


def test_requests_come_from_the_address_that_is_set(
    server: FaultServer, transport_to: Callable[..., Transport]
) -> None:
    transport = transport_to(server.url, source_address="127.0.0.2")
    assert isinstance(transport.send(READ), Reply)
    assert server.accepted.get(timeout=5).getpeername()[0] == "127.0.0.2"


def test_an_address_that_this_machine_does_not_have_sends_nothing(
    server: FaultServer, transport_to: Callable[..., Transport]
) -> None:
    outcome = transport_to(server.url, source_address="203.0.113.7").send(READ)
    assert isinstance(outcome, NotSent)
    assert "assign requested address" in outcome.cause
    assert server.connections == 0


def test_a_tunnel_carries_plain_http_on_this_machine(
    server: FaultServer, proxy: ConnectProxy, transport_to: Callable[..., Transport]
) -> None:
    transport = transport_to(server.url, proxy=SecretStr(f"http://{proxy.address}"))
    assert isinstance(transport.send(READ), Reply)
    assert isinstance(transport.send(READ), Reply)
    assert [head.split("\r\n")[0] for head in proxy.heads] == [f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"]
    assert TOKEN not in proxy.heads[0]
    assert server.requests[0].headers["access-token"] == TOKEN


def test_through_a_tunnel_tls_is_spoken_with_the_broker_itself(
    tls_server: FaultServer,
    certificate: tuple[Path, Path],
    proxy: ConnectProxy,
    transport_to: Callable[..., Transport],
) -> None:
    tls = ssl.create_default_context(cafile=str(certificate[0]))
    transport = transport_to(tls_server.url, proxy=SecretStr(f"http://me:p%40ss@{proxy.address}/"), tls=tls)
    assert isinstance(transport.send(READ), Reply)
    (head,) = proxy.heads
    assert f"Proxy-Authorization: Basic {base64.b64encode(b'me:p@ss').decode()}\r\n" in head


def test_a_proxy_whose_host_shows_no_trusted_certificate_gets_nothing(
    tls_server: FaultServer, proxy: ConnectProxy, transport_to: Callable[..., Transport]
) -> None:
    outcome = transport_to(tls_server.url, proxy=SecretStr(f"http://{proxy.address}")).send(READ)
    assert isinstance(outcome, NotSent)
    assert "certificate verify failed" in outcome.cause
    assert not tls_server.requests


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407 Proxy Authentication Required"),
        (b"SSH-2.0-x\r\n\r\n", "SSH-2.0-x"),
        (b"\r\n\r\n", "no tunnel"),
        (b"x" * 20_000, "no tunnel"),
    ],
)
def test_a_proxy_that_opens_no_tunnel_is_told_of(
    server: FaultServer, transport_to: Callable[..., Transport], said: bytes, cause: str
) -> None:
    refusing = ConnectProxy(said)
    try:
        outcome = transport_to(server.url, proxy=SecretStr(f"http://me:canary@{refusing.address}")).send(READ)
    finally:
        refusing.stop()
    assert isinstance(outcome, NotSent)
    assert cause in outcome.cause
    assert "canary" not in outcome.cause
    assert not server.requests


def test_a_proxy_that_says_nothing_is_given_up(server: FaultServer, transport_to: Callable[..., Transport]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        proxy = SecretStr(f"http://127.0.0.1:{silent.getsockname()[1]}")
        outcome = transport_to(server.url, proxy=proxy, connect_timeout=0.2).send(READ)
    assert isinstance(outcome, NotSent)


@pytest.mark.parametrize(
    ("base", "proxy"),
    [
        ("https://api.example/v2", "https://me:canary@proxy.example"),
        ("https://api.example/v2", "socks5://me:canary@proxy.example"),
        ("https://api.example/v2", "http://me:canary@proxy.example/path"),
        ("http://127.0.0.1/v2", "http://me:canary@proxy.example:3128"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_without_its_password(base: str, proxy: str) -> None:
    with pytest.raises(ValueError, match="proxy") as caught:
        Transport(base, CLIENT_ID, SecretStr(TOKEN), proxy=SecretStr(proxy))
    assert "canary" not in str(caught.value)
    transport = Transport("https://api.example/v2", CLIENT_ID, SecretStr(TOKEN), proxy=SecretStr("http://a:canary@b"))
    assert "canary" not in f"{transport!r} {transport._connections._endpoint!r}"
