"""Which leader orders are copied as entries. Exits of a copied position are always copied."""

from copytrade.core.decide.decisions import Policy, Skip
from copytrade.core.model.instruments import Instrument
from copytrade.core.model.orders import Leg, Order, Product
from copytrade.core.model.reasons import Reason

#: In place of a list of instruments: copy everything.
EVERYTHING = "*"


def refusal(order: Order, instrument: Instrument | None, policy: Policy) -> Skip | None:
    """Return why nothing is entered for a leader order whatever its size, None if it may be.

    ``instrument`` is None where neither master nor feed describes it. Orders created before copying began belong to the
    time before this program.
    """
    if order.is_ours:
        return Skip(Reason.OWN_ORDER, f"the leader's order carries our own id {order.correlation_id}")
    if (placed := order.created_at or order.event_at) < policy.copying_since:
        return Skip(Reason.BEFORE_START, f"placed at {placed:%H:%M:%S}, before copying began")
    if order.leg is not Leg.NONE or order.product in (Product.CO, Product.BO):
        return Skip(Reason.UNSUPPORTED, f"part of a {order.product} or super order ({order.leg})")
    kind, wanted = instrument.kind if instrument else order.instrument or "", policy.instruments
    if kind and EVERYTHING not in wanted and kind not in wanted:
        return Skip(Reason.FILTERED_INSTRUMENT, f"{kind} is not among {', '.join(sorted(wanted))}")
    if not kind or instrument is None:
        return Skip(Reason.UNKNOWN_INSTRUMENT, f"{order.key.segment} {order.key.security_id} is not in the master")
    return None
