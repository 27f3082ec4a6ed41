"""Sandbox mode: the answers of Dhan's sandbox to each kind of request that copying sends.

Nothing can be copied there: it has no order-update socket, fills nothing, and answers reads of the order book with an
error (probed by others in August 2026). So every follower's account places an order of each type, changes one and
cancels them, and that is all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from copytrade.brokers.api import Cancelled, NewOrder, OrderChange, Placed
from copytrade.brokers.dhan.rest import DhanRest
from copytrade.brokers.outcomes import Accepted, Outcome, Refused
from copytrade.common import wall_clock
from copytrade.core.model.orders import CORRELATION_PREFIX, ZERO, InstrumentKey, OrderType, Product, Segment, Side

#: A share's security id that works there; they are not production's.
_SHARE = InstrumentKey(Segment.NSE_EQ, "11536")

#: Prices in rupees: below the market for a limit order, above it for a stop, so that both would rest.
_LIMIT, _CHANGED, _TRIGGER, _STOP_LIMIT = Decimal(2000), Decimal(2001), Decimal(5000), Decimal(5010)


@dataclass(frozen=True, slots=True)
class Answer:
    """The sandbox's answer to one request of a follower; ``is_placement`` if it was to place an order."""

    follower: str
    request: str
    outcome: Outcome[Placed] | Outcome[Cancelled]
    is_placement: bool

    @property
    def is_accepted(self) -> bool:
        """Whether the sandbox accepted the request."""
        return isinstance(self.outcome, Accepted)

    def __str__(self) -> str:
        match self.outcome:
            case Accepted(value):
                what = f"accepted  order {value.order_id} {value.status or ''}"
            case Refused():
                what = f"refused   {self.outcome.refusal} {self.outcome.code} {self.outcome.message}"
            case unknown:
                what = f"unknown   {unknown.cause}"
        return f"{self.follower:<16} {self.request:<24} {what} ({self.outcome.exchange.duration_ms:.0f} ms)"


def rehearse(follower: str, rest: DhanRest) -> Iterator[Answer]:
    """Send each kind of request of a follower once; yield the answers."""
    tag = f"{CORRELATION_PREFIX}{wall_clock.now().timestamp():.0f}"
    placed: list[tuple[OrderType, str]] = []
    for number, order_type in enumerate(OrderType, 1):
        outcome = rest.place(_order(order_type, f"{tag}-{number}")).outcome()
        yield Answer(follower, f"place {order_type}", outcome, is_placement=True)
        if isinstance(outcome, Accepted):
            placed.append((order_type, outcome.value.order_id))
    for order_type, order_id in placed:
        if order_type is OrderType.LIMIT:
            change = OrderChange(order_type, 1, _CHANGED)
            yield Answer(follower, f"modify {order_type}", rest.modify(order_id, change).outcome(), is_placement=False)
    for order_type, order_id in placed:
        if order_type is not OrderType.MARKET:  # there is nothing left to cancel of what fills at once
            yield Answer(follower, f"cancel {order_type}", rest.cancel(order_id).outcome(), is_placement=False)


def _order(order_type: OrderType, correlation_id: str) -> NewOrder:
    return NewOrder(
        correlation_id,
        Side.BUY,
        _SHARE,
        Product.INTRADAY,
        order_type,
        quantity=1,
        price={OrderType.LIMIT: _LIMIT, OrderType.STOP_LOSS: _STOP_LIMIT}.get(order_type, ZERO),
        trigger_price=_TRIGGER if order_type.has_trigger else ZERO,
    )
