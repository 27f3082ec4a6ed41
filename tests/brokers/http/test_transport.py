import json
import socket
import ssl
import threading

import pytest
from pydantic import SecretStr

from copytrade.brokers.http.client import Lost, NotSent, Reply, Request, Transport
from tests.support.waiting import eventually

READ = Request("GET", "/orders")
TOKEN = "canary-token-0123456789"


def test_a_request_is_sent_as_the_broker_wants_it(server, transport_to):
    server.will_answer(200, [])
    reply = transport_to(server.url).send(Request("POST", "/orders", {"price": 100.05}))
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body) == (200, b"[]")
    seen = server.requests[0]
    assert (seen.method, seen.path, seen.body) == ("POST", "/v2/orders", b'{"price":100.05}')
    assert seen.headers == {
        "host": f"127.0.0.1:{server.port}",
        "access-token": TOKEN,
        "client-id": "1000000001",
        "content-type": "application/json",
        "accept": "application/json",
        "content-length": "16",
    }


def test_requests_share_one_connection(server, transport_to):
    transport = transport_to(server.url)
    for _ in range(3):
        server.will_answer(200, [])
        assert isinstance(transport.send(READ), Reply)
    assert server.connections == 1


def test_a_chunked_reply_is_read_whole_and_its_connection_used_again(server, transport_to):
    transport = transport_to(server.url)
    server.will_send(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n1\r\n]\r\n0\r\n\r\n")
    server.will_answer(200, [])
    assert transport.send(READ).body == b"[]"
    assert isinstance(transport.send(READ), Reply)
    assert server.connections == 1


def test_a_reply_without_length_ends_with_its_connection(server, transport_to):
    transport = transport_to(server.url)
    server.will_send(b"HTTP/1.1 200 X\r\n\r\n[]", then="close")
    server.will_answer(200, [])
    assert transport.send(READ).body == b"[]"
    assert isinstance(transport.send(READ), Reply)
    assert server.connections == 2


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "http://localhost:1", f"https://{'a' * 70}.invalid"])
def test_no_connection_means_not_sent(transport_to, address):
    assert isinstance(transport_to(address).send(READ), NotSent)


def test_tls_that_is_not_tls_means_not_sent(server, transport_to):
    reply = transport_to(server.url.replace("http", "https"), connect_timeout=0.2).send(READ)
    assert isinstance(reply, NotSent)
    assert server.requests == []


def test_over_tls_connections_made_ahead_are_used(tls_server, transport_to, certificate):
    transport = transport_to(tls_server.url, tls=ssl.create_default_context(cafile=certificate[0]))
    assert transport.warm(1) == 1
    for _ in range(3):
        tls_server.will_answer(200, [])
        assert isinstance(transport.send(READ), Reply)
    assert tls_server.connections == 1


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n"


