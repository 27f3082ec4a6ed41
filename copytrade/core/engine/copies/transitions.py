"""How a copy changes: one function for each thing that can happen to it, each giving the copy as it is afterwards."""

from decimal import Decimal

from msgspec.structs import replace

from copytrade.core.decide.decisions import Cancel, Flag, Modify, Place, Skip
from copytrade.core.model.copies import Copy, DesiredOrder, LatencyBreakdown, Stage
from copytrade.core.model.instruments import ONE
from copytrade.core.model.ledger import Part, Ratio
from copytrade.core.model.orders import Order, Status, Validity, correlation_id, trade_date
from copytrade.core.model.reasons import Reason
from copytrade.core.model.rejections import classify


def skipped(copy: Copy, skip: Skip) -> Copy:
    """It is not copied, and why."""
    return replace(copy, reason=skip.reason, error=skip.detail, again=False)


def tried_again(copy: Copy) -> Copy:
    """An operator wants it tried again: a new order may follow, or one that was not sent before."""
    return replace(copy, again=True)


def flagged(copy: Copy, flag: Flag) -> Copy:
    """Somebody should look at it, and why."""
    return replace(copy, reason=flag.reason, error=flag.detail)


def placing(copy: Copy, place: Place, ratio: Ratio | None, strategy: str, multiplier: Decimal | None = ONE) -> Copy:
    """A new order is about to be sent. Raises ValueError where the leader's id does not fit a correlation id."""
    return replace(
        copy,
        n=place.n,
        part=place.part,
        stage=Stage.PENDING,
        correlation_id=correlation_id(copy.leader_order_id, place.n),
        desired=place.desired,
        product=place.product,
        ratio=ratio,
        strategy=strategy,
        multiplier=multiplier,
        arithmetic=place.arithmetic,
        reason=None,
        error="",
    )


def modifying(copy: Copy, modify: Modify) -> Copy:
    """A modification is about to be sent; it counts against the order's limit once it is known to be carried out."""
    return replace(copy, desired=modify.desired, reason=modify.reason or copy.reason)


def not_sent(copy: Copy, error: str = "") -> Copy:
    """The order is certainly not at the broker: it can be sent again under the same id."""
    return replace(copy, stage=Stage.NONE, desired=None, error=error)


def proven_absent(copy: Copy) -> Copy:
    """The broker never had the order: it can be decided anew, under the same id."""
    return replace(not_sent(copy), error="")


def found(copy: Copy, order: Order, leader: Order, n: int, part: Part) -> Copy:
    """An order with our id is at the broker and belongs to no known copy: make it the ``n``-th copy."""
    desired = _desired_order_of(order, leader)
    return replace(
        copy,
        n=n,
        part=part,
        stage=Stage.LIVE,
        correlation_id=order.correlation_id,
        order_id=order.id,
        desired=desired,
        product=order.product if order.product is not leader.product else None,
        accepted=desired,
        refused=None,
        cancelling=False,
        cancel_sent=False,
        cancel_asked=False,
        modifications=0,
        replaced=None,
        order=None,
        reason=None,
        error="",
        latency_ms=None,
        fill_ms=None,
    )


def accepted(copy: Copy, order_id: str, latency_ms: float | None, breakdown: LatencyBreakdown | None = None) -> Copy:
    """The broker accepted the order as desired."""
    taken = replace(
        copy,
        order_id=order_id,
        accepted=copy.desired,
        refused=None,
        latency_ms=latency_ms,
        breakdown=breakdown or copy.breakdown,
    )
    return taken if copy.stage is Stage.ENDED else replace(taken, stage=Stage.LIVE, error="")


def modification_accepted(copy: Copy, order_id: str) -> Copy:
    """The broker accepted the modification; the order before it is kept until the broker shows the new one."""
    before = copy.replaced or copy.accepted
    taken = replace(accepted(copy, order_id, copy.latency_ms), modifications=copy.modifications + 1)
    return replace(taken, replaced=before if _tells(copy.order, before, copy.desired) else None)


def modification_came_to_nothing(copy: Copy) -> Copy:
    """The broker accepted a modification and did not carry it out: the order has to be modified again."""
    return replace(copy, accepted=copy.replaced, replaced=None, modifications=copy.modifications - 1)


def place_refused(copy: Copy, error: str) -> Copy:
    """The broker refused the order: final for this leader order."""
    return replace(copy, stage=Stage.ENDED, reason=Reason.BROKER_REFUSED, error=f"{classify(error)}: {error}")


def modify_refused(copy: Copy, error: str) -> Copy:
    """The broker refused the modification: the order stays as it was, and the next try waits."""
    return replace(copy, refused=copy.desired, desired=copy.accepted, error=error)


def modify_not_sent(copy: Copy) -> Copy:
    """The modification certainly did nothing, and may be sent again."""
    return replace(copy, desired=copy.accepted)


def cancelling(copy: Copy, cancel: Cancel) -> Copy:
    """A cancellation is about to be sent."""
    return replace(copy, cancelling=True, cancel_asked=True, reason=cancel.reason or copy.reason)


def cancel_not_sent(copy: Copy) -> Copy:
    """The cancellation certainly did nothing, and may be sent again."""
    return replace(copy, cancelling=False)


def cancel_came_to_nothing(copy: Copy) -> Copy:
    """The broker has not carried out a cancellation that it accepted or left open: the order is cancelled again."""
    return replace(copy, stage=Stage.LIVE, cancelling=False, cancel_sent=False)


def cancel_accepted(copy: Copy) -> Copy:
    """The broker accepted the cancellation; the end of the order is yet to be shown."""
    return replace(copy, cancel_sent=True, error="")


