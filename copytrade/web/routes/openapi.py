"""The OpenAPI description of the HTTP interface."""

from typing import Any

from copytrade import __version__
from copytrade.web.controls.command_request import COMMANDS

_JSON = "application/json"


def openapi() -> dict[str, Any]:
    """Return the description."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "copytrade board", "version": __version__, "description": "docs/board.md says all of it."},
        "paths": _paths(),
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "of <database>.board"}},
            "schemas": _SCHEMAS,
        },
        "security": [{"key": []}],
    }


def _paths() -> dict[str, Any]:
    day = {"name": "date", "in": "query", "schema": {"type": "string", "format": "date"}}
    return {
        "/api/state": {"get": _get("The status of the copier", "State", {"503": "no copier runs"})},
        "/api/orders": {"get": {**_get("A day's leader orders with their copies", "Orders"), "parameters": [day]}},
        "/api/orders/{order_id}": {
            "get": {
                **_get("One order, as explain tells it", "Order", {"404": "unknown"}),
                "parameters": [_in_path("order_id")],
            }
        },
        "/api/commands": {
            "post": {
                "summary": "Give a command; a repeated id does nothing again",
                "requestBody": {"required": True, "content": {_JSON: {"schema": _ref("Command")}}},
                "responses": {
                    "202": _answer("Given", "Given"),
                    **{code: _answer(why, "Error") for code, why in _REFUSALS.items()},
                },
            }
        },
        "/api/commands/{command_id}": {
            "get": {
                **_get("What became of a command", "Outcome", {"404": "unknown"}),
                "parameters": [_in_path("command_id")],
            }
        },
        "/api/links": {
            "post": {
                "summary": "A link that logs in once within 60 s",
                "requestBody": {"content": {_JSON: {"schema": {"type": "object"}}}},
                "responses": {"200": _answer("The link", "Link")},
            }
        },
        "/events": {
            "get": {
                "summary": "Server-sent events: the regions of the page that changed, and state",
                "responses": {"200": {"description": "events", "content": {"text/event-stream": {}}}},
            }
        },
        "/metrics": {
            "get": {
                "summary": "Prometheus text",
                "responses": {"200": {"description": "metrics", "content": {"text/plain": {}}}},
            }
        },
        "/healthz": {"get": {**_get("Whether the copier lives", "Health", {"503": "it does not"}), "security": []}},
        "/readyz": {"get": {**_get("Whether it can copy", "Ready", {"503": "and why not"}), "security": []}},
    }


_REFUSALS = {
    "400": "not as it should be, or not confirmed",
    "401": "no key",
    "403": "from another page, or controls are off",
    "404": "no such follower",
    "409": "no copier runs",
    "429": "too many",
    "503": "the database cannot be written now",
}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(description: str, schema: str) -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": _ref(schema)}}}


def _get(summary: str, schema: str, others: dict[str, str] | None = None) -> dict[str, Any]:
    refused = {code: _answer(why, "Error") for code, why in (others or {}).items()}
    return {"summary": summary, "responses": {"200": _answer("as asked", schema), **refused}}


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _list(item: Any) -> dict[str, Any]:
    return {"type": "array", "items": item}


_TEXT, _NUMBER, _BOOLEAN = {"type": "string"}, {"type": ["number", "null"]}, {"type": "boolean"}
_ANY = {"type": "object", "additionalProperties": True}

_SCHEMAS: dict[str, Any] = {
    "State": _object(
        at=_TEXT,
        up_s=_NUMBER,
        mode=_TEXT,
        market=_ANY,
        leaders=_list(_object(name=_TEXT, feed=_TEXT, gate=_TEXT, age_s=_NUMBER, token_until=_TEXT)),
        followers=_list(_ref("Follower")),
        nodes=_list(_ANY),
        actors=_list(_object(name=_TEXT, state=_TEXT, restarts=_NUMBER, mailbox=_NUMBER, age_s=_NUMBER, up_s=_NUMBER)),
        alerts=_list(_ANY),
    ),
    "Follower": _object(
        name=_TEXT,
        state=_TEXT,
        feed=_TEXT,
        in_sync=_BOOLEAN,
        differences=_list(_ANY),
        paused=_list(_ANY),
        wanted=_NUMBER,
        open=_NUMBER,
        in_doubt=_NUMBER,
        day_result={"type": ["object", "null"]},
        slippage={"type": ["object", "null"]},
        latency=_ANY,
        budget=_ANY,
        token_until=_TEXT,
        alerts=_list(_ANY),
        copies=_TEXT,
    ),
    "Orders": _object(date=_TEXT, orders=_list(_ANY)),
    "Order": _object(id=_TEXT, copies=_list(_ANY), lines=_list(_TEXT), text=_TEXT),
    "Command": {
        **_object(
            command={"enum": list(COMMANDS)},
            follower={"type": ["string", "null"], "description": "everybody if not given"},
            confirm={"type": ["string", "null"], "description": "of flatten: the follower's name, or all"},
            id={"type": ["string", "null"], "pattern": "^[A-Za-z0-9._-]{1,64}$"},
            order={"type": ["string", "null"], "description": "of try_again: one leader order alone"},
        ),
        "required": ["command"],
        "additionalProperties": False,
    },
    "Given": _object(id=_TEXT),
    "Outcome": _object(id=_TEXT, state={"enum": ["waiting", "done", "refused"]}, answer={"type": ["string", "null"]}),
    "Link": _object(link=_TEXT),
    "Health": _object(alive=_BOOLEAN, leaders=_list(_ANY)),
    "Ready": _object(ready=_BOOLEAN, why=_list(_TEXT), leaders=_list(_ANY)),
    "Error": _object(error=_TEXT),
}
