"""A leader who goes long and short while his limits rest on the same line, and a broker that does all it is asked."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from copytrade.core.decide.decisions import Cancel, Modify, Place, Policy
from copytrade.core.engine.context import MarketRules
from copytrade.core.engine.copies import transitions
from copytrade.core.engine.engine import CopyEngine
from copytrade.core.ledger.sizing import Capitals, SizingPolicy, Strategy
from copytrade.core.market.freeze import load_freeze_table
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import Order, OrderType, Side, Status
from tests.core.asking import NIFTY, knows_positions
from tests.core.orders import NOW, OPTION, an_order, as_accepted

LOT = 65
POLICY = Policy(
    instruments=frozenset({"OPTIDX"}),
    sizing=SizingPolicy(Strategy.FIXED_RATIO, ratio=Decimal(1)),
    copying_since=NOW - timedelta(hours=1),
)


class Line:
    """A desk, the leader's orders on one line, and the follower's at the broker."""

    def __init__(self) -> None:
        self.engine = CopyEngine("alice", POLICY, Capitals(), MarketRules(load_freeze_table({}), None))
        self.engine.load([], [], [], NOW - timedelta(hours=1), 0.0)
        self.engine.know_instruments({OPTION: NIFTY})
        knows_positions(self.engine)
        self.engine.set_gate(is_open=True)
        self.moment = NOW
        self.number = 0
        self.leader: dict[str, Order] = {}
        self.broker: dict[str, Order] = {}
        self.requests: list[Place | Modify | Cancel] = []

    def places(self, side: Side, lots: int = 1, **changes: object) -> Order:
        self.number += 1
        order = an_order(id=f"L{self.number}", side=side, quantity=lots * LOT, created_at=self.moment, **changes)
        return self.tells(order)

    def rest(self, limits: int) -> None:
        """Place limits of one lot, by turns below the market and above it."""
        for number in range(limits):
            side, away = ((Side.BUY, -1), (Side.SELL, 1))[number % 2]
            self.places(side, price=Decimal(100 + away * (10 + number % 40)))

    def trades(self, side: Side, lots: int) -> None:
        order = self.places(side, lots, order_type=OrderType.MARKET, price=Decimal(0))
        self.fills(order)

    def fills(self, order: Order) -> None:
        self.tells(
            replace(
                order, status=Status.TRADED, filled_quantity=order.quantity, average_price=order.price or Decimal(100)
            )
        )

    def tells(self, order: Order) -> Order:
        self.moment += timedelta(milliseconds=10)
        order = self.leader[order.id] = replace(order, updated_at=self.moment, observed_at=self.moment)
        self.engine.leader_changed(order, None)
        self.settles()
        return order

    def settles(self) -> None:
        """Have everything sent that is wanted, taken, and shown; a MARKET order is filled at once."""
        self.engine.scheduler.consider(self.moment)
        while (picked := self.engine.scheduler.pick(self.moment)) is not None:
            leader, action = picked
            self.requests.append(action)
            copy = self.engine.begin(leader, action, self.moment).after
            if isinstance(action, Cancel):
                after = transitions.cancel_accepted(copy)
                own = replace(self.broker[copy.order_id], status=Status.CANCELLED)
            else:
                order_id = copy.order_id or f"F{len(self.broker)}"
                after = transitions.accepted(copy, order_id, None)
                own = as_accepted(copy, leader, order_id, action.desired)
            self.engine.execution.settle((leader.id, action.n), after, 1.0)
            self.shows(own)
            if own.order_type is OrderType.MARKET:
                self.shows(replace(own, status=Status.TRADED, filled_quantity=own.quantity))

    def shows(self, own: Order) -> None:
        self.moment += timedelta(milliseconds=10)
        own = self.broker[own.id] = replace(own, updated_at=self.moment, observed_at=self.moment)
        self.engine.own_orders.seen(own, None)
        self.engine.scheduler.consider(self.moment)

    def resting(self) -> list[Order]:
        return [order for order in self.broker.values() if not order.is_terminal]

    def held(self) -> int:
        return sum(order.filled_quantity * order.side.sign for order in self.broker.values())


def flipping(limits: int) -> Counter[str]:
    """Return what the work and the requests of ten flips come to, while so many limits rest."""
    line = Line()
    line.rest(limits)
    line.trades(Side.BUY, 1)
    line.trades(Side.SELL, 2)
    line.requests.clear()
    before = line.engine.scheduler.decisions, line.engine.shares.reckonings
    for side in [Side.BUY, Side.SELL] * 5:
        line.trades(side, 2)
    kinds = Counter(type(request).__name__ for request in line.requests)
    decided, reckoned = line.engine.scheduler.decisions - before[0], line.engine.shares.reckonings - before[1]
    return Counter({**kinds, "decided": decided, "reckoned": reckoned})


@pytest.mark.parametrize("limits", [80, 200])
def test_a_flip_takes_no_more_work_and_no_more_requests_however_many_limits_rest(limits: int) -> None:
    assert flipping(limits) == flipping(6)


def test_an_order_that_crosses_zero_leaves_before_it_enters_although_a_limit_rests_to_leave() -> None:
    line = Line()
    line.rest(6)
    line.trades(Side.BUY, 1)
    line.trades(Side.SELL, 2)
    assert line.held() == -LOT
    line.trades(Side.BUY, 3)
    assert line.held() == 2 * LOT
    assert not any(copy.part is Part.FLATTEN for copy, _ in line.engine.everything())


def test_limits_that_nothing_is_left_for_to_exit_go_on_resting_whatever_side_the_leader_is_on() -> None:
    line = Line()
    line.rest(80)
    for side, lots in ((Side.BUY, 1), (Side.SELL, 2), (Side.BUY, 2), (Side.SELL, 2)):
        line.trades(side, lots)
        assert len(line.resting()) >= 79  # the one that is an exit of the side before waits for its turn


def test_the_limit_that_the_market_reaches_first_is_the_exit() -> None:
    line = Line()
    far, near = line.places(Side.SELL, price=Decimal(130)), line.places(Side.SELL, price=Decimal(110))
    line.trades(Side.BUY, 1)
    parts = {copy.leader_order_id: copy.part for copy, _ in line.engine.everything()}
    assert parts[near.id] is Part.EXIT
    assert parts[far.id] is Part.ENTRY


def test_a_limit_that_fills_out_of_its_turn_is_an_exit_by_its_fill() -> None:
    line = Line()
    far, near = line.places(Side.SELL, price=Decimal(130)), line.places(Side.SELL, price=Decimal(110))
    line.trades(Side.BUY, 1)
    line.fills(far)
    (own,) = [order for order in line.resting() if order.price == 130]
    line.shows(replace(own, status=Status.TRADED, filled_quantity=own.quantity))
    line.settles()
    assert line.held() == 0
    assert not any(copy.part is Part.FLATTEN for copy, _ in line.engine.everything())
    line.tells(replace(near, status=Status.CANCELLED))
    assert line.resting() == []
