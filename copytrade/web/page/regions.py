"""The regions of the page, and what changed of them.

A region has rows by id, in order. A row has cells by name, which are texts; the page sets them as text. A cell whose
name begins with ``row:`` is an attribute of the row, for its look.
"""

from collections.abc import Mapping
from typing import Any

from copytrade.web.live.clean import clean
from copytrade.web.live.view import View
from copytrade.web.page.charts import charts
from copytrade.web.page.followers import followers
from copytrade.web.page.header import header, leaders
from copytrade.web.page.news import events, reasons, troubles
from copytrade.web.page.orders import orders
from copytrade.web.page.positions import positions
from copytrade.web.page.tree import actors

Row = Mapping[str, str]
Region = Mapping[str, Row]
Regions = Mapping[str, Region]

_REGIONS = {
    "header": header,
    "leaders": leaders,
    "followers": followers,
    "orders": orders,
    "reasons": reasons,
    "troubles": troubles,
    "events": events,
    "positions": positions,
    "actors": actors,
    "charts": charts,
}


def regions_of(view: View) -> Regions:
    """Return all regions of a view."""
    shown: Regions = clean({name: rows(view) for name, rows in _REGIONS.items()})
    return shown


def whole(region: Region) -> dict[str, Any]:
    """Return a region as somebody needs it who has nothing yet."""
    return {"whole": True, "order": list(region), "rows": dict(region)}


def changes(old: Region, new: Region) -> dict[str, Any]:
    """Return the cells that changed, the rows that are gone and the new order, empty if nothing changed."""
    if old == new:
        return {}
    rows = {}
    for name, row in new.items():
        before = old.get(name, {})
        cells = {cell: text for cell, text in row.items() if before.get(cell) != text}
        cells |= {cell: "" for cell in before if cell not in row}
        if cells:
            rows[name] = cells
    found: dict[str, Any] = {"rows": rows}
    if gone := [name for name in old if name not in new]:
        found["gone"] = gone
    if list(old) != list(new):
        found["order"] = list(new)
    return found
