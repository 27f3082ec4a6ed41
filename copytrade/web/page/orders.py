"""A row a leader order of the day."""

from collections.abc import Mapping

from copytrade.web.live.orders import LeaderOrder
from copytrade.web.live.view import View
from copytrade.web.page import text

#: Rows that are shown at most.
MOST_ROWS = 300


def orders(view: View) -> Mapping[str, Mapping[str, str]]:
    """Return the rows, the latest first."""
    return {one.id: _row(one) for one in (view.day.orders[:MOST_ROWS] if view.day else ())}


def _row(one: LeaderOrder) -> Mapping[str, str]:
    price = text.number(one.price, 2) if one.price else "market"
    trigger = f", trigger {text.number(one.trigger_price, 2)}" if one.trigger_price else ""
    return {
        "at": text.clock(one.at),
        "id": one.id,
        "side": one.side,
        "row:side": one.side.lower(),
        "symbol": one.symbol,
        "quantity": text.number(one.quantity),
        "type": one.order_type.lower().replace("_", " "),
        "price": f"{price}{trigger}",
        "status": one.status.lower().replace("_", " "),
        "filled": text.number(one.filled),
        "average": text.number(one.average_price, 2) if one.average_price else text.UNKNOWN,
        "copied": str(one.copied),
        "skipped": str(one.skipped),
        "failed": str(one.failed),
        "row:failed": "yes" if one.failed else "",
        "row:skipped": "yes" if one.skipped else "",
        "otherwise": f"{one.otherwise} otherwise" if one.otherwise else "",
        "of": str(one.of),
    }
