import logging
import ssl
import threading
from datetime import timedelta
from queue import Queue

import pytest
from pydantic import SecretStr

from copytrade.brokers.api import EndKind, FeedEnded
from copytrade.brokers.dhan.decode import FRAME_LIMIT
from copytrade.brokers.dhan.feed.connection import FeedConnection, connect

TOKEN = "canary-token-0123456789"
CLOSE = 8
PING = 9
PONG = 10


class Reader:
    """Runs a connection in a thread, as its owner does."""

    def __init__(self, connection):
        self.connection = connection
        self.frames = []
        self.arrived = Queue()
        self.end = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        self.end = self.connection.run(self._take)

    def _take(self, frame):
        self.frames.append(frame)
        self.arrived.put(frame)

    def join(self):
        self._thread.join(5)
        assert not self._thread.is_alive()
        return self.end

    @property
    def payloads(self):
        return [frame.payload for frame in self.frames]


@pytest.fixture
def connected(sockets):
    readers = []

    def make(read_timeout=5.0):
        server = sockets()
        connection = connect(server.url, "1000000001", SecretStr(TOKEN), read_timeout=read_timeout)
        assert isinstance(connection, FeedConnection)
        readers.append(Reader(connection))
        return server, server.ready.get(timeout=5), readers[-1]

    yield make
    for reader in readers:
        reader.connection.close()
        reader.join()


def test_the_login_is_what_the_broker_documents(connected, frames):
    server, _, _ = connected()
    login = frames["login"] | {"LoginReq": frames["login"]["LoginReq"] | {"Token": TOKEN}}
    assert server.logins.get(timeout=5) == login


def test_frames_arrive_in_order_and_a_close_frame_ends_it(connected):
    server, peer, reader = connected()
    peer.sendall(server.frame(1, b'{"a":1}') + server.frame(2, b"\x00\x00\x32\x03") + server.frame(1, b"\xff"))
    peer.sendall(server.frame(1, b"he", fin=False) + server.frame(PING, b"x") + server.frame(0, b"llo"))
    peer.sendall(server.frame(1, b"y" * 2000) + server.frame(CLOSE, (4401).to_bytes(2, "big") + b"bad token"))
    assert reader.join() == FeedEnded(EndKind.CLOSED, 4401, "bad token")
    assert reader.payloads == [b'{"a":1}', b"\x00\x00\x32\x03", b"\xff", b"hello", b"y" * 2000]
    assert server.read(peer) == (PONG, b"x")


def test_frames_carry_the_time_of_their_receipt(connected):
    server, peer, reader = connected()
    peer.sendall(server.frame(1, b"1") + server.frame(1, b"2") + server.frame(CLOSE, b""))
    assert reader.join() == FeedEnded(EndKind.CLOSED, None, "")
    first, second = reader.frames
    assert first.received_at.utcoffset() == timedelta(hours=5, minutes=30)
    assert first.received_monotonic <= second.received_monotonic <= reader.connection.last_heard


def test_a_reset_ends_it(connected):
    _, peer, reader = connected()
    peer.shutdown(2)
    assert reader.join().kind is EndKind.RESET


@pytest.mark.parametrize(
    "junk", [b"\xff\x80\x00\x00\x00\x00", b"\x83\x00", b"\xc1\x00", b"\x89\x7e\x01\x00" + b"x" * 256]
)
def test_what_is_no_websocket_ends_it(connected, junk):
    _, peer, reader = connected()
    peer.sendall(junk)
    assert reader.join().kind is EndKind.RESET


@pytest.mark.parametrize("promised", [2**62, 2**40, FRAME_LIMIT + 1])
def test_a_frame_that_promises_more_than_any_update_has_is_refused_by_its_header(connected, promised):
    _, peer, reader = connected()
    peer.sendall(b"\x81\x7f" + promised.to_bytes(8, "big"))
    end = reader.join()
    assert (end.kind, reader.payloads) == (EndKind.RESET, [])
    assert str(promised) in end.reason


