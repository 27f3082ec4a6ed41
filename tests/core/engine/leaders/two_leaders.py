"""An engine that copies leaders by name, at a broker that carries out all it is asked, on one line of the account."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

from msgspec.structs import replace

from copytrade.core.decide.decisions import Action, Cancel, Place, Policy
from copytrade.core.engine.copies import transitions
from copytrade.core.engine.engine import CopyEngine, LeaderContext, MarketRules
from copytrade.core.ledger.sizing import Capitals, SizingPolicy, Strategy
from copytrade.core.market.freeze import load_freeze_table
from copytrade.core.model.copies import Copy
from copytrade.core.model.ledger import Allocation, Line, LineKey
from copytrade.core.model.orders import Order, OrderType, Product, Side, Status
from tests.core.asking import NIFTY
from tests.core.orders import NOW, OPTION, an_order, as_accepted

LOT = 65
ACCOUNT = LineKey(OPTION, Product.MARGIN)
POLICY = Policy(
    instruments=frozenset({"OPTIDX"}),
    sizing=SizingPolicy(Strategy.FIXED_RATIO, ratio=Decimal(1)),
    copying_since=NOW - timedelta(hours=1),
    late_after=10**9,
    unfilled_after=10**9,
)


def line_of(leader: str) -> LineKey:
    return ACCOUNT.of(leader)


class Account:
    """A follower of these leaders; copies at the market fill at once, others when a test says so."""

    def __init__(
        self,
        *leaders: str,
        policies: dict[str, Policy] | None = None,
        follows: Iterable[str] = (),
        loaded: tuple[list[Copy], list[Line], list[Allocation]] = ([], [], []),
    ) -> None:
        policies = policies or {}
        self.leaders = leaders
        self.moment = NOW
        self.placed: dict[str, Order] = {}
        self.broker: dict[str, Order] = {}
        self.sent: list[tuple[str, Action]] = []
        self.by_hand = 0
        self.engine = CopyEngine(
            "bina",
            POLICY,
            Capitals(),
            MarketRules(load_freeze_table({}), None),
            leaders={
                name: LeaderContext(policies.get(name, POLICY), Capitals(), follows=name in follows) for name in leaders
            },
        )
        copies, lines, allocations = loaded
        self.engine.load(copies, lines, allocations, NOW - timedelta(hours=1), 0.0)
        self.engine.know_instruments({OPTION: NIFTY})
        self.engine.own_feed(is_up=True, at=NOW)
        for name in leaders:
            held = {line.key.account: line.leader_position for line in lines if line.key.leader == name}
            self.engine.leader_positions_read(held, NOW, NOW.date(), name)
            self.engine.set_gate(is_open=True, leader=name)
        self.engine.own_book_read(NOW)
        self.engine.own_positions_read(self.engine.positions.ledger.copied(), NOW)

    def tick(self) -> None:
        self.moment += timedelta(milliseconds=10)

    def places(self, leader: str, side: Side, lots: int = 1, **changes: object) -> Order:
        """Have a leader place a limit order."""
        number = f"{len(self.placed) + 1000}"
        terms = {"id": number, "side": side, "quantity": lots * LOT, "created_at": self.moment, "leader": leader}
        order = an_order(**{**terms, **changes})
        return self.tells(order)

    def trades(self, leader: str, side: Side, lots: int = 1, **changes: object) -> Order:
        """Have a leader trade at the market."""
        order = self.places(leader, side, lots, order_type=OrderType.MARKET, price=Decimal(0), **changes)
        return self.fills(order)

    def fills(self, order: Order) -> Order:
        return self.tells(
            replace(order, status=Status.TRADED, filled_quantity=order.quantity, average_price=Decimal(100))
        )

    def tells(self, order: Order) -> Order:
        self.tick()
        order = self.placed[order.id] = replace(order, updated_at=self.moment, observed_at=self.moment)
        self.engine.leader_changed(order, None)
        self.goes_on()
        return order

    def goes_on(self) -> None:
        """Have everything sent that is wanted."""
        self.engine.scheduler.consider(self.moment)
        while (picked := self.engine.scheduler.pick(self.moment)) is not None:
            self.send(*picked)

    def send(self, leader: Order, action: Action) -> None:
        copy = self.engine.begin(leader, action, self.moment).after
        self.sent.append((leader.id, action))
        if isinstance(action, Cancel):
            after = transitions.cancel_accepted(copy)
            own = replace(self.broker[copy.order_id], status=Status.CANCELLED)
        else:
            order_id = copy.order_id or f"F{len(self.broker)}"
            if isinstance(action, Place):
                after = transitions.accepted(copy, order_id, None)
            else:
                after = transitions.modification_accepted(copy, order_id)
            own = as_accepted(copy, leader, order_id, action.desired)
        self.engine.execution.settle((leader.id, action.n), after, 1.0)
        self.shows(own)
        if own.order_type is OrderType.MARKET:
            self.copy_fills(own)

    def copy_fills(self, own: Order) -> None:
        self.shows(replace(own, status=Status.TRADED, filled_quantity=own.quantity, average_price=Decimal(100)))

    def shows(self, own: Order) -> None:
        self.tick()
        own = self.broker[own.id] = replace(own, updated_at=self.moment, observed_at=self.moment)
        self.engine.own_orders.seen(own, None)
        self.engine.scheduler.consider(self.moment)

    def trades_by_hand(self, units: int) -> None:
        """Have the account's holder trade signed units himself."""
        side = Side.BUY if units > 0 else Side.SELL
        self.by_hand += units
        hand = an_order(id=f"H{self.moment:%H%M%S%f}", side=side, quantity=abs(units), order_type=OrderType.MARKET)
        self.shows(replace(hand, status=Status.TRADED, filled_quantity=abs(units)))
        self.goes_on()

    def positions_are_read(self, seconds: float = 60.0) -> None:
        """Read the account's positions, some time later."""
        self.moment += timedelta(seconds=seconds)
        self.engine.own_positions_read({ACCOUNT: self.net()}, self.moment)

    def held(self, leader: str) -> int:
        """Return what is held by copying a leader."""
        return self.engine.positions.ledger.line(line_of(leader)).held

    def net(self) -> int:
        return sum(order.filled_quantity * order.side.sign for order in self.broker.values())

    def leader_net(self, leader: str) -> int:
        his = (order for order in self.placed.values() if order.leader == leader and not order.is_ours)
        return sum(order.filled_quantity * order.side.sign for order in his)

    def restarted(self) -> "Account":
        """Return the account after a restart of the copier, with what was written down."""
        everything = self.engine.positions.ledger.everything()
        copies = [copy for copy, _ in self.engine.everything()]
        lines = [one for one in everything if isinstance(one, Line)]
        allocations = [one for one in everything if isinstance(one, Allocation)]
        again = Account(*self.leaders, loaded=(copies, lines, allocations))
        again.moment, again.placed, again.broker = self.moment, self.placed, self.broker
        for own in self.broker.values():
            again.engine.own_orders.seen(own, None)
        for order in self.placed.values():
            again.engine.leader_changed(order, None)
        again.goes_on()
        return again
