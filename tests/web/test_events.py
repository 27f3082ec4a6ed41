"""The stream of events: what changed, to everybody who reads, and an end for who does not."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message

from bench.speed.board.stage import Stagehand
from copytrade.common import wall_clock
from copytrade.reports.status import Status
from copytrade.settings import load_settings
from copytrade.web.access.visitors import Visitor
from copytrade.web.board import Board
from copytrade.web.live.publisher import MOST_WAITING, Listener, Publisher, prepared
from copytrade.web.live.view import View
from copytrade.web.page.regions import changes, whole
from copytrade.web.routes import events
from tests.support.clocks import set_clock
from tests.web.served import Served, browser


@contextmanager
def listening(board: Served, path: str, who: str = "") -> Iterator[Iterator[tuple[str, Any]]]:
    """Listen as a program does, or with other headers: each event's name and what it carries."""
    host, _, port = board.host.partition(":")
    with socket.create_connection((host, int(port)), timeout=15) as connection:
        who = who or f"Authorization: Bearer {board.key}"
        head = f"GET {path} HTTP/1.1\r\nHost: {board.host}\r\n{who}\r\n\r\n"
        connection.sendall(head.encode())

        def told() -> Iterator[tuple[str, Any]]:
            with connection.makefile("r", encoding="utf-8", newline="\n") as lines:
                name = ""
                for line in lines:
                    if line.startswith("event: "):
                        name = line.strip().removeprefix("event: ")
                    elif line.startswith("data: "):
                        yield name, json.loads(line.removeprefix("data: "))

        yield told()


def until(told: Iterator[tuple[str, Any]], wanted: str, text: str) -> Any:
    return next(found for name, found in told if name == wanted and text in json.dumps(found))


def test_the_stream_begins_with_everything_and_goes_on_with_what_changed(board: Served, stage: Stagehand) -> None:
    with listening(board, "/events") as told:
        first = until(told, "followers", "f001")
        assert (first["whole"], first["order"]) == (True, stage.names)
        assert until(told, "state", "f001")["mode"] == "paper"
        order = stage.order()
        shown = until(told, "orders", order.id)
        assert list(shown["rows"]) == [order.id], "rows that are as they were are not sent again"
        stage.copied(order, "f001")
        assert until(told, "orders", order.id)["rows"] == {order.id: {"copied": "1", "of": "1"}}
    with listening(board, "/events?only=regions") as told:
        stage.order()
        assert until(told, "orders", "rows")


def test_a_session_that_ended_hears_nothing_more_whatever_else_its_browser_sends(
    board: Served, stage: Stagehand
) -> None:
    token = board.log_in()
    ((name, value),) = board.cookies.items()
    with listening(board, "/events", f"Authorization: Basic eDp5\r\nCookie: {name}={value}") as told:
        assert until(told, "followers", "f001")
        assert board.post("/logout", {}, key=False, headers=browser(board, token)).status == 204
        order = stage.order()
        assert all(order.id not in json.dumps(found) for _name, found in told), "it ends before that"


def test_what_no_newer_view_replaced_is_no_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    publisher, at = Publisher(), wall_clock.now()
    status = Status(at, 1.0, "paper", {}, [], [], [], [])
    publisher.take(prepared(View(status, why=""), {}))
    assert (publisher.view.status, bool(publisher.state)) == (status, True)
    set_clock(monkeypatch, timedelta(seconds=300))
    assert (publisher.view.status, publisher.view.last, publisher.state) == (None, status, b"")
    assert publisher.view.why == "the copier's status was last read 300 s ago"


def test_who_reads_nothing_is_dropped_and_holds_nobody_up() -> None:
    publisher = Publisher()
    slow, quick = publisher.listen(wants_state=False), publisher.listen(wants_state=False)
    assert isinstance(slow, Listener)
    assert isinstance(quick, Listener)
    before = prepared(View(), {}).regions
    for number in range(MOST_WAITING + 1):
        update = prepared(View(why=f"reason {number}"), before)
        before = update.regions
        publisher.take(update)
        assert quick.queue.get_nowait()
    assert publisher.dropped == 1
    assert slow.queue.get_nowait() is None, "it is ended, and what waited for it is gone"
    assert quick.queue.empty()


def test_the_connection_of_who_reads_nothing_is_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(events, "READ_WITHIN", 0.05)
    with Stagehand(tmp_path, 1) as stage:
        aborted = []
        board = Board(load_settings(stage.settings), abort=aborted.append)
    board.publisher.take(prepared(View(why="nobody reads this"), {}))
    scope = {"type": "http", "headers": [], "app": SimpleNamespace(state=SimpleNamespace(board=board))}
    scope |= {"visitor": Visitor("the key")}
    scope |= {"query_string": b"only=regions", "path": "/events", "method": "GET"}

    async def never_sends(message: Message) -> None:
        if message.get("body"):
            await asyncio.Event().wait()

    async def never_leaves() -> Message:
        await asyncio.Event().wait()
        return {}

    async def listen() -> None:
        await (await events.events(Request(scope)))(scope, never_leaves, never_sends)

    asyncio.run(listen())
    assert len(aborted) == 1
    assert not board.publisher._listeners


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {}, {}),
        ({"a": {"x": "1"}}, {"a": {"x": "1"}}, {}),
        ({"a": {"x": "1", "y": "2"}}, {"a": {"x": "1", "y": "3"}}, {"rows": {"a": {"y": "3"}}}),
        ({"a": {"x": "1", "y": "2"}}, {"a": {"x": "1"}}, {"rows": {"a": {"y": ""}}}),
        ({"a": {"x": "1"}}, {}, {"rows": {}, "gone": ["a"], "order": []}),
        ({"a": {"x": "1"}}, {"b": {"x": "2"}, "a": {"x": "1"}}, {"rows": {"b": {"x": "2"}}, "order": ["b", "a"]}),
    ],
)
def test_only_what_differs_is_sent(old: Any, new: Any, expected: Any) -> None:
    assert changes(old, new) == expected
    assert whole(new) == {"whole": True, "order": list(new), "rows": new}