def test_a_message_in_many_frames_is_not_longer_either(connected):
    server, peer, reader = connected()
    piece = b"x" * (FRAME_LIMIT // 4)
    peer.sendall(server.frame(1, piece, fin=False) + server.frame(0, piece, fin=False) * 3)
    peer.sendall(server.frame(PING, b"x"))
    assert server.read(peer) == (PONG, b"x")
    peer.sendall(server.frame(0, b"x", fin=False))
    assert reader.join().kind is EndKind.RESET


def test_a_frame_as_long_as_may_be_comes_through(connected):
    server, peer, reader = connected()
    peer.sendall((server.frame(1, b"y" * FRAME_LIMIT)) * 2 + server.frame(CLOSE, b""))
    reader.join()
    assert [len(payload) for payload in reader.payloads] == [FRAME_LIMIT] * 2


def test_a_silent_server_is_pinged_and_then_given_up(connected):
    server, peer, reader = connected(read_timeout=0.1)
    assert server.read(peer) == (PING, b"")
    assert reader.join().kind is EndKind.SILENT


def test_an_answer_to_the_ping_is_life(connected):
    server, peer, reader = connected(read_timeout=0.4)
    for _ in range(2):
        assert server.read(peer) == (PING, b"")
        peer.sendall(server.frame(PONG, b""))
    peer.sendall(server.frame(CLOSE, (1000).to_bytes(2, "big")))
    assert reader.join().kind is EndKind.CLOSED


def test_a_frame_in_pieces_survives_timeouts(connected):
    server, peer, reader = connected(read_timeout=0.4)
    frame = server.frame(1, b"whole")
    peer.sendall(frame[:4])
    assert server.read(peer) == (PING, b"")
    peer.sendall(frame[4:] + server.frame(CLOSE, b""))
    assert reader.join().kind is EndKind.CLOSED
    assert reader.payloads == [b"whole"]


def test_closing_wakes_a_reader_that_waits(connected):
    _, _, reader = connected(read_timeout=600.0)
    reader.connection.close()
    assert reader.join().kind is EndKind.STOPPED


def test_over_tls_too(sockets, certificate):
    server = sockets(tls=certificate)
    trust = ssl.create_default_context(cafile=certificate[0])
    reader = Reader(connect(server.url, "1000000001", SecretStr(TOKEN), tls=trust))
    server.ready.get(timeout=5).sendall(server.frame(1, b"hello"))
    reader.arrived.get(timeout=5)
    reader.connection.close()
    assert reader.join().kind is EndKind.STOPPED
    assert reader.payloads == [b"hello"]


def test_closing_before_and_after_reading_is_harmless(sockets):
    server = sockets()
    connection = connect(server.url, "1", SecretStr(TOKEN))
    connection.close()
    assert connection.run(lambda frame: None).kind is EndKind.STOPPED
    connection.close()
    assert connection.run(lambda frame: None).kind is EndKind.STOPPED


def test_what_the_receiver_raises_closes_the_socket(sockets):
    server = sockets()
    connection = connect(server.url, "1", SecretStr(TOKEN))
    peer = server.ready.get(timeout=5)
    peer.sendall(server.frame(1, b"1"))

    def fail(frame):
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        connection.run(fail)
    peer.settimeout(5)
    assert peer.recv(1) == b""


@pytest.mark.parametrize(
    ("handshake", "status"),
    [
        (b"HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n", 429),
        (b"HTTP/1.1 200 OK\r\n\r\n", 200),
        (b"HTTP/1.1 101 X\r\n\r\n", None),
        (b"what?\r\n\r\n", None),
        (b"", None),
    ],
)
def test_a_refused_handshake_is_told(sockets, handshake, status):
    end = connect(sockets(handshake).url, "1", SecretStr(TOKEN))
    assert isinstance(end, FeedEnded)
    assert (end.kind, end.http_status) == (EndKind.REFUSED, status)


def test_redirects_are_not_followed(sockets):
    elsewhere = sockets()
    moved = f"HTTP/1.1 302 Found\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n"
    end = connect(sockets(moved.encode()).url, "1", SecretStr(TOKEN))
    assert isinstance(end, FeedEnded)
    assert elsewhere.logins.empty()


def test_proxies_of_the_environment_are_ignored(sockets, server, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, server.url)
    connection = connect(sockets().url, "1", SecretStr(TOKEN))
    assert isinstance(connection, FeedConnection)
    connection.close()
    connection.run(lambda frame: None)
    assert server.connections == 0


def test_nobody_there_is_told():
    end = connect("ws://127.0.0.1:1", "1", SecretStr(TOKEN))
    assert isinstance(end, FeedEnded)
    assert end.kind is EndKind.REFUSED


def test_a_silent_handshake_ends(server):
    server.will_hang()
    end = connect(server.url.replace("http", "ws"), "1", SecretStr(TOKEN), connect_timeout=0.1)
    assert isinstance(end, FeedEnded)


@pytest.mark.parametrize("url", ["ws://api-order-update.dhan.co", "http://127.0.0.1", "127.0.0.1"])
def test_the_token_is_not_sent_in_plain_text(url):
    with pytest.raises(ValueError, match="wss"):
        connect(url, "1", SecretStr(TOKEN))


def test_the_token_shows_nowhere(connected, capfd, caplog):
    caplog.set_level(logging.DEBUG)
    server, peer, reader = connected()
    peer.sendall(server.frame(CLOSE, b""))
    end = reader.join()
    shown = "".join([*capfd.readouterr(), caplog.text, repr(reader.connection), repr(end)])
    assert TOKEN not in shown


def test_what_the_server_says_at_the_end_is_safe_to_log(connected):
    server, peer, reader = connected()
    peer.sendall(server.frame(CLOSE, (4000).to_bytes(2, "big") + b"one\ntwo\x1b[0m\xff"))
    assert reader.join() == FeedEnded(EndKind.CLOSED, 4000, r"one\ntwo\x1b[0m\xff")


def test_a_connection_that_breaks_during_the_login(server):
    server.will_reset()
    end = connect(server.url.replace("http", "ws"), "1", SecretStr(TOKEN))
    assert isinstance(end, FeedEnded)
    assert end.kind is EndKind.REFUSED
