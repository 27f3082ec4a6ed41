"""Commands: given, and asked for their answer."""

import asyncio

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from copytrade.web.board import board_of, visitor_of
from copytrade.web.controls.command_request import CommandRefused, read_command
from copytrade.web.live.clean import clean
from copytrade.web.routes.answers import JSON

#: Bytes of a body that are read at most, and seconds within which it has to come.
LONGEST_BODY, BODY_WITHIN = 8192, 10.0


class TooLong(Exception):
    """A body is longer than any that is expected."""


async def give(request: Request) -> Response:
    """Take a command; 202 and its id once it is stored."""
    board, visitor = board_of(request), visitor_of(request)
    address = request.client.host if request.client else ""
    if not board.settings.board.controls:
        return JSON({"error": "[board] controls is false: nothing can be changed here"}, 403)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return JSON({"error": "the body has to be application/json"}, 415)
    if visitor is None:
        return JSON({"error": "somebody has to ask for it"}, 401)
    try:
        asked = read_command(await body_of(request))
        if not board.controlling.allows(visitor.name):
            return JSON({"error": "too many commands"}, 429, headers={"retry-after": "5"})
        by = f"{visitor.by} (board)"
        name = await run_in_threadpool(board.controls.give, asked, by, address, board.publisher.view)
    except TooLong:
        return JSON({"error": "the body is too long"}, 413)
    except CommandRefused as refused:
        return JSON(clean({"error": str(refused)}), refused.status)
    return JSON({"id": name}, 202, headers={"location": f"/api/commands/{name}"})


async def answer(request: Request) -> Response:
    """Return what became of a command."""
    board, name = board_of(request), request.path_params["command_id"]
    found = await board.read(lambda: board.controls.outcome(name))
    if found is None:
        return JSON({"error": "there is no command of this id"}, 404)
    lines = None if found.answer is None else clean(found.answer.split("\n"))
    return JSON({"id": found.id, "state": found.state, "answer": None if lines is None else "\n".join(lines)})


async def body_of(request: Request) -> bytes:
    """Return the body of a request. Raises TooLong, also if it takes too long to come."""
    body = b""
    try:
        async with asyncio.timeout(BODY_WITHIN):
            async for piece in request.stream():
                body += piece
                if len(body) > LONGEST_BODY:
                    raise TooLong
    except TimeoutError:
        raise TooLong from None
    return body
