"""Ask ``decide`` about one leader order of a leader who holds nothing, for a follower half his size."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from msgspec.structs import replace

from copytrade.core.decide.decide import decide
from copytrade.core.decide.decisions import Decision, DecisionInput, Policy
from copytrade.core.decide.desired_order import OrderTypePolicy, desired_order
from copytrade.core.decide.filters import refusal
from copytrade.core.engine.allocator import allocated
from copytrade.core.engine.engine import CopyEngine
from copytrade.core.engine.exits.shares import ExitShare
from copytrade.core.ledger.positions import Positions
from copytrade.core.ledger.sizing import Capitals, SizingPolicy, Strategy
from copytrade.core.model.copies import Copy, Stage
from copytrade.core.model.instruments import Instrument
from copytrade.core.model.ledger import Line, LineKey, Ratio
from copytrade.core.model.orders import IST, Order, Status
from tests.core.orders import NOW, an_order

HALF = Ratio(Fraction(1, 2), "half")
TERMS = OrderTypePolicy()
UNKNOWN = Capitals()
POLICY = Policy(
    instruments=frozenset({"OPTIDX"}),
    sizing=SizingPolicy(Strategy.FIXED_RATIO, ratio=Decimal("0.5")),
    copying_since=NOW - timedelta(hours=1),
)
NIFTY = Instrument("OPTIDX", "NIFTY-Dec2026-26000-CE", "NIFTY", 65, Decimal("0.05"))
OPEN = DecisionInput(NIFTY, master_read=True, gate_open=True)
FRESH = Copy("112611230001", "alice", NOW.date(), NOW)


def resting(**changes: Any) -> Copy:
    """Make a copy of 2 lots that rests at the broker as the leader's order of 4 wants it."""
    desired = desired_order(an_order(), 130, NIFTY, TERMS)
    copy = replace(FRESH, n=1, stage=Stage.LIVE, ratio=HALF, desired=desired, accepted=desired, order_id="7")
    if "accepted" in changes:
        changes = {"desired": changes["accepted"], **changes}
    return replace(copy, **changes)


def knows_positions(
    engine: CopyEngine,
    *lines: Line,
    leader: Mapping[LineKey, int] | None = None,
    own: Mapping[LineKey, int] | None = None,
    at: datetime = NOW,
) -> None:
    """Tell a desk what both accounts hold before its orders, what ``lines`` say if not said otherwise."""
    engine.own_feed(is_up=True, at=at)
    corrected = engine.leader_positions_read(
        leader or {line.key: line.leader_position for line in lines}, at, at.astimezone(IST).date()
    )
    assert not corrected
    engine.own_book_read(at)
    engine.own_positions_read(own or {line.key: line.held for line in lines}, at)


def ask(
    leader: Order,
    *copies: Copy,
    policy: Policy = POLICY,
    inputs: DecisionInput = OPEN,
    now: datetime = NOW,
    capitals: Capitals = UNKNOWN,
) -> Decision:
    """Return what ``decide`` says, the order being the first that the leader placed."""
    positions = Positions()
    positions.of("").read({}, NOW, NOW.date(), ())
    positions.holdings.read({}, NOW)
    positions.leader_seen(leader, now)
    inputs = replace(inputs, refused=refusal(leader, inputs.instrument, policy))
    entry = None
    is_dead = leader.is_terminal and leader.status is not Status.TRADED and not leader.filled_quantity
    if inputs.instrument and (copies or not (is_dead or inputs.refused)):
        entry = positions.sizes.size(leader, inputs.instrument, policy.sizing, capitals, is_opening=True)
    return decide(leader, copies, allocated(leader, positions, entry, ExitShare(0)), inputs, policy, now)
