"""How much of what is held each exit is to take."""

from collections.abc import Mapping, Sequence

from copytrade.core.ledger.arithmetic.lots import sign, whole_lots
from copytrade.core.model.ledger import Line, Working


def exit_shares(line: Line, exits: Sequence[Working], held: int) -> Mapping[str, int]:
    """Return how many of the ``held`` units each exit has yet to take, by leader order id.

    ``exits`` are in the order in which they were first seen; ``held`` is not signed. What the leader has already exited
    goes to the exits that filled. The rest is divided along each chain, by what each exit would leave the leader.
    """
    direction = sign(line.held)
    belongs = min(held, line.due(direction))
    exits = [exit_ for exit_ in exits if exit_.side.sign == -direction]
    shares = _overdue_shares(exits, held - belongs)
    position = max(0, line.leader_position * direction)
    exact = (line.level + line.residue) * direction
    for is_stop in (False, True):
        chain = [exit_ for exit_ in exits if exit_.is_stop is is_stop]
        chain.sort(key=lambda exit_: not exit_.at_market)
        top = held - sum(shares[exit_.leader_order_id] for exit_ in chain)
        left = position
        for exit_ in chain:
            if not exit_.leader_open:
                continue
            left = max(0, left - exit_.leader_open)
            bottom = min(top, whole_lots(exact, line.lot_size, left, position)) if position else 0
            shares[exit_.leader_order_id] += top - bottom
            top = bottom
    return shares


def _overdue_shares(exits: Sequence[Working], overdue: int) -> dict[str, int]:
    """Divide what the follower should have exited already: to filled exits that still rest, the rest to the latest."""
    shares = dict.fromkeys((exit_.leader_order_id for exit_ in exits), 0)
    took_out = [exit_ for exit_ in exits if exit_.has_filled and not exit_.is_final]
    for exit_ in took_out:
        is_latest = exit_ is took_out[-1]
        share = overdue if is_latest else min(overdue, exit_.open)
        shares[exit_.leader_order_id] = share
        overdue -= share
    return shares
