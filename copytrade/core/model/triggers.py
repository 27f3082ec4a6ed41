"""How a stop order is shown once it is triggered, as opposed to a change by its owner."""

from decimal import Decimal

from copytrade.core.model.orders import Order, OrderType, Side, Status


def explains(side: Side, order_type: OrderType, price: Decimal, trigger: Decimal, shown: Order) -> bool:
    """Whether triggering alone makes a stop with these terms show as ``shown``.

    A triggered stop shows as the LIMIT order that its limit says, with its trigger or without (seen on the production
    wire). One without a limit shows as MARKET, or as the protected LIMIT that the broker makes of that, which is no
    better than the trigger. A frame that says MODIFIED is a change by its owner.
    """
    if not order_type.has_trigger or shown.status is Status.MODIFIED or shown.trigger_price not in (0, trigger):
        return False
    if order_type is OrderType.STOP_LOSS:
        return shown.order_type is OrderType.LIMIT and shown.price == price
    if shown.order_type is OrderType.LIMIT:
        return (shown.price - trigger) * side.sign >= 0
    return shown.order_type is OrderType.MARKET


def is_explained(before: Order, shown: Order) -> bool:
    """Whether triggering alone explains how an order is shown since ``before``."""
    return explains(before.side, before.order_type, before.price, before.trigger_price, shown)
