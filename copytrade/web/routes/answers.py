"""Answers as JSON, and refusals as JSON or as a page."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from copytrade.web.access.visitors import Visitor


class JSON(Response):
    """An answer as JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode it; bytes are encoded already."""
        return content if isinstance(content, bytes) else msgspec.json.encode(content)


def refusal(request: Request, templates: Jinja2Templates, status: int, why: str, **headers: str) -> Response:
    """Return why something is refused: as a page to a browser that asks for one, else as JSON."""
    if not wants_page(request):
        return JSON({"error": why}, status, headers=headers)
    return page(request, templates, "message.html", {"title": "Refused", "text": why}, status, **headers)


def page(
    request: Request, templates: Jinja2Templates, name: str, context: dict[str, Any], status: int = 200, **headers: str
) -> Response:
    """Return a page made of a template."""
    visitor: Visitor | None = request.scope.get("visitor")
    return templates.TemplateResponse(request, name, {"visitor": visitor, **context}, status, headers=headers or None)


def wants_page(request: Request) -> bool:
    """Whether a browser asks for a page and not a program for an answer."""
    path = request.url.path
    is_for_programs = path.startswith(("/api/", "/static/", "/charts/")) or path in ("/events", "/metrics")
    return not is_for_programs and "text/html" in request.headers.get("accept", "")
