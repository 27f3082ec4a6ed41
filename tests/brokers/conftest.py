import json
import ssl
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from copytrade.brokers.dhan.rest import DhanRest
from copytrade.brokers.http.client import Transport
from copytrade.core.model.orders import IST
from tests.brokers.fault_server import CLIENT_ID, FIXTURES, TOKEN, FaultServer, Sockets


@pytest.fixture
def server() -> Iterator[FaultServer]:
    running = FaultServer()
    yield running
    running.stop()


@pytest.fixture
def other_server() -> Iterator[FaultServer]:
    running = FaultServer()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody has signed, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


@pytest.fixture
def tls_server(certificate: tuple[Path, Path]) -> Iterator[FaultServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    running = FaultServer(context)
    yield running
    running.stop()


@pytest.fixture
def transport_to() -> Iterator[Callable[..., Transport]]:
    made = []

    def make(url: str, **settings: object) -> Transport:
        transport = Transport(url, CLIENT_ID, SecretStr(TOKEN), **settings)  # type: ignore[arg-type]
        made.append(transport)
        return transport

    yield make
    for transport in made:
        transport.close()


@pytest.fixture
def rest(server: FaultServer, transport_to: Callable[..., Transport]) -> DhanRest:
    return DhanRest(transport_to(server.url, request_timeout=2.0), CLIENT_ID)


@pytest.fixture
def sockets() -> Iterator[Callable[..., Sockets]]:
    made: list[Sockets] = []

    def make(handshake: bytes | None = None, tls: tuple[Path, Path] | None = None) -> Sockets:
        made.append(Sockets(handshake, tls))
        return made[-1]

    yield make
    for running in made:
        running.stop()


@pytest.fixture(scope="session")
def frames() -> dict[str, object]:
    return json.loads((FIXTURES / "order-updates.json").read_text())


@pytest.fixture(scope="session")
def book() -> dict[str, object]:
    return json.loads((FIXTURES / "orderbook.json").read_text())


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 11, 23, 10, 15, 2, tzinfo=IST)
