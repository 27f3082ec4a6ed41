import json
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from pydantic import SecretStr

from copytrade.brokers.api import Unreadable
from copytrade.brokers.dhan.decode import read_row
from copytrade.brokers.dhan.responses import Answer, judge
from copytrade.brokers.dhan.rest import DhanRest
from copytrade.brokers.http.client import Reply, Request, Transport
from copytrade.brokers.outcomes import Accepted, Refused, Unknown
from copytrade.core.model.orders import Order
from tests.brokers.fault_server import CLIENT_ID, FIXTURES, TOKEN, FaultServer

ROW = json.loads((FIXTURES / "orderbook.json").read_text())["orders"][0]

ROWS = st.builds(
    lambda order, status, filled: json.dumps(
        ROW | {"orderId": order, "orderStatus": status, "filledQty": filled, "dhanClientId": CLIENT_ID}
    ).encode(),
    st.sampled_from(["1", "2"]),
    st.sampled_from(["PENDING", "CANCELLED", "?"]),
    st.sampled_from([0, 65, 0.5]),
)

ODD = st.sampled_from(
    [
        b"7",
        b"null",
        b'"?"',
        b'"\xff"',
        b'"\\ud800"',
        b'{"orderId": "7"}',
        b'{"orderId": "\xff"}',
        b'{"quantity": 1e9999999999999999999}',
        b'{"quantity": NaN}',
        b'{"quantity": 01}',
        b'{"errorCode": "DH-901", "errorMessage": "no"}',
        b'{"orderId": "7", "orderId": "8"}',
        b"[" * 100_000 + b"]" * 100_000,
        b"{",
        b"",
    ]
)

BOOKS = st.lists(ROWS, max_size=4).map(lambda rows: b"[" + b",".join(rows) + b"]")

ODD_BOOKS = st.builds(
    lambda begin, rows, between, end: begin + between.join(rows) + end,
    st.sampled_from([b"[", b" [\n", b"", b"\xef\xbb\xbf["]),
    st.lists(ROWS | ODD, max_size=5),
    st.sampled_from([b",", b" ,\r\n", b"\x0c,"]),
    st.sampled_from([b"]", b"] ", b"", b"]]"]),
)


@pytest.fixture(scope="module")
def running() -> Iterator[FaultServer]:
    server = FaultServer()
    yield server
    server.stop()


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.sampled_from([200, 200, 202, 400, 500]), BOOKS | ODD_BOOKS), max_size=6))
@example([(200, b'[{"errorCode": "DH-901", "errorMessage": "no"}]')])
def test_remembering_the_last_read_changes_nothing(running: FaultServer, reads: list[tuple[int, bytes]]) -> None:
    rest = DhanRest(Transport(running.url, CLIENT_ID, SecretStr(TOKEN)), CLIENT_ID)
    for status, body in reads:
        running.will_answer(status, body)
        outcome = rest.orders()
        expected = judge(Request("GET", "/orders"), Reply(status, body, outcome.exchange.duration_ms))
        assert outcome.exchange == expected.exchange
        if not isinstance(expected, Answer):
            assert outcome == expected
        elif not isinstance(expected.document, list):
            assert isinstance(outcome, Unknown)
        else:
            assert isinstance(outcome, Accepted)
            book = outcome.value
            told = [read_row(row, CLIENT_ID, book.read_from) for row in expected.document]
            found = [replace(order, observed_at=book.read_from) for order in book.orders]
            assert found == [order for order in told if isinstance(order, Order)]
            assert list(book.unreadable) == [row for row in told if isinstance(row, Unreadable)]
    rest.close()


def test_a_row_that_is_as_it_was_is_the_very_order_that_it_was(running: FaultServer) -> None:
    rest = DhanRest(Transport(running.url, CLIENT_ID, SecretStr(TOKEN)), CLIENT_ID)
    books = []
    for filled in (0, 0, 65):
        running.will_answer(200, [ROW, {}, ROW | {"orderId": "2", "filledQty": filled}])
        books.append(rest.orders().value)
    running.will_answer(401)
    assert isinstance(rest.orders(), Refused)
    assert [[order.filled_quantity for order in book.orders] for book in books] == [[0, 0], [0, 0], [0, 65]]
    assert books[0].read_from < books[1].read_from < books[2].read_from
    assert books[1].orders[0] is books[0].orders[0] is books[2].orders[0]
    assert [books[2].orders[n].observed_at for n in (0, 1)] == [books[0].read_from, books[2].read_from]
    assert [len(book.unreadable) for book in books] == [1, 1, 1]
    rest.close()
