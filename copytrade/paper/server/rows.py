"""The rows of each order as JSON, built again only after a change of the order."""

from datetime import datetime

import msgspec

from copytrade.paper.exchange.orders import PaperOrder
from copytrade.paper.server import wire


class Rows:
    """Caches the rows of the order book and of the trade book by order and the time of its last change."""

    def __init__(self) -> None:
        self._orders: dict[str, tuple[datetime, msgspec.Raw]] = {}
        self._trades: dict[str, tuple[datetime, list[msgspec.Raw]]] = {}

    def order(self, order: PaperOrder) -> msgspec.Raw:
        """Return the order-book row of an order as it is now."""
        changed_at, row = self._orders.get(order.id, (None, None))
        if row is None or changed_at is not order.updated_at:
            row = msgspec.Raw(msgspec.json.encode(wire.row(order)))
            self._orders[order.id] = order.updated_at, row
        return row

    def trades(self, order: PaperOrder) -> list[msgspec.Raw]:
        """Return a row for each fill of an order."""
        changed_at, rows = self._trades.get(order.id, (None, None))
        if rows is None or changed_at is not order.updated_at:
            rows = [msgspec.Raw(msgspec.json.encode(trade)) for trade in wire.trades(order)]
            self._trades[order.id] = order.updated_at, rows
        return rows
