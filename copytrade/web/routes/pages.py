"""The page, its script and its style, its charts, and the report of a day."""

import threading
from datetime import date
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.templating import Jinja2Templates

from copytrade.common import wall_clock
from copytrade.core.model.orders import IST
from copytrade.reports.day.page.document import day_page
from copytrade.reports.day.page.style import POLICY
from copytrade.web.board import board_of
from copytrade.web.page.charts import chart
from copytrade.web.page.svg import svg
from copytrade.web.routes.answers import JSON, page

_HERE = Path(__file__).parents[1]
_STATIC = {
    "board.css": ("text/css; charset=utf-8", (_HERE / "static/board.css").read_bytes()),
    "board.svg": ("image/svg+xml", (_HERE / "static/board.svg").read_bytes()),
    "board.js": ("text/javascript; charset=utf-8", (_HERE / "static/board.js").read_bytes()),
}

templates = Jinja2Templates(
    env=Environment(loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined)
)

_one_at_a_time = threading.Lock()


async def board_page(request: Request) -> Response:
    """Return the page; its content comes by the stream of events."""
    settings = board_of(request).settings
    day = wall_clock.now().astimezone(IST).date()
    context = {"mode": settings.mode, "controls": settings.board.controls, "day": day.isoformat()}
    return page(request, templates, "board.html", context)


async def static(request: Request) -> Response:
    """Return the page's script or style."""
    media_type, content = _STATIC[request.url.path.rpartition("/")[2]]
    return Response(content, media_type=media_type, headers={"cache-control": "no-cache"})


async def chart_picture(request: Request) -> Response:
    """Return a chart as SVG."""
    made = chart(board_of(request).publisher.view, request.path_params["name"])
    if made is None:
        return JSON({"error": "there is no chart of this name"}, 404)
    return Response(svg(made, request.query_params.get("theme", "light")), media_type="image/svg+xml")


async def report_page(request: Request) -> Response:
    """Return the report of a day."""
    database = board_of(request).settings.store.database
    try:
        day = date.fromisoformat(request.path_params["date"])
    except ValueError:
        context = {"title": "Report", "text": "This is no date: write it like 2026-11-30."}
        return page(request, templates, "message.html", context, 400)
    limits = board_of(request).settings.limits

    def drawn() -> str:
        with _one_at_a_time:  # matplotlib's style is the process's
            return day_page(database, day, limits, board="/")

    headers = {"content-security-policy": f"{POLICY}; frame-ancestors 'none'"}
    return HTMLResponse(await board_of(request).read(drawn), headers=headers)