def in_doubt(copy: Copy, error: str) -> Copy:
    """The outcome of the last request is unknown: the order has to be read before anything is sent again."""
    if copy.stage is Stage.ENDED:
        return copy
    if copy.stage is Stage.PENDING and copy.order is not None:  # the feed has shown that it exists
        return replace(copy, stage=Stage.LIVE, accepted=copy.desired, error=error)
    return replace(copy, stage=Stage.UNKNOWN, cancelling=False, error=error)


def invisible(copy: Copy) -> Copy:
    """The broker accepted the order, and nothing ever showed it: it is given up."""
    error = f"accepted as {copy.order_id}, and shown neither by the feed nor by the order book nor by a search"
    return replace(copy, stage=Stage.ENDED, reason=Reason.INVISIBLE, error=error)


def turned_up(copy: Copy, part: Part) -> Copy:
    """The order that was given up is shown after all."""
    return replace(copy, stage=Stage.LIVE, part=part, reason=None, error="")


def was_read(copy: Copy) -> Copy:
    """A read that began after the doubt shows the order at the broker as we knew it: go on from there."""
    return _as_shown(replace(copy, stage=Stage.LIVE)) if copy.stage is Stage.UNKNOWN and copy.order_id else copy


def reloaded(copy: Copy) -> Copy:
    """It comes from the database: a request that was pending then is in doubt."""
    if _is_open(copy):
        return in_doubt(copy, "the program stopped while its request was under way")
    return cancel_came_to_nothing(copy) if copy.stage is Stage.LIVE else copy


def observed(copy: Copy, order: Order, leader: Order | None, *, busy: bool) -> Copy:
    """The broker has shown the order. While ``busy``, a request waits for its answer."""
    desired = copy.desired or _desired_order_of(order, leader)  # none where it was proven not to exist, and does
    changed = replace(
        copy, order=order, order_id=order.id, desired=desired, reason=copy.reason if copy.desired else None
    )
    if order.is_terminal:
        return _ended(changed, order, leader)
    if busy and copy.stage is not Stage.UNKNOWN:
        return changed
    return _as_shown(replace(changed, stage=Stage.LIVE, accepted=copy.accepted or desired))


def is_modified(before: Copy, after: Copy) -> bool:
    """Whether this change shows that a modification was carried out."""
    return after.replaced is None and (before.accepted != after.accepted or before.replaced is not None)


def _as_shown(copy: Copy) -> Copy:
    """Conclude from the order as shown whether a modification was carried out."""
    if _tells(copy.order, copy.desired, copy.accepted):  # one whose answer was lost
        copy = replace(copy, accepted=copy.desired, modifications=copy.modifications + 1)
    return copy if _tells(copy.order, copy.replaced, copy.accepted) else replace(copy, replaced=None)


def _tells(order: Order | None, one: DesiredOrder | None, other: DesiredOrder | None) -> bool:
    """Whether an order matches one desired order and not the other; a market order rarely shows a limit's price."""
    if one is not None and other is not None and one.order_type.has_limit and not other.order_type.has_limit:
        return _looks_like(order, one)
    return _looks_like(order, one) and not _looks_like(order, other)


def _looks_like(order: Order | None, desired: DesiredOrder | None) -> bool:
    """Whether an order is as desired, by the fields that the broker shows as sent. A triggered stop is a limit."""
    if order is None or desired is None or order.quantity != desired.quantity:
        return False
    if desired.order_type.has_limit and order.price != desired.price:
        return False
    if order.order_type.has_trigger:
        return desired.order_type.has_trigger and order.trigger_price == desired.trigger_price
    return True


def with_leader(copy: Copy, leader: Order) -> Copy:
    """The leader's order has changed: note the quantity and price that the copy is compared with."""
    return replace(copy, leader_quantity=leader.quantity, leader_price=leader.average_price)


def is_foreign(copy: Copy, order: Order, leader: Order) -> bool:
    """Whether an order that carries a copy's id cannot be it: another side, instrument or day."""
    return order.side is not copy.side(leader) or order.key != leader.key or trade_date(order) < copy.trade_date


def _is_open(copy: Copy) -> bool:
    return copy.stage is Stage.PENDING or (copy.stage is Stage.LIVE and _differ(copy.desired, copy.accepted))


def _differ(desired: DesiredOrder | None, accepted_order: DesiredOrder | None) -> bool:
    return desired is not None and desired != accepted_order


def _desired_order_of(order: Order, leader: Order | None) -> DesiredOrder:
    """Return the desired order of an order at the broker; with another type than the leader's, the price is ours."""
    return DesiredOrder(
        quantity=order.quantity,
        order_type=order.order_type,
        price=order.price,
        trigger_price=order.trigger_price,
        validity=order.validity,
        disclosed_quantity=order.disclosed_quantity,
        own_price=leader is None or order.order_type is not leader.order_type,
    )


def _ended(copy: Copy, order: Order, leader: Order | None) -> Copy:
    ended = replace(copy, stage=Stage.ENDED, accepted=copy.accepted or copy.desired)
    if order.status is Status.TRADED:
        return ended
    if order.status is Status.REJECTED:
        return replace(ended, reason=Reason.BROKER_REJECTED, error=f"{classify(order.reason)}: {order.reason}")
    if copy.cancel_asked:
        return ended
    if order.validity is Validity.IOC:
        return replace(ended, reason=Reason.IOC_UNFILLED, error=f"got {order.filled_quantity} of {order.quantity}")
    if leader is not None and leader.is_terminal and leader.status is not Status.TRADED:
        return ended
    return replace(ended, reason=Reason.ENDED_EXTERNALLY, error=order.reason or f"{order.status} without our request")
