"""Driving a paper broker in another process: its Python methods as ``POST /_paper/{method}`` with JSON arguments."""

import json
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from copytrade.paper.exchange.orders import Refusal
from copytrade.paper.server import wire
from copytrade.paper.server.faults import FrameFault, Kind, Mischief, RestFault

if TYPE_CHECKING:
    from copytrade.paper.broker import PaperBroker

_METHODS = (
    "place",
    "modify",
    "cancel",
    "reject",
    "expire",
    "fill",
    "trigger",
    "set_price",
    "orders",
    "order",
    "replace_token",
    "revoke_token",
    "shorten_token",
    "change_pin",
    "allow_logins",
    "token_attempts",
    "writes",
    "feed_connections",
    "drop_feed",
    "mute_feed",
    "watch",
    "sent_frames",
    "send_frame",
    "halt",
    "resume",
    "set_clock",
    "set_standing",
    "refuse_feed",
    "register_addresses",
    "reads",
    "changes",
    "positions",
    "refuse",
    "lag",
    "hide",
    "rewrite",
    "add_row",
    "set_families",
    "place_super",
    "cancel_super",
    "clear_faults",
    "carry",
    "hold",
    "convert",
    "split",
    "pass_night",
    "set_funds",
    "set_margins",
    "add_instrument",
)


def control_route(broker: "PaperBroker") -> Route:
    """Return the route. A refusal returns the broker's error body, a wrong call 400 with a text."""
    methods: dict[str, Callable[..., object]] = {name: getattr(broker, name) for name in _METHODS}

    def fault(mischief: str, kind: str | None = None, **fields: Any) -> None:
        broker.faults.add(RestFault(Mischief(mischief), None if kind is None else Kind(kind), **fields))

    def frame_fault(client_id: str, **fields: Any) -> None:
        broker.faults.add(FrameFault(client_id, **fields))

    def visibility_lag(seconds: float) -> None:
        broker.faults.visibility_lag = seconds

    def echo(client_id: str, others: list[str]) -> None:
        broker.echo(client_id, *others)

    methods |= {
        "fault": fault,
        "frame_fault": frame_fault,
        "visibility_lag": visibility_lag,
        "echo": echo,
    }

    async def answer(request: Request) -> Response:
        method = methods.get(request.path_params["method"])
        if method is None:
            return Response("no such method", 404)
        try:
            result = method(**json.loads(await request.body() or "{}"))
        except Refusal as refusal:
            return Response(json.dumps(wire.error(refusal)), refusal.status, media_type="application/json")
        except (TypeError, ValueError, KeyError, ArithmeticError) as error:
            return Response(f"{type(error).__name__}: {error}", 400)
        return Response(json.dumps(result, default=_plain), media_type="application/json")

    return Route("/_paper/{method}", answer, methods=["POST"])


def _plain(value: object) -> object:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)
