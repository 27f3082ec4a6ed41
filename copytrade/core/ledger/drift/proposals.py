"""Which leader orders can be tried again to reduce a drift."""

from typing import NamedTuple

from copytrade.core.ledger.arithmetic.lots import sign, whole_lots
from copytrade.core.ledger.drift.causes import RESTS, UNDECIDED, Cause, Drift


class Proposal(NamedTuple):
    """A leader order that can be tried again, as an exit or an entry, and for how many ``units`` (whole lots)."""

    leader_order_id: str
    is_exit: bool
    units: int
    why: str


def proposals(drift: Drift) -> list[Proposal]:
    """Return the orders that would correct the copies: those that were skipped, refused, or ended unfilled.

    What other hands did, limits and rounding are left as they are.
    """
    side = sign(drift.leader) or sign(drift.held)
    found = []
    for share in drift.shares:
        units = whole_lots(abs(share.units), drift.lot_size)
        has_ended = share.cause in (Cause.SKIPPED, Cause.REFUSED) or (
            share.cause is Cause.UNFILLED and share.detail not in (RESTS, UNDECIDED)
        )
        if units and has_ended:
            why = f"{share.cause} {share.detail}".strip()
            found.append(Proposal(share.leader_order_id, share.units * side > 0, units, why))
    return found
