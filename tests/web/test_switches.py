"""What the settings of the board switch on and off, asked of the application without a socket."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message

from bench.speed.board.stage import Stagehand
from copytrade.settings import load_settings
from copytrade.web.application import application
from copytrade.web.board import READS_WAITING, Board


def made(folder: Path, settings: str) -> Board:
    with Stagehand(folder, 1, settings) as stage:
        return Board(load_settings(stage.settings))


def asked(board: Board, method: str, path: str, *, key: bool = True, **headers: str) -> tuple[int, str]:
    """Return the status and the body of an answer."""
    given = {"host": "127.0.0.1:8300", **({"authorization": f"Bearer {board.visitors.key}"} if key else {}), **headers}
    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()],
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b'{"command": "pause"}', "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(application(board)(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]).decode()


def test_without_controls_nothing_can_be_changed_and_no_button_offers_it(tmp_path: Path) -> None:
    board = made(tmp_path, "controls = false\n")
    status, body = asked(board, "POST", "/api/commands", content_type="application/json")
    assert (status, "nothing can be changed" in body) == (403, True)
    session = board.visitors.begin("me")
    _, page = asked(board, "GET", "/", key=False, accept="text/html", cookie=f"copytrade_session={session}")
    assert "Followers" in page
    assert "data-do=" not in page


@pytest.mark.parametrize(("settings", "status"), [("", 401), ("open_metrics = true\n", 200)])
def test_metrics_are_open_if_the_settings_say_so(tmp_path: Path, settings: str, status: int) -> None:
    assert asked(made(tmp_path, settings), "GET", "/metrics", key=False)[0] == status


def test_a_board_that_has_enough_to_read_says_so(tmp_path: Path) -> None:
    board = made(tmp_path, "")
    board.reading = READS_WAITING
    status, body = asked(board, "GET", "/api/orders")
    assert (status, "busy" in body) == (503, True)


def test_more_names_are_let_in_if_the_settings_say_so(tmp_path: Path) -> None:
    board = made(tmp_path, 'allowed_hosts = ["board.example.com"]\n')
    assert asked(board, "GET", "/healthz", host="board.example.com")[0] == 503, "no copier runs"
    assert asked(board, "GET", "/healthz", host="other.example.com")[0] == 400
