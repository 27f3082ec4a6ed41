"""Which leader orders are copied as entries. What takes from a position that was copied is copied whatever it is."""

from collections.abc import Set
from datetime import datetime

from copytrade.orders import Leg, Order, Product
from copytrade.reasons import Reason

#: In place of a list of instruments: copy everything.
EVERYTHING = "*"


def refusal(order: Order, kind: str, wanted: Set[str], copying_since: datetime) -> tuple[Reason, str] | None:
    """Return why nothing is entered for a leader order, with the detail for the log, or None if it may be.

    ``kind`` is the instrument's (OPTIDX, EQUITY, ...), "" where nobody knows it; orders created before
    ``copying_since`` belong to the time before this program.
    """
    if order.is_ours:
        return Reason.OWN_ORDER, f"the leader's order carries our own id {order.correlation_id}"
    if (placed := order.created_at or order.event_at) < copying_since:
        return Reason.BEFORE_START, f"placed at {placed:%H:%M:%S}, before copying began"
    if order.leg is not Leg.NONE or order.product in (Product.CO, Product.BO):
        return Reason.UNSUPPORTED, f"part of a {order.product} or super order ({order.leg})"
    if not kind:
        return Reason.UNKNOWN_INSTRUMENT, f"{order.key.segment} {order.key.security_id} is not in the master"
    if EVERYTHING not in wanted and kind not in wanted:
        return Reason.FILTERED_INSTRUMENT, f"{kind} is not among {', '.join(sorted(wanted))}"
    return None
