"""Stands before every route: who asks, from where, how often. What it lets through may be answered."""

from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from copytrade.web.access.headers import with_headers
from copytrade.web.access.origin import hosts_of, is_our_host, refusal_of_origin
from copytrade.web.access.visitors import Visitor
from copytrade.web.board import Board

#: The name of the session's cookie, and where its token comes back.
COOKIE, CSRF_HEADER = "copytrade_session", "x-csrf-token"

#: What health checks ask: it is never refused for being asked often.
_HEALTH = ("/healthz", "/readyz")

#: What needs neither key nor session.
_OPEN = (*_HEALTH, "/login", "/static/board.css", "/static/board.js", "/static/board.svg")

#: Makes the answer to a request that is refused: status and why.
Refuse = Callable[[Request, int, str], ASGIApp]


class Guard:
    """An application that hands on what is allowed."""

    def __init__(self, app: ASGIApp, board: Board, refuse: Refuse) -> None:
        self._app = app
        self._board = board
        self._refuse = refuse
        self._hosts = hosts_of(board.settings.board)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no websocket is served
            await send({"type": "websocket.close", "code": 1008})
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = with_headers(message.get("headers", []))
            await send(message)

        scope["app"] = self._app
        request = Request(scope, receive)
        refused = self._refusal(request)
        app = self._app if refused is None else self._refuse(request, *refused)
        await app(scope, receive, sending)

    def _refusal(self, request: Request) -> tuple[int, str] | None:
        """Return why a request is refused, None if it is not; note who asks."""
        board, headers, path = self._board, request.headers, request.url.path
        address = request.client.host if request.client else ""
        if not is_our_host(headers, self._hosts):
            return 400, "this host is not the board's: [board] allowed_hosts lists more"
        key = _key(headers)
        visitor = self._visitor(request, key)
        request.scope["visitor"] = visitor
        if path not in _HEALTH and not board.requests.allows(visitor.name if visitor else address):
            return 429, "too many requests"
        if request.method not in ("GET", "HEAD", "POST"):
            return 405, "only GET and POST are served"
        if request.method == "POST" and (
            why := refusal_of_origin(headers, request.url.scheme, needed=not (key and visitor))
        ):
            return 403, why
        is_open = path in _OPEN or (path == "/metrics" and board.settings.board.open_metrics)
        if visitor is None and not is_open:
            if key and not board.failures.allows(address):
                return 429, "too many failed attempts"
            return 401, "log in, or send Authorization: Bearer with the key of <database>.board"
        is_by_cookie = visitor is not None and not key
        if request.method == "POST" and is_by_cookie and path != "/login" and not _has_token(headers, visitor):
            return 403, "the CSRF token is missing or wrong"
        return None

    def _visitor(self, request: Request, key: str) -> Visitor | None:
        if key:
            return Visitor("the key") if self._board.visitors.has_key(key) else None
        session = request.cookies.get(COOKIE)
        return self._board.visitors.of(session) if session else None


def _key(headers: Headers) -> str:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _has_token(headers: Headers, visitor: Visitor | None) -> bool:
    return visitor is not None and bool(visitor.csrf) and headers.get(CSRF_HEADER) == visitor.csrf
