"""A dry run: orders that are decided like any other, never sent, and assumed to fill as the leader's do.

They exist in memory only. Their records say that they were not sent and what would have become of them, so that neither
a restart nor the end of the dry run takes one for an order at the broker.
"""

from datetime import datetime

from msgspec.structs import replace

from copytrade.core.model.copies import Copy, Stage
from copytrade.core.model.orders import Order, Source, Status
from copytrade.core.model.reasons import Reason

#: The beginning of the id of an order that was never sent.
_PREFIX = "dry-"


def order_id(copy: Copy) -> str:
    """Return the id under which a copy that is not sent is taken to rest."""
    return f"{_PREFIX}{copy.correlation_id}"


def is_shadow(copy: Copy) -> bool:
    """Whether a copy was never sent."""
    return copy.order_id.startswith(_PREFIX)


def recorded(copy: Copy) -> Copy:
    """Return the record of a copy that was never sent; any other copy is returned as it is."""
    if not is_shadow(copy):
        return copy
    become = f"not sent; would be {copy.status}, {copy.filled_quantity} of {copy.quantity} filled with the leader"
    return replace(copy, stage=Stage.NONE, reason=Reason.DRY_RUN, error=become, order_id="", order=None)


def order_of(copy: Copy, leader: Order, lot_size: int, now: datetime) -> Order:
    """Return the order of a copy that was never sent, filled in proportion to the leader's order."""
    wanted = copy.quantity
    if leader.status is Status.TRADED:
        filled = wanted
    else:
        filled = wanted * leader.filled_quantity // leader.quantity // lot_size * lot_size
    filled = max(copy.filled_quantity, min(filled, wanted))
    is_whole = filled == wanted
    if not is_whole and copy.cancelling:
        status = Status.CANCELLED
    else:
        status = Status.TRADED if is_whole else Status.PART_TRADED if filled else Status.PENDING
    desired = copy.desired
    return replace(
        leader,
        id=copy.order_id,
        status=status,
        side=copy.side(leader),
        order_type=desired.order_type if desired else leader.order_type,
        quantity=wanted,
        filled_quantity=filled,
        price=desired.price if desired else leader.price,
        trigger_price=desired.trigger_price if desired else leader.trigger_price,
        average_price=(leader.average_price or leader.price) if filled else leader.average_price,
        correlation_id=copy.correlation_id,
        updated_at=now,
        observed_at=now,
        source=Source.FEED,
    )
