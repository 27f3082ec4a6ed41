"""Health: whether the copier lives, and whether it can copy."""

from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from copytrade.common import wall_clock
from copytrade.reports.status import LeaderStatus, Status
from copytrade.web.board import board_of
from copytrade.web.live.clean import clean
from copytrade.web.routes.answers import JSON


async def healthz(request: Request) -> Response:
    """Return 200 while the copier's supervisor beats, whatever its feeds are like; what they are like is told."""
    view = board_of(request).publisher.view
    if view.status is None:
        return JSON({"alive": False, "why": clean(view.why)}, 503)
    return JSON({"alive": True, "leaders": _leaders(view.status)})


async def readyz(request: Request) -> Response:
    """Return 200 if the leaders' orders arrive and can be copied; 503 and every reason if not."""
    view = board_of(request).publisher.view
    why = [view.why] if view.status is None else [line for one in view.status.leaders for line in _obstacles(one)]
    leaders = [] if view.status is None else _leaders(view.status)
    return JSON({"ready": not why, "why": clean(why), "leaders": leaders}, 503 if why else 200)


def _leaders(status: Status) -> list[dict[str, object]]:
    shown: list[dict[str, object]] = clean(
        [{"name": one.name, "feed": one.feed, "gate": one.gate, "age_s": one.age_s} for one in status.leaders]
    )
    return shown


def _obstacles(one: LeaderStatus) -> list[str]:
    found = []
    if one.feed != "live":
        found.append(f"the feed of {one.name} is {one.feed}")
    if one.gate != "open":
        found.append(f"the gate of {one.name} is {one.gate}")
    if _has_ended(one.token_until):
        found.append(f"the token of {one.name} has ended or is not there")
    return found


def _has_ended(until: str) -> bool:
    try:
        return datetime.fromisoformat(until) <= wall_clock.now()
    except ValueError:
        return until != ""
