"""The application: which route answers which address, behind the guard."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from copytrade.storage.database import DatabaseUnusable
from copytrade.web.access.guard import Guard
from copytrade.web.board import Board, Busy, board_of
from copytrade.web.live.clean import clean
from copytrade.web.routes import api, commands, events, health, login, pages
from copytrade.web.routes.answers import refusal, wants_page
from copytrade.web.routes.metrics import metrics

#: Kinds of Prometheus text.
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def application(board: Board) -> ASGIApp:
    """Return the application of a board."""
    app = Starlette(
        routes=[
            Route("/", pages.board_page),
            Route("/login", login.login, methods=["GET"]),
            Route("/login", login.login_by_password, methods=["POST"]),
            Route("/logout", login.logout, methods=["POST"]),
            Route("/static/board.css", pages.static),
            Route("/static/board.js", pages.static),
            Route("/static/board.svg", pages.static),
            Route("/charts/{name}.svg", pages.chart_picture),
            Route("/report/{date}", pages.report_page),
            Route("/api/state", api.state),
            Route("/api/orders", api.orders),
            Route("/api/orders/{order_id}", api.order),
            Route("/api/commands", commands.give, methods=["POST"]),
            Route("/api/commands/{command_id}", commands.answer),
            Route("/api/links", login.link, methods=["POST"]),
            Route("/events", events.events),
            Route("/metrics", _metrics),
            Route("/healthz", health.healthz),
            Route("/readyz", health.readyz),
            Route("/openapi.json", api.description),
        ],
        exception_handlers={
            HTTPException: _refused,
            Busy: _busy,
            DatabaseUnusable: _unreadable,
            Exception: _broken,
        },
    )
    app.state.board = board
    return Guard(app, board, _refuse)


def _refuse(request: Request, status: int, why: str) -> Response:
    if status == 401 and wants_page(request):
        return login.login_page(request, "", 401)
    headers = {"retry-after": "1"} if status == 429 else {}
    return refusal(request, pages.templates, status, why, **headers)


async def _metrics(request: Request) -> Response:
    return Response(metrics(board_of(request).publisher.view), media_type=_PROMETHEUS)


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return refusal(request, pages.templates, status, {404: "there is nothing here"}.get(status, "this is not served"))


async def _busy(request: Request, _error: Exception) -> Response:
    return refusal(request, pages.templates, 503, "busy: try again in a second", **{"retry-after": "1"})


async def _unreadable(request: Request, error: Exception) -> Response:
    return refusal(request, pages.templates, 503, clean(str(error)))


async def _broken(request: Request, _error: Exception) -> Response:
    return refusal(request, pages.templates, 500, "something is wrong in the board: its log says what")