@pytest.mark.parametrize(
    ("sent", "then"),
    [
        (b"", "close"),
        (b"", "reset"),
        (b"HTTP/1.1 20", "close"),
        (b"HTTP/1.1 202 Accepted\r\nContent-Le", "close"),
        (b"HTTP/1.1 202 Accepted\r\n", "close"),
        (HEAD + b'\r\n{"orderId":"1"}', "close"),
        (HEAD + b'\r\n{"orderId":"1"}', "reset"),
        (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{"orderId":"1"}', "close"),
        (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf\r\n{"orderId":"1"}\r\n', "close"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n", "close"),
        (b"SMTP ready\r\n\r\n", "close"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "keep"),
    ],
)
def test_a_reply_that_is_not_whole_is_lost(server, transport_to, sent, then):
    server.will_send(sent, then=then)
    assert isinstance(transport_to(server.url).send(READ), Lost)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"a"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (HEAD + b"\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
)
def test_a_dripping_reply_does_not_outlive_the_deadline(server, transport_to, first, drop):
    server.will_drip(first, drop)
    reply = transport_to(server.url, request_timeout=0.15).send(READ)
    assert isinstance(reply, Lost)
    assert not server.stopping.is_set()


def test_silence_ends_at_the_deadline(server, transport_to):
    server.will_hang()
    assert transport_to(server.url, request_timeout=0.1).send(READ).cause == "no complete reply in time"


def test_the_status_of_a_half_reply_is_told(server, transport_to):
    server.will_send(HEAD + b"\r\n{", then="close")
    reply = transport_to(server.url).send(READ)
    assert isinstance(reply, Lost)
    assert reply.status == 200


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(server, other_server, transport_to, status):
    server.will_answer(status, None, f"Location: {other_server.url}/orders\r\n")
    reply = transport_to(server.url).send(Request("POST", "/orders", {"a": 1}))
    assert isinstance(reply, Reply)
    assert reply.status == status
    assert other_server.connections == 0


def test_proxies_of_the_environment_are_ignored(server, other_server, transport_to, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, other_server.url)
    server.will_answer(200, [])
    assert isinstance(transport_to(server.url).send(READ), Reply)
    assert other_server.connections == 0


def test_a_connection_that_the_server_has_closed_is_not_used(server, transport_to):
    transport = transport_to(server.url)
    server.will_send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
    assert isinstance(transport.send(READ), Reply)
    idle = server.accepted.get(timeout=5)
    idle.shutdown(2)
    server.will_answer(200, [])
    assert isinstance(transport.send(READ), Reply)
    assert server.connections == 2


@pytest.mark.parametrize("junk", [b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"])
def test_a_connection_with_something_unasked_on_it_is_not_used(server, transport_to, junk):
    transport = transport_to(server.url)
    server.will_send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]" + junk)
    server.will_answer(200, [1])
    assert transport.send(READ).body == b"[]"
    assert transport.send(READ).body == b"[1]"
    assert server.connections == 2


def test_a_connection_idle_for_too_long_is_not_used(server, transport_to):
    transport = transport_to(server.url, idle_limit=0.0)
    for _ in range(2):
        server.will_answer(200, [])
        assert isinstance(transport.send(READ), Reply)
    assert server.connections == 2


def test_connections_are_made_ahead(server, transport_to):
    transport = transport_to(server.url)
    assert not transport.is_warm(3)
    assert transport.warm(3) == 3
    assert transport.is_warm(3)
    assert not transport.is_warm(4)
    assert transport.warm(3) == 3
    for _ in range(3):
        server.accepted.get(timeout=5)
    server.will_answer(200, [])
    transport.send(READ)
    assert server.connections == 3


def test_a_connection_that_will_have_idled_too_long_is_replaced_before(server, transport_to):
    transport = transport_to(server.url, idle_limit=60.0)
    assert transport.warm(2) == 2
    assert transport.is_warm(2, fresh_for=30.0)
    assert not transport.is_warm(2, fresh_for=61.0)
    assert transport.warm(2, fresh_for=30.0) == 2
    server.will_answer(200, [])
    transport.send(READ)
    assert server.connections == 2
    assert transport.warm(2, fresh_for=61.0) == 2
    server.will_answer(200, [])
    transport.send(READ)
    eventually(lambda: server.connections == 4, "both are replaced")


def test_a_connection_that_the_server_has_closed_is_replaced_before_it_is_needed(server, transport_to):
    transport = transport_to(server.url)
    transport.warm(1)
    server.accepted.get(timeout=5).shutdown(socket.SHUT_RDWR)
    eventually(lambda: not transport.is_warm(1), "it is seen")
    eventually(lambda: transport.warm(1) == 1 and server.connections == 2, "there is another")


def test_of_several_connections_each_that_the_server_has_closed_is_replaced(server, transport_to):
    transport = transport_to(server.url)
    transport.warm(3)
    accepted = [server.accepted.get(timeout=5) for _ in range(3)]
    for connection in accepted[1:]:
        connection.shutdown(socket.SHUT_RDWR)
    eventually(lambda: not transport.is_warm(3), "it is seen")
    eventually(lambda: transport.warm(3) == 3 and transport.is_warm(3), "all are ready again")
    eventually(lambda: server.connections == 5, "two are new")
    assert transport.warm(3) == 3
    assert server.connections == 5


def test_connections_are_kept_while_there_are_no_better_ones(server, transport_to, monkeypatch):
    def refuse(_deadline):
        raise ConnectionRefusedError

    transport = transport_to(server.url, idle_limit=60.0)
    assert transport.warm(2) == 2
    monkeypatch.setattr(transport._connections, "open", refuse)
    assert transport.warm(2, fresh_for=61.0) == 2
    server.will_answer(200, [])
    assert isinstance(transport.send(READ), Reply)


def test_nothing_to_warm_is_told(transport_to):
    assert transport_to("http://127.0.0.1:1").warm(2) == 0


def test_closing_ends_requests_in_flight_and_lets_none_leave_after(server, transport_to):
    transport = transport_to(server.url, request_timeout=60.0)
    server.will_hang()
    replies = []
    sender = threading.Thread(target=lambda: replies.append(transport.send(READ)))
    sender.start()
    server.arrived.get(timeout=5)
    transport.close()
    sender.join(5)
    assert isinstance(replies[0], Lost)
    assert isinstance(transport.send(READ), NotSent)
    assert transport.warm(1) == 0
    assert len(server.requests) == 1


def test_closing_ends_idle_connections(server, transport_to):
    transport = transport_to(server.url)
    transport.warm(2)
    idle = [server.accepted.get(timeout=5) for _ in range(2)]
    transport.close()
    for connection in idle:
        connection.settimeout(5)
    assert isinstance(transport.send(READ), NotSent)
    assert server.requests == []


def test_closing_ends_a_connection_being_made(server, transport_to):
    transport = transport_to(server.url.replace("http", "https"), connect_timeout=60.0, request_timeout=60.0)
    replies = []
    sender = threading.Thread(target=lambda: replies.append(transport.send(READ)))
    sender.start()
    server.accepted.get(timeout=5)
    transport.close()
    sender.join(5)
    assert isinstance(replies[0], NotSent)


def test_threads_get_their_own_replies(server, transport_to):
    transport = transport_to(server.url)
    wrong = []

    def ask(thread):
        for n in range(25):
            path = f"/echo/{thread}/{n}"
            reply = transport.send(Request("GET", path))
            if not isinstance(reply, Reply) or json.loads(reply.body) != f"/v2{path}":
                wrong.append(reply)

    threads = [threading.Thread(target=ask, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert wrong == []
    assert server.connections <= 8


def test_the_token_shows_nowhere(server, transport_to):
    transport = transport_to(server.url)
    server.will_answer(200, {"you sent": TOKEN})
    server.will_send(f"HTTP/1.1 {TOKEN}\r\n\r\n".encode(), then="close")
    shown = [repr(transport), str(transport), repr(transport.send(READ)), repr(transport.send(READ))]
    assert TOKEN not in "".join(shown)


@pytest.mark.parametrize("token", ["", "two words", f"{TOKEN}\r\nHost: elsewhere", "\N{SNOWMAN}"])
def test_a_token_that_breaks_the_head_is_refused_without_showing_it(token):
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        Transport("http://127.0.0.1:1", "1", SecretStr(token))
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://api.dhan.co/v2", "ftp://api.dhan.co", "api.dhan.co", "https://me@api.dhan.co", "https://a/?b"]
)
def test_a_url_that_would_leak_or_cannot_work_is_refused(url):
    with pytest.raises(ValueError, match=r"https"):
        Transport(url, "1", SecretStr(TOKEN))


@pytest.mark.parametrize("path", ["orders", "/a b", "/a\r\nHost: x", "/\N{SNOWMAN}"])
def test_an_unquoted_path_is_refused(server, transport_to, path):
    with pytest.raises(ValueError, match="path"):
        transport_to(server.url).send(Request("GET", path))
    assert server.connections == 0


def test_the_source_address_is_used(server, transport_to):
    server.will_answer(200, [])
    assert isinstance(transport_to(server.url, source_address="127.0.0.2").send(READ), Reply)
    assert server.accepted.get(timeout=5).getpeername()[0] == "127.0.0.2"


def test_closing_while_a_tls_request_is_in_flight(tls_server, transport_to, certificate):
    tls = ssl.create_default_context(cafile=certificate[0])
    transport = transport_to(tls_server.url, tls=tls, request_timeout=60.0)
    tls_server.will_hang()
    replies = []
    sender = threading.Thread(target=lambda: replies.append(transport.send(READ)))
    sender.start()
    tls_server.arrived.get(timeout=5)
    transport.close()
    sender.join(5)
    assert isinstance(replies[0], Lost)


def test_a_reply_larger_than_any_order_book_is_lost(server, transport_to, monkeypatch):
    monkeypatch.setattr("copytrade.brokers.http.response.BODY_LIMIT", 10)
    monkeypatch.setattr("copytrade.brokers.http.response.HEAD_LIMIT", 100)
    server.will_send(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 111, then="close")
    reply = transport_to(server.url).send(READ)
    assert isinstance(reply, Lost)
    assert reply.cause == "the reply is too large"
