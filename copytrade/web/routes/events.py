"""``/events``: what changes, as server-sent events."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from copytrade.web.access.guard import COOKIE
from copytrade.web.board import Board, board_of, visitor_of
from copytrade.web.live.publisher import Listener
from copytrade.web.routes.answers import JSON

#: Seconds between signs of life, and that one event may take to be read.
ALIVE_EVERY, READ_WITHIN = 10.0, 10.0

#: Milliseconds after which a browser connects again.
_RETRY = b"retry: 1000\n\n"


async def events(request: Request) -> Response:
    """Return the stream: every region of the page and the state, then what changes. ``?only=regions`` is shorter."""
    board = board_of(request)
    listener = board.publisher.listen(wants_state=request.query_params.get("only") != "regions")
    if listener is None:
        return JSON({"error": "too many listen already"}, 503)
    return _Stream(board, listener, request)


class _Stream(Response):
    """Sends what a listener is told, until it ends or reads too slowly."""

    media_type = "text/event-stream"

    def __init__(self, board: Board, listener: Listener, request: Request) -> None:
        super().__init__()
        self._board = board
        self._listener = listener
        self._request = request
        self.raw_headers = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the client leaves, the listener ends, or the session does."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        sending = asyncio.create_task(self._send_all(send))
        leaving = asyncio.create_task(_has_left(receive))
        try:
            await asyncio.wait([sending, leaving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._board.publisher.leave(self._listener)
            sending.cancel()
            leaving.cancel()

    async def _send_all(self, send: Send) -> None:
        async def write(event: bytes) -> None:
            async with asyncio.timeout(READ_WITHIN):
                await send({"type": "http.response.body", "body": event, "more_body": True})

        try:
            await write(_RETRY)
            while True:
                try:
                    async with asyncio.timeout(ALIVE_EVERY):
                        event = await self._listener.queue.get()
                except TimeoutError:
                    event = b": \n\n"
                if event is None or not self._may_listen():
                    break
                await write(event)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            self._board.abort(self._request)

    def _may_listen(self) -> bool:
        """Whether the session has not ended; a key is one as long as the board runs."""
        visitor = visitor_of(self._request)
        by_key = visitor is not None and not visitor.csrf
        session = self._request.cookies.get(COOKIE, "")
        return by_key or self._board.visitors.of(session) is not None


async def _has_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
