"""Rows of the broker's books: one state of one order."""

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]

#: A line: a contract (security id) in a product.
LineKey = tuple[str, str]

#: The statuses of orders that rest, and of those that are over.
LIVE = ("TRANSIT", "PENDING", "PART_TRADED")
DEAD = ("CANCELLED", "REJECTED", "EXPIRED", "TRADED")


def line_of(row: Row) -> LineKey:
    """Return the line on which an order trades."""
    return str(row["securityId"]), str(row["productType"])


def sign_of(row: Row) -> int:
    """Return +1 for an order that buys, -1 for one that sells."""
    return 1 if row["transactionType"] == "BUY" else -1


def is_ours(row: Row) -> bool:
    """Return whether an order has a correlation id of the copier's."""
    return str(row["correlationId"]).startswith("ct-")


def leader_order_of(row: Row) -> str | None:
    """Return the id of the leader order that a copy is of; None if it is no copy."""
    return str(row["correlationId"]).split("-")[1] if is_ours(row) else None
