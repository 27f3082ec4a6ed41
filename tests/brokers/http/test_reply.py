"""A reply that comes in pieces is the same as one that comes at once."""

import gc
import weakref

import pytest

from copytrade.brokers.http.response import NotHttpError, ReplyReader

PLAIN = b"HTTP/1.1 200 OK\r\nDate: Wed, 25 Nov 2026 11:00:00 GMT\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
CONTINUED = b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN
EMPTY = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
CLOSING = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"


def read(*pieces: bytes) -> ReplyReader:
    reply = ReplyReader()
    for piece in pieces:
        reply.feed(piece)
    return reply


@pytest.mark.parametrize(
    ("sent", "status", "body", "leaves"),
    [
        (PLAIN, 200, b"hello", True),
        (CHUNKED, 200, b"hello", True),
        (CONTINUED, 200, b"hello", True),
        (EMPTY, 202, b"", True),
        (CLOSING, 400, b"{}", False),
    ],
)
def test_wherever_it_is_cut_it_is_whole_with_its_last_byte(sent: bytes, status: int, body: bytes, leaves: bool) -> None:
    for cut in range(len(sent)):
        reply = read(sent[:cut])
        assert not reply.is_whole
        reply.feed(sent[cut:])
        assert (reply.status, reply.body, reply.is_whole, reply.leaves_connection) == (status, body, True, leaves)
    assert read(*(sent[at : at + 1] for at in range(len(sent)))).body == body


@pytest.mark.parametrize("sent", [PLAIN, CHUNKED, CONTINUED, EMPTY, CLOSING, PLAIN + b"what?"])
def test_nothing_of_one_that_is_whole_is_left_for_the_collector_of_garbage(sent: bytes) -> None:
    gc.disable()
    try:
        reply = read(sent[:20], sent[20:])
        gone = weakref.ref(reply)
        del reply
        assert gone() is None
    finally:
        gc.enable()


def test_nothing_of_one_that_breaks_or_ends_early_is_left_for_the_collector_of_garbage() -> None:
    gc.disable()
    try:
        broken, early = ReplyReader(), read(PLAIN[:-1])
        with pytest.raises(NotHttpError):
            broken.feed(b"what?")
        early.end()
        gone = weakref.ref(broken), weakref.ref(early)
        del broken, early
        assert [ref() for ref in gone] == [None, None]
    finally:
        gc.enable()


def test_what_the_time_is_there_is_kept() -> None:
    assert read(CONTINUED).date == "Wed, 25 Nov 2026 11:00:00 GMT"
    assert read(EMPTY).date is None
    assert read(b"HTTP/1.1 200 OK\r\nDate: \xff\r\nContent-Length: 0\r\n\r\n").date is None


@pytest.mark.parametrize("more", [PLAIN, EMPTY, b"what?", CLOSING])
def test_a_connection_that_says_more_than_it_was_asked_is_not_used_again(more: bytes) -> None:
    reply = read(PLAIN + more)
    assert (reply.is_whole, reply.body, reply.leaves_connection) == (True, b"hello", False)


def test_one_without_a_length_is_whole_when_the_connection_ends() -> None:
    reply = read(b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo")
    assert not reply.is_whole
    reply.end()
    assert (reply.is_whole, reply.body, reply.leaves_connection) == (True, b"hello", False)


@pytest.mark.parametrize("cut", [b"", PLAIN[:10], PLAIN[:-1], CHUNKED[:-2]])
def test_one_that_says_how_long_it_is_is_not_whole_when_the_connection_ends_before(cut: bytes) -> None:
    reply = read(cut)
    reply.end()
    assert not reply.is_whole


@pytest.mark.parametrize(
    "sent",
    [
        b"SMTP ready\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000,
    ],
)
def test_what_is_no_reply_is_refused(sent: bytes) -> None:
    with pytest.raises(NotHttpError):
        read(sent)
