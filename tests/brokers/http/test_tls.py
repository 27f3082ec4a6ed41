"""Certificates are always checked: there is no setting, variable or redirect that switches it off."""

import ssl
from pathlib import Path

import pytest
from pydantic import SecretStr

from copytrade.brokers.api import FeedEnded
from copytrade.brokers.dhan.feed.connection import connect
from copytrade.brokers.dhan.instruments.download import read_instruments
from copytrade.brokers.http.client import NotSent, Request
from tests.brokers.fault_server import TOKEN

ROOT = Path(__file__).parents[3]

#: What would switch it off, with the libraries that the program uses.
SWITCHES = (
    "CERT_NONE",
    "CERT_OPTIONAL",
    "_unverified_",
    "check_hostname",
    "verify_mode",
    "verify=False",
    "sslopt",
    "SSLContext(",
)

#: What some programs take for a wish not to check.
VARIABLES = {
    "PYTHONHTTPSVERIFY": "0",
    "CURL_CA_BUNDLE": "",
    "REQUESTS_CA_BUNDLE": "",
    "WEBSOCKET_CLIENT_CA_BUNDLE": "/nowhere",
    "HTTPS_PROXY": "http://127.0.0.1:1",
}


@pytest.fixture(params=["as it is", "with every variable set"])
def surroundings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param != "as it is":
        for name, value in VARIABLES.items():
            monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("surroundings")
def test_requests_go_to_nobody_whose_certificate_is_unknown(tls_server, transport_to):
    assert isinstance(transport_to(tls_server.url).send(Request("GET", "/orders")), NotSent)
    assert tls_server.requests == []


@pytest.mark.usefixtures("surroundings")
def test_logins_go_to_nobody_whose_certificate_is_unknown(tls_server):
    end = connect(tls_server.url.replace("https", "wss"), "1", SecretStr(TOKEN))
    assert isinstance(end, FeedEnded)
    assert "CERTIFICATE" in end.reason.upper()
    assert tls_server.requests == []


@pytest.mark.usefixtures("surroundings")
def test_instruments_come_from_nobody_whose_certificate_is_unknown(tls_server):
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        read_instruments(f"{tls_server.url}/master.csv")
    assert tls_server.requests == []


def test_a_certificate_for_another_host_is_refused(tls_server, transport_to, certificate):
    trust = ssl.create_default_context(cafile=certificate[0])
    elsewhere = tls_server.url.replace("127.0.0.1", "localhost")
    assert isinstance(transport_to(elsewhere, tls=trust).send(Request("GET", "/orders")), NotSent)
    assert (tls_server.connections, tls_server.requests) == (1, [])


def test_a_redirect_does_not_lead_out_of_tls(server, other_server):
    server.will_answer(302, None, f"Location: {other_server.url}/master.csv\r\n")
    with pytest.raises(OSError, match="not https"):
        read_instruments(f"{server.url}/master.csv")
    assert other_server.requests == []


def test_no_line_of_the_program_switches_it_off_and_none_trusts_others_than_the_system():
    sources = [*(ROOT / "copytrade").rglob("*.py"), *(ROOT / "actors").rglob("*.py"), ROOT / "run.py"]
    assert len(sources) > 80
    for path in sources:
        text = path.read_text()
        assert [switch for switch in SWITCHES if switch in text] == [], path
        # A context is given by tests alone; the program takes the system's trusted certificates.
        given = [line for line in text.splitlines() if " tls=" in line or "(tls=" in line]
        assert given == ["            tls=(tls or trusted()) if secure else None,"] * bool(given), path
