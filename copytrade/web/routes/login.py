"""Logging in by a link or a password, and out; links for ``run.py board --link``."""

from urllib.parse import parse_qs

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from copytrade.web.access.guard import COOKIE
from copytrade.web.access.password import is_right
from copytrade.web.access.visitors import SESSION_LIFE
from copytrade.web.board import board_of, visitor_of
from copytrade.web.routes.answers import JSON, page
from copytrade.web.routes.commands import TooLong, body_of
from copytrade.web.routes.pages import templates

_LINKS = "A link logs in once and soon ends. Ask for another: python run.py board --link"


async def login(request: Request) -> Response:
    """Log in by the key of a link, or show how to; a browser that only looks ahead does not use up the link."""
    board, key = board_of(request), request.query_params.get("key")
    looks_ahead = request.method == "HEAD" or "sec-purpose" in request.headers or "purpose" in request.headers
    if key is None or looks_ahead:
        return login_page(request, "", 200)
    session = board.visitors.follow(key)
    if session is None:
        if not board.failures.allows(_address(request)):
            return login_page(request, "Too many failed attempts. Wait a minute.", 429)
        return login_page(request, f"This link has been used, is too old or is not of this board. {_LINKS}", 401)
    return _logged_in(request, session)


async def login_by_password(request: Request) -> Response:
    """Log in by the password, if the settings have one."""
    board, hashed = board_of(request), board_of(request).settings.board.password_hash
    address = _address(request)
    if hashed is None:
        return login_page(request, f"This board has no password. {_LINKS}", 403)
    if not board.failures.allows(address) or not board.failures.allows("everybody"):
        return login_page(request, "Too many failed attempts. Wait a minute.", 429)
    try:
        password = parse_qs((await body_of(request)).decode()).get("password", [""])[0]
    except (TooLong, ValueError):
        return login_page(request, "The password is wrong.", 401)
    if not await run_in_threadpool(is_right, password, hashed.get_secret_value()):
        return login_page(request, "The password is wrong.", 401)
    return _logged_in(request, board.visitors.begin(f"password from {address}"))


async def logout(request: Request) -> Response:
    """End the session."""
    board_of(request).visitors.end(request.cookies.get(COOKIE, ""))
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, path="/")
    return answer


async def link(request: Request) -> Response:
    """Return a new link, to somebody with the key alone."""
    board, visitor = board_of(request), visitor_of(request)
    if visitor is None or visitor.csrf:
        return JSON({"error": "links are for who has the key"}, 403)
    try:
        by = msgspec.json.decode(await body_of(request), type=dict[str, str]).get("by", "")
    except (TooLong, msgspec.MsgspecError):
        return JSON({"error": "the body is not as it should be"}, 400)
    return JSON({"link": link_of(str(request.base_url), board.visitors.link(by[:64] or "the key"))})


def link_of(url: str, key: str) -> str:
    """Return the address that logs in with the key of a link."""
    return f"{url}login?key={key}"


def login_page(request: Request, text: str, status: int) -> Response:
    """Return the page that says how to log in."""
    has_password = board_of(request).settings.board.password_hash is not None
    return page(request, templates, "login.html", {"text": text, "has_password": has_password}, status)


def _logged_in(request: Request, session: str) -> Response:
    """Answer with a page that goes on to the board: a redirection from another page would not send the cookie."""
    answer = page(request, templates, "welcome.html", {})
    answer.set_cookie(
        COOKIE,
        session,
        max_age=int(SESSION_LIFE),
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
