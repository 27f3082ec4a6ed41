"""An engine that closes everything, beside a broker that does what it is told."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

from msgspec.structs import replace

from copytrade.core.decide.decisions import Cancel, Modify, Place
from copytrade.core.engine.copies import transitions
from copytrade.core.engine.engine import Action, CopyEngine
from copytrade.core.ledger.closing_orders import Closed
from copytrade.core.ledger.sizing import Capitals
from copytrade.core.model.copies import CopyId
from copytrade.core.model.ledger import LineKey
from copytrade.core.model.orders import Order, Product, Side, Status, correlation_id
from tests.core.asking import NIFTY, knows_positions
from tests.core.engine.policies import LOT, MARKET_RULES, policy
from tests.core.orders import NOW, OPTION, an_order

LINE = LineKey(OPTION, Product.MARGIN)


class Account:
    """A desk, and the orders of its account at a broker that takes everything and fills what it is told to."""

    def __init__(self, *, only_closes: bool = False, by_hand: int = 0) -> None:
        self.engine = CopyEngine("alice", policy(Decimal(1)), Capitals(), MARKET_RULES, only_closes=only_closes)
        self.only_closes, self.by_hand = only_closes, by_hand
        self.orders: dict[str, Order] = {}
        self.sent: list[tuple[str, Action]] = []
        self.refuses = False
        self.is_silent = False
        self.leaders: dict[str, Order] = {}
        self.engine.load((), (), (), NOW - timedelta(hours=1), 0.0)
        self.learns()

    def learns(self) -> None:
        self.engine.know_instruments({OPTION: NIFTY})
        leader = self.engine.positions.ledger.line(LINE).leader_position
        knows_positions(self.engine, leader={LINE: leader}, own={LINE: self.net()})
        self.engine.set_gate(is_open=True)

    def leader(self, order: Order) -> None:
        self.leaders[order.id] = order
        self.engine.leader_changed(order, None)
        self.goes_on()

    def goes_on(self) -> None:
        """Send whatever is wanted until nothing is."""
        self.engine.scheduler.consider(NOW)
        while picked := self.engine.scheduler.pick(NOW):
            leader, action = picked
            copy = self.engine.begin(leader, action, NOW).after
            self.sent.append((leader.id, action))
            self.carry_out((leader.id, action.n), action, leader)
            assert copy.correlation_id
            self.engine.scheduler.consider(NOW)

    def carry_out(self, copy_id: CopyId, action: Action, leader: Order) -> None:
        copy = self.engine.copies.copy(copy_id)
        match action:
            case Place() if self.refuses:
                self.engine.execution.settle(copy_id, transitions.place_refused(copy, "refused"), 1.0)
            case Place(desired=desired):
                order = an_order(
                    id=f"F{len(self.orders)}",
                    side=copy.side(leader),
                    product=leader.product,
                    quantity=desired.quantity,
                    price=desired.price,
                    correlation_id=correlation_id(*copy_id),
                )
                self.orders[order.id] = order
                self.engine.execution.settle(copy_id, transitions.accepted(copy, order.id, None), 1.0)
            case Modify(desired=desired):
                self.orders[copy.order_id] = replace(self.orders[copy.order_id], quantity=desired.quantity)
                self.engine.execution.settle(copy_id, transitions.accepted(copy, copy.order_id, None), 1.0)
            case Cancel():
                self.engine.execution.settle(copy_id, transitions.cancel_accepted(copy), 1.0)
                if not self.is_silent:
                    self.tells(self.orders[copy.order_id], status=Status.CANCELLED)

    def tells(self, order: Order, **changes: object) -> None:
        self.orders[order.id] = replace(order, **changes)  # type: ignore[arg-type]
        self.engine.own_orders.seen(self.orders[order.id], None)

    def fills(self, order: Order, quantity: int | None = None) -> None:
        order = self.orders[order.id]
        if order.is_terminal:
            return
        filled = min(order.quantity, order.filled_quantity + (quantity or order.quantity))
        status = Status.TRADED if filled == order.quantity else Status.PART_TRADED
        self.tells(order, status=status, filled_quantity=filled, average_price=Decimal(100))

    def live(self) -> list[Order]:
        return [order for order in self.orders.values() if not order.is_terminal]

    def net(self) -> int:
        return self.by_hand + sum(order.filled_quantity * order.side.sign for order in self.orders.values())

    def closes(self) -> Closed | None:
        """Close everything; the market fills what closes."""
        self.engine.close_all()
        self.goes_on()
        closing = [order for order in self.live() if order.correlation_id.startswith("ct-flat")]
        for order in closing:
            self.fills(order)
        self.goes_on()
        return self.engine.take_closed(NOW)

    def restarts(self, told_first: Iterable[Order] = ()) -> None:
        """Begin anew from what was written down, and the book; of some leader orders before positions are known."""
        copies = [copy for copy, _ in self.engine.everything()]
        written = self.engine.positions.ledger.everything()
        lines = [one for one in written if hasattr(one, "held")]
        allocations = [one for one in written if not hasattr(one, "held")]
        self.engine = CopyEngine("alice", policy(Decimal(1)), Capitals(), MARKET_RULES, only_closes=self.only_closes)
        self.engine.load(copies, lines, allocations, NOW - timedelta(hours=1), 0.0)  # type: ignore[arg-type]
        for order in told_first:
            self.engine.leader_changed(order, None)
        self.engine.look_again()
        self.engine.scheduler.consider(NOW)
        self.learns()
        for order in self.orders.values():
            self.engine.own_orders.seen(order, None)
        self.engine.own_orders.book_read(5.0, NOW, frozenset(self.orders))


def entered(account: Account, number: int, lots: int, side: Side = Side.BUY) -> Order:
    """Have the leader enter, and the copy fill."""
    order = an_order(id=f"{number}", side=side, quantity=lots * LOT)
    account.leader(order)
    for mine in account.live():
        account.fills(mine)
    traded = replace(order, status=Status.TRADED, filled_quantity=order.quantity)
    account.leader(traded)
    return traded
