"""Answers to programs: the state, the orders of a day, one order."""

from datetime import date

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from copytrade.common import wall_clock
from copytrade.core.model.orders import IST
from copytrade.reports.order import UnknownOrder, explain
from copytrade.reports.queries import copies_of, copies_on, leader_order_of, symbols
from copytrade.reports.snapshot import open_to_read
from copytrade.web.board import board_of
from copytrade.web.live.clean import clean
from copytrade.web.live.orders import copy_of, orders_on
from copytrade.web.routes.answers import JSON
from copytrade.web.routes.openapi import openapi


async def state(request: Request) -> Response:
    """Return the status of the copier; 503 while there is none."""
    publisher = board_of(request).publisher
    if not publisher.view.status:
        return JSON({"error": publisher.view.why}, 503)
    return JSON(publisher.state)


async def orders(request: Request) -> Response:
    """Return a day's leader orders with their copies; today's if no date is given."""
    asked = request.query_params.get("date")
    try:
        day = date.fromisoformat(asked) if asked else wall_clock.now().astimezone(IST).date()
    except ValueError:
        return JSON({"error": "date is no date: write it like 2026-11-30"}, 400)
    database = board_of(request).settings.store.database

    def read() -> object:
        with open_to_read(database) as connection:
            found = orders_on(connection, day, copies_on(connection, day), symbols(connection))
        return clean(msgspec.to_builtins({"date": day, "orders": found}))

    return JSON(await board_of(request).read(read))


async def order(request: Request) -> Response:
    """Return one leader order, by its own id or a copy's: its copies, and all that ``explain`` tells."""
    database, order_id = board_of(request).settings.store.database, request.path_params["order_id"]

    def read() -> object:
        text = explain(database, order_id)
        with open_to_read(database) as connection:
            leader_order = leader_order_of(connection, order_id)
            copies = [copy_of(copy) for copy in copies_of(connection, leader_order)]
        found = clean(msgspec.to_builtins({"id": leader_order, "copies": copies, "lines": text.split("\n")}))
        return {**found, "text": "\n".join(found["lines"])}

    try:
        return JSON(await board_of(request).read(read))
    except UnknownOrder:
        return JSON({"error": "there is no leader order of this id"}, 404)


async def description(_request: Request) -> Response:
    """Return the OpenAPI description."""
    return JSON(openapi())
